"""An authorization request: read, checked in order, decided and answered.

authorize       the checks, and what comes of them
pushed          pushed requests (RFC 9126)
request_object  signed requests (RFC 9101)
answers         the channel an answer takes: query, fragment, form_post, JARM
consent         what a person has allowed a client
entitlement     whether her capacity earns the application
"""
