"""Everything a browser or a relying party sees. Flask and Authlib live here and nowhere below.

    commands/       dinhdanh …
    run/            the processes and what is made once for each of them
    console/        pages of HR and administrators
    portal/         everybody's own pages
    api/            the changes API; what the authority publishes
    trail/          the audit trail outside the database; a backup put back
    approving       from an edge to a second person's approval, for the same three
    edge            from an edge to the door: the path console, API and command line share
    oidc/           the OpenID Provider: clients, grants, tokens, claims, endpoints, logout
    login/          what a sign-in still needs, and the pages that ask for it
    web/            what every page stands on
    sessions/       server-side sessions; one SELECT resolves one
    factors/        what a person proves herself with; guessing slowed down
    demands         what is asked of whom, where and by which rule
    assurance       how strong factors are together, and whether that is enough
    services        settings, clock, database, keyring, door, outward client: what all are given

An arrow only ever points down this list.
"""
