"""The endpoints that are asked a million times a day: functions of one request, answered by the front
door before Flask.

    table           which path is which function; one row is one endpoint
    authorization   /oauth2/authorize
    calls           /oauth2/token, introspect, revoke, userinfo, par, device_authorization
    headers         CORS and caching of what programs call
    reading         a request as our checks and grants see it
"""
