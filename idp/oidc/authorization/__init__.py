"""An authorization request: what is checked of it (in the order of ``order``), decided, answered.

authorize       what is needed of a person, and what comes of it
arriving        who sends it and who is signed in: one statement
incoming        who sends it, and which parameters count
parameters      what can be judged without a person
response_types  which response types and scopes a client may ask for
pushing         what is looked at where requests are pushed
checked_request one request, and what its checks have found out
outcomes        what may come of it
pushed          pushed requests (RFC 9126), kept
request_object  signed requests (RFC 9101)
answers         the channel an answer takes: query, fragment, form_post, JARM
giving          one grant row, while what it rests on stands, and what its response type names
device          what a person is shown of a device that waits (RFC 8628), and her answer
test_sign_in    a sign-in tried by the application's owner, answered at our console
consent         what a person has allowed a client
page_error      what is told on a page, because no address can be trusted with it
"""
