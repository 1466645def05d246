"""``make story``: one transfer, from the first sign-in to the proof, against the running demo.

    python -m examples.demo.story [--seed N] [--base URL] [--credentials FILE]

Everything is asked over public protocols only, by whoever would ask it in life: the official by VNeID of
level 2 and the HR officer by password and code, each with a browser (cookies and forms), the personnel
system with the changes API, the applications over their own SCIM interface, a stranger with
``openssl``. Each step says what was expected, what was observed and how long it took; the first thing
that is not so ends the story.

    __main__.py    START HERE: options, the seven acts in order
    before.py      acts 1-3: the directory, one sign-in for two applications, a certificate
    decision.py    act 4: three previews that agree, a stale one, the commit
    after.py       act 5: what is dead at once, what was pushed
    proof.py       acts 6-7: the proof held against what was seen; the new post
    scene.py       who takes part, and what has been seen so far
    telling.py     saying it: steps, checks, latencies, and NotSo
    factors.py     how they sign in: VNeID, password, code; and what must not be enough
    browser.py     a browser: cookies, forms, redirects one by one
    relying.py     the plain relying party: authorization code with PKCE, tokens, introspection
    hr_system.py   the personnel system: the changes API, and the command line
    app_side.py    the applications' own side: SCIM, what they received
    openssl.py     certificates as a stranger checks them
"""
