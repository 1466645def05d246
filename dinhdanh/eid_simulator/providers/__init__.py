"""The three profiles. What differs is in their own files; what is alike in ``provider``.

table               which class plays which profile
standard            any OpenID Provider
dvcqg               the single sign-on of the national public service portal
vneid2026           VNeID directly, as seen in 2026
id_tokens           what the first two sign
provider            from an authorization request to the person's data
requests            an authorization request, read and checked
authentication      who calls: secrets and assertions of clients
signing_out         the way out, for those that have one
"""
