"""How a caller proves who it is, and that a token is its own.

authentication  one client, by the one method it has registered
assertion       private_key_jwt and client_secret_jwt (RFC 7523)
mtls            certificates seen at the TLS edge (RFC 8705, header of RFC 9440)
dpop            proofs of possession, their nonces (RFC 9449)
possession      the key that tokens belong to, by either of these
"""
