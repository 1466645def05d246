"""An authorization request: read, checked in order, decided and answered.

authorize       the checks, and what comes of them
outcomes        what may come of it
checked_request what can be judged without a person
response_types  which response types and scopes a client may ask for
incoming        where the parameters come from
pushed          pushed requests (RFC 9126), kept
pushing         the endpoint where they are pushed
request_object  signed requests (RFC 9101)
answers         the channel an answer takes: query, fragment, form_post, JARM
giving          one grant row, while what it rests on stands, and what its response type names
device          what a person is shown of a device that waits (RFC 8628), and her answer
test_sign_in    a sign-in tried by the application's owner, answered at our console
consent         what a person has allowed a client
page_error      what is told on a page, because no address can be trusted with it
"""
