"""The OpenID Provider: Authlib's machinery over one grant row per authorization.

    endpoints                routes only
    authorize                the checks of an authorization request, in order
    token                    what a token answer holds; code | refresh | client_credentials
    introspection userinfo revocation logout discovery bearer
    server                   Authlib's server with its unsafe defaults closed, in one place
    authentication           one client, one way to authenticate
    claims entitlement consent
    artefact jobs            how the door cuts access, how the cut is pushed and proven
    grants                   the grant row: issued, living, consumed, revoked
    handles                  codes and tokens that are stored nowhere (MACs), and our JWTs
    client_view clients redirects    a client as a request sees it; registered ones; URI rules
    request                  parameters, once each
    tokens                   access tokens made, opened, and whether they are good now

Kill the grant and its code, refresh and access tokens die together. What may be used once is
consumed by one UPDATE … WHERE unused RETURNING before anything is issued.
"""
