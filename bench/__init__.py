"""``make bench``: what one operation of the OpenID Provider costs, alone or beside another.

    __main__.py      START HERE: what is asked for on the command line
    alone.py         this tree on both databases: costs, statements, latency
    paired.py        this tree and others in alternation: ratios with their spread
    ratios.py        a ratio and its spread, from rounds
    operations.py    what is measured, as HTTP requests
    load.py          sends them and says what they cost
    http.py          a keep-alive client that costs next to nothing, and one that counts SQL
    statements.py    hears what the database is sent (the tests do so as well)
    meter.py         processor time of the server and of the database, from /proc
    installation.py  a state of this product, set up and served by its command line
    revision.py      another state of the tree, checked out for as long as it is measured
    peer.py          node-oidc-provider with the same clients and people (bench/node)
    database.py      databases of the PostgreSQL server at hand, and its processes
    report.py        results.json → docs/performance.md

Processor time is what is compared: it hardly depends on what else the machine does. Latency and
throughput are those of the machine at hand, with the load generator on it.
"""
