"""The console: HR officers, application owners, auditors and administrators at work.

    views                   the blueprint, the start page; takes in the views_* below
    views_people            search, person page, CSV, activation slips
    views_units             the tree on any day, a unit
    views_changes           form → preview → confirm → proof; lists; undo
    views_applications      applications, rules, clients
    views_operations        jobs, audit
    pages_*                 what those pages ask of the database, a session in, plain values out
    guard                   who may enter, how long, and the password asked again
    forms                   what people type → the body of the changes API
    timeline                a person's assignments as SVG
    labels                  codes in the words of docs/vocabulary.md

Views hold no queries and no rules: they read a form, ask a page module or ``idp.changes``, and
render. What may be seen or done is decided by ``directory.permissions``.
"""
