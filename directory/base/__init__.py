"""The ground: clock, errors, config, crypto, db, audit, outbox. Knows nothing of the domain.

outbox | audit      jobs and the audit trail, written in the caller's transaction
db                  one engine, two ways in: read() and write()
crypto              keyring, encryption at rest, keyed hashes, argon2id
config              one TOML file and DINHDANH_*
clock | errors      time as a parameter; one typed error tree
failpoints          named places where the crash tests may kill a process
"""
