"""Who is who, where, since when. No Flask, no HTTP, no LDAP.

    changes/        the door: plan → preview → commit → proof → undo
    feeds           rows of a personnel system → correlation → plans
    search          finding people, by what a delegated administrator may see
    tree            units as pages show them: on any day, within reach, with counts
    permissions     delegated administration: may(actor, action, unit)
    access          whether something issued to a person is still good, decided at use
    entitlements    applications, rules, account links; desired_accounts is pure
    assignments     positions, posts and who fills them, in time
    eid_links       a person's electronic identities at others
    people          the natural persons, their identifiers, epochs and dated cuts
    units           the organisational tree in time
    base/           clock, errors, config, crypto, db, audit, outbox; knows nothing of the domain

An arrow only ever points down this list.
"""
