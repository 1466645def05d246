"""The ground: clock, errors, config, crypto, db, audit, outbox. Knows nothing of the domain.

verification        whether the audit trail is the one that was written
claiming            which job a worker takes next
outbox | audit      jobs and the audit trail, written in the caller's transaction
nodes               signs of life of the processes; which releases can serve the schema
values              one rule for each kind of value that people and files bring
signed_values       values under a MAC, stored nowhere
replay_cache        what may be presented once, for all nodes
checkpoints         the audit trail's head, signed and written down outside the database
db                  one engine, five ways in: write(), read(), snapshot(), hot(), probe()
hot                 statements of the hot paths: compiled once, sent straight through the driver
prepared            the same on PostgreSQL: prepared once on each connection
patience            how long the database is waited for, by kind of work
pooled              whether a pooler lends us its connections, and for how long
spoken              how PostgreSQL is spoken to on each connection
bounded             a connection of PostgreSQL's driver that gives up waiting
crypto              keyring, encryption at rest, keyed hashes
hashing             password hashes, by bounded workers
argon2              argon2id by whichever implementation is quicker here
workers             a few threads for what keeps a processor busy; people who are known first
processors          how many of them this process may use
config              one TOML file and DINHDANH_*
sign_in_settings    its part about signing in; notice_settings: about telling people
private             files and folders that only their owner may read
clock | errors      time as a parameter; one typed error tree
at_hand             connections kept beside the pool for single statements
away                whether an error says that the database is away, stuck or full
bell                rung once work has been committed, so that workers look at once
failpoints          named places where the crash tests may kill a process
hosts               hosts and addresses, each read to the one name it has
remembered          what a process keeps of what it has read, good only under a stamp
rows                facts in time, many values at a time, INSERT … ON CONFLICT
jws | jwk           what others have signed, and the keys they publish
strict_json         one JSON object, read strictly
base64url           bytes as text, spelt in one way
page_marks          where one page of a list ended
text                names: tidied, searched, sorted
spelling            text that a program has read in the wrong encoding
storable            what came from outside, in a form that every database can hold
"""
