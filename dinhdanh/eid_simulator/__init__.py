"""A simulator of upstream e-identification providers: for development, demonstrations and tests.

It is not VNeID and knows nothing official. It speaks three profiles with real cryptography, plays
people who do not exist, and misbehaves on request. It stands alone: nothing else of this product
is imported, and any team that integrates such a provider may use it.

    command         ``dinhdanh eid-simulator``; __main__ is ``python -m dinhdanh.eid_simulator``
    running         a simulator in a thread of one's own process (``simulate``); ports and sockets
    application     the WSGI application: addresses, and what leaves them
    control         what tests ask for: the next sign-in, faults for everybody, clients
    control_calls   the same over HTTP
    leaving         how answers leave: whole, reset, cut off
    pages           pages for people, in two languages, labelled as a simulation
    certainty       how sure each simulated detail is, as data
    providers/      the three profiles
    simulation      what they share: people, clients, keys, what is going on
    faults/         what can go wrong, as data with the deed beside it
    artefacts       callback, id_token and answer before they leave
    sign_ins        one sign-in from request to token, and the memory of all
    envelopes       AES-ECB and RSA PKCS#1 v1.5 of the 2026 profile
    clients         relying parties
    kept            keys that outlive a process, where somebody wants that
    jose            keys that sign, and compact signatures, right and wrong
    people          those who are built in, and those of a file
    clock, words    the time; sentences in two languages

docs/eid-simulator.md says how to run it and how to integrate against it.
"""
