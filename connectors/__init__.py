"""The outside world: everything that keeps accounts, certificates or devices of its own.

    provision       the account artefact of the door; apply_account: make one account right
    registry        an application's settings and secret → its connector
    turns           what a plan makes of a person's accounts: pure
    ldap/ | scim    the connectors; each is alone in speaking its protocol
    mapping         person + assignment → what an account should say; LDAP entries
    scim_mapping    the same for SCIM Users
    logout          delivers logout tokens
    pki/            profiles, authority, CRL, OCSP, trust
    contract        the Connector protocol and the values that cross it
    outbound        the one client for outward HTTP: pinned, timed and capped
    addresses       which addresses may be called
    errors          Transient, Rejected, Misconfigured: three kinds of failure, nobody swallows

An arrow only ever points down this list; connectors do not know each other, and nothing here
knows Flask. Remote calls never happen inside a database transaction.
"""
