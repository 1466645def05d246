"""What a person proves herself with. One module per factor, each with its own table.

registry        the factors there are: a new one is one line
factor          Proven, Asking, Form, Answer; the protocol of a factor
by_password     the password as a factor; the password asked again
by_totp         codes of an app on her phone: sign-in, and how one is enrolled
by_recovery_code  ten codes on a sheet of paper, each good once
by_envelope     a sealed envelope, for the administrator who has no other way left
envelopes       their table: how one is made, and what voids it
enrolled        what people have enrolled: one row each, whichever factor it belongs to
second_factors  what somebody has beside her password, and who may enrol the first such thing
disowning       a sign-in was not hers: what ends, so that whoever it was is no nearer
resetting       an officer ends all of it, and the password with it
by_passkey      keys of her devices: signed for this page, and for no other
passkey_ceremony  what a browser is asked for, and what it answers (WebAuthn)
by_certificate  a certificate on a USB token, known by its key
certificate_visit  the host where it is shown, and what is brought back from there
certificate_cutter  what a change does to certificates of others
passkey_site    where passkeys are good: the RP ID
enrolled_keys   of those, the keys: found by their own name, counting for themselves
paper_code      16 digits with a check digit, as paper codes are printed and typed
by_eid          an electronic identity (VNeID), vouched for at another address
qr_code         a text as a picture
guarded         the one check of what can be guessed
passwords       one form, hashes, strength, forced change
slips           activation slips: how a password comes about, and what voids them
slip_rows       their table, and how a person stands
slip_rights     who may give whom one: alone, with a second person, not at all
slip_approval   what the second person agrees to, and what follows from it
apart           what one officer does not do to one person within a day
slip_use        what somebody does with one in her hand
slip_cutter     what a change does to them
throttle        guessing slowed down: places taken, outcomes counted, locks
visits          those to other addresses that lead to no sign-in, bounded
limits          what is counted, how far it goes, and who waits; pure
counts          the counters: their table and its statements
known_browser   a browser shows who has signed in there
"""
