"""What the distribution offers to others' code.

    testing        a throw-away provider for an application's own tests (a pytest plugin)
    browser        a person and her browser, who signs in where she is asked to
    eid_simulator  simulated providers of electronic identity, for anybody who integrates one
    ports          ports that nobody else takes for as long as a test needs them

The product itself lives in ``directory``, ``connectors`` and ``idp``.
"""
