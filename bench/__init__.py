"""``make bench``: what one operation of the OpenID Provider costs.

    __main__.py     START HERE: both databases, every operation, results and table
    operations.py   what is measured, as HTTP requests
    http.py         a keep-alive client that costs next to nothing, and one that counts SQL
    meter.py        processor time of the server and of the database, from /proc
    report.py       results.json → docs/performance.md

Processor time is what is compared: it hardly depends on what else the machine does. Latency and
throughput are those of the machine at hand, with the load generator on it.
"""
