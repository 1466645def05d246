"""The outside world: everything that keeps accounts, certificates or devices of its own.

    accounts/       a person's account at an application: wanted, compared, made right, proven
    eid/            electronic identities: upstreams that vouch for who somebody is (VNeID)
    notices/        what a person is told of her own account: mail, text message, file
    pki/            profiles, authority, CRL, OCSP, trust
    delivery        delivers logout tokens
    tools           what work on the outside is given
    outbound        the one client for outward HTTP: pinned, timed and capped
    pinned          httpx2 over its pool, read when the first call is made
    addresses       which addresses may be called
    answers         what comes back, read within bounds
    deadline        how long a job may take in all
    errors          Transient, Rejected, Misconfigured: three kinds of failure, nobody swallows

An arrow only ever points down this list, and nothing here knows Flask. Remote calls never happen
inside a database transaction.
"""
