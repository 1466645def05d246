"""What each grant type checks, consumes and gives: functions of a ``Call``. In which order the
checks are made says ``order``, where Authlib is told of it ``server``.

issuing             what a token answer holds, for every grant
code                RFC 6749 §4.1 with PKCE (RFC 7636)
refresh             RFC 6749 §6: rotation, reuse
client_credentials  RFC 6749 §4.4
device              RFC 8628
exchange            RFC 8693, downscoping
"""
