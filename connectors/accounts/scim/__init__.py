"""Targets that speak SCIM 2.0 (RFC 7643, 7644), which only this package speaks.

connector       find, create, mend, disable
search          finds the one account at a service that may filter or only seem to
mapping         person + assignment → a SCIM User
wire            questions and answers over HTTP
"""
