"""The console: HR officers, application owners, auditors and administrators at work.

    views                   the blueprint, the start page; takes in the views_* below
    views_people            search, person page, CSV, activation slips
    views_units             the tree on any day, a unit
    views_slips             activation slips for a whole unit, as one print
    views_changes           form → preview → confirm; undo
    views_proposals         what takes a second person: the list, and one to be decided
    views_identities        electronic identities that differ from our records
    views_history           what was done: one change with its proof, and the list
    views_applications      applications, their rules
    views_clients           clients: registered, edited, their secrets, a trial sign-in
    views_demands           rights, and what is asked of a sign-in where
    views_operations        jobs, logout tokens nobody has acknowledged, audit
    views_work              what is to be done by hand, and that it is done
    views_restored          after a backup was put back: the staff list is confirmed
    pages_*                 what those pages ask of the database, a session in, plain values out
    guard                   who may enter, how long, and the password asked again
    forms client_forms      what people type → the body of the changes API, a registration
    snippets                what an owner copies into her application
    timeline                a person's assignments as SVG
    entries                 who did something, and an entry of the audit trail, in words

Views hold no queries and no rules: they read a form, ask a page module or ``idp.edge``, and
render. What may be seen or done is decided by ``directory.permissions``.
"""
