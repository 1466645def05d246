"""The OpenID Provider: Authlib's machinery over one grant row per authorization.

    routes/                     the endpoints that Flask answers, nothing but routes
    endpoints/                  those that are answered before it: functions of a request
    discovery frontchannel logout userinfo
    bearer                      what is presented at our own endpoints
    protected_resource          what our own API says about itself
    jobs                        how a cut is pushed and proven
    answering                   the authorization endpoint and pushed requests: checked, answered
    server                      Authlib's server with its unsafe defaults closed, in one place
    order                       what each endpoint checks, from first to last: one table
    authorization/              what is checked of an authorization request, and what it is answered
    introspection revocation
    rate_limit                  how much clients that prove nothing may have us keep
    grant_types/                what each grant type consumes and gives
    cutter                      how the door cuts access
    proofs/                     how a caller proves who it is, and that a token is its own
    id_token                    what a client is told at sign-in
    entitlement                 whether her capacity earns the application
    resources                   which resource servers a token is for
    request                     one request, and what it takes to answer it
    live_grants                 grants as the door and sign-out see them
    naming                      what a request names, before it is believed
    tokens                      access tokens made, opened, and whether they are good now
    active                      a token that is good now
    asking                      who asks, and what the request names: one statement
    grants                      the grant row: issued, living, consumed, revoked
    clients/                    who may ask, and for what
    claims/                     what is told about a person
    connection                  where a request was sent to, and the proofs that came beside it
    opaque_tokens               codes and tokens that are stored nowhere (MACs)
    known_keys                  what we sign with, as a process knows it
    signing_keys                the table of our keys: made, rotated, withdrawn

An arrow only ever points down this list.

Kill the grant and its code, refresh and access tokens die together. What may be used once is
consumed by one UPDATE … WHERE unused RETURNING before anything is issued.
"""
