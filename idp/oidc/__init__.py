"""The OpenID Provider: Authlib's machinery over one grant row per authorization.

    routes                      the endpoints, nothing but routes
    authorization/              a request at the authorization endpoint: read, decided, answered
    grant_types/                what each grant type consumes and gives
    clients/                    who may ask, and for what
    proofs/                     how a caller proves who it is, and that a token is its own
    server                      Authlib's server with its unsafe defaults closed, in one place
    introspection userinfo revocation logout frontchannel discovery bearer
    claims/ id_token            what is told about a person
    entitlement                 whether her capacity earns the application
    connection                  where a request was sent to, and the proofs that came beside it
    signing_keys                what tokens are signed with
    rate_limit                  how much clients that prove nothing may have us keep
    resources                   which resource servers a token is for
    protected_resource          what our own API says about itself
    cutter jobs                 how the door cuts access, how the cut is pushed and proven
    grants                      the grant row: issued, living, consumed, revoked
    live_grants                 grants as the door and sign-out see them
    tokens                      access tokens made, opened, and whether they are good now
    opaque_tokens               codes and tokens that are stored nowhere (MACs), and our JWTs
    request                     parameters, once each
    strict_json                 one JSON object, read strictly

Kill the grant and its code, refresh and access tokens die together. What may be used once is
consumed by one UPDATE … WHERE unused RETURNING before anything is issued.
"""
