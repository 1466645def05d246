"""The outside world: everything that keeps accounts, certificates or devices of its own.

    provision       the account artefact of the door; apply_account: make one account right
    withholding     what is not given before a restored installation is confirmed
    matching        whom the rules of an application match, in SQL
    proving         whether an account really is as wanted: whose, right, control, thief
    registry        an application's settings and secret → its connector
    turns           what a plan makes of a person's accounts: pure
    ldap/ | scim    the connectors; each is alone in speaking its protocol
    mapping         person + assignment → what an account should say; LDAP entries
    scim_search     finds the one account at a service that may filter or only seem to
    scim_mapping    the same for SCIM Users
    scim_wire       questions and answers of SCIM over HTTP
    logout          delivers logout tokens
    pki/            profiles, authority, CRL, OCSP, trust
    contract        the Connector protocol and the values that cross it
    tools           what work on the outside is given
    outbound        the one client for outward HTTP: pinned, timed and capped
    addresses       which addresses may be called
    answers         what comes back, read within bounds
    deadline        how long a job may take in all
    errors          Transient, Rejected, Misconfigured: three kinds of failure, nobody swallows

An arrow only ever points down this list; connectors do not know each other, and nothing here
knows Flask. Remote calls never happen inside a database transaction.
"""
