"""What the distribution offers to others' code.

    testing     a throw-away provider for an application's own tests (a pytest plugin)

The product itself lives in ``directory``, ``connectors`` and ``idp``.
"""
