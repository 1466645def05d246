"""What each grant type consumes and gives: functions of a ``Call``, and a class that says where in
Authlib's order they are called.

issuing             what a token answer holds, for every grant
code                RFC 6749 §4.1 with PKCE (RFC 7636)
refresh             RFC 6749 §6: rotation, reuse
client_credentials  RFC 6749 §4.4
device              RFC 8628
exchange            RFC 8693, downscoping
"""
