"""Electronic identities: upstream providers that vouch for who somebody is (VNeID and others).

    tools.outbound alone is called through; nothing here knows Flask, a page or a sign-in.

    visits          to an upstream and back: begun, come back, vouched for, left
    reviews         what upstream says otherwise than our records, until somebody has looked
    upstreams       the table of upstreams: who they are, how far they are trusted
    profiles/       how one sort of upstream is spoken to; a profile is a value in one file
    userinfo        what an upstream says of a person at its userinfo endpoint, plain or signed
    id_tokens       what an upstream has signed, checked
    documents       what an upstream publishes: its metadata and its keys
    calling         calls within bounds; their failures as refusals
    callbacks       what a browser brings back, read from the raw query
    opening         what is encrypted to us (RSA PKCS#1 v1.5, AES): one answer for every fault
    vouched         what an upstream says of a person, and how far it is believed
    settings        what is configured of an upstream
    refusals        why somebody is not let in by an electronic identity, and what to do

An arrow only ever points down this list. Everything fails closed, and nothing that is raised, logged
or audited carries a citizen number.
"""
