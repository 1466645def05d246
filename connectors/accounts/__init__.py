"""A person's account at an application: what it should be, what it is, made the same, proven.

    apply           the account cutter of the door; apply_account: make one account right
    handed_back     work by hand at applications that have another connector by now
    orphans         accounts at a target that belong to nobody in the directory
    withholding     what is not given before a restored installation is confirmed
    listing         every account of a target, page by page and within bounds
    matching        whom the rules of an application match, in SQL
    proving         whether an account really is as wanted: whose, right, control, thief
    registry        an application's settings and secret → its connector
    ldap/ | scim/ | manual   the connectors; each is alone in speaking its protocol
    work_items      what people are to do by hand, and their word that it is done
    mapping         person + assignment → what an account should say; LDAP entries
    contract        the Connector protocol and the values that cross it
    account_changes what a plan makes of a person's accounts: pure

An arrow only ever points down this list; connectors do not know each other.
"""
