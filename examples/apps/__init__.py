"""Two demonstration applications that sign people in with Dinhdanh and receive accounts from it.

They are small on purpose: read them as an application owner who has a week to integrate.

    python -m examples.apps CONFIG.json

    relying_party.py   START HERE. create_app(); sign in, callback, sign out (OpenID Connect)
    provider.py        the OpenID Provider seen from here: discovery, keys, tokens (Authlib)
    sessions.py        who is signed in: rows in our own database, never tokens in the browser
    backchannel.py     the provider says "she is gone": validate the logout token, end sessions
    accounts.py        who may work here: accounts pushed by SCIM 2.0, in our own database
    scim.py            the bearer-protected endpoint /scim/v2 over accounts.py
    probes.py          /whoami, /userinfo-check, /refresh, /activity: see from outside what happened
    database.py        one SQLite file: tables, transactions, the activity list
    profiles.py        what differs between the two applications: title, roles, sample work
    settings.py        the configuration file
    texts.py           Vietnamese is in the pages; this is the English beside it

Signing in says *who she is*; the account says *what she may do here*. Neither replaces the other:
a person without an account is greeted by name and can do nothing.
"""
