"""What can go wrong, as data with the deed beside it.

    registry        every fault by its code
    published       wrong discovery documents and key sets, rotated keys
    transport       slow, gone, cut off, garbage
    envelopes       encryption of the 2026 profile: wrong keys, padding, base64
    identity        the person: number, level, name, birth date, subject
    id_tokens       signatures, algorithms, issuer, audience, nonce, times, hashes
    answers         what the token and userinfo endpoints say
    callbacks       state, code and errors on the way back; an outage
    fault           what a fault is

A fault says in which profiles it can happen, what it does, and what a correct relying party
makes of it. Its deed changes one thing (``fault.Stage``) at the moment that thing is made.
"""
