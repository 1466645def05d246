"""What the distribution offers to others' code.

    testing     a throw-away provider for an application's own tests (a pytest plugin)
    browser     a person and her browser, who signs in where she is asked to

The product itself lives in ``directory``, ``connectors`` and ``idp``.
"""
