"""The composition roots and the processes: what is made once, and what runs.

    server          serving: granian for the web, a worker beside it
    app | worker    the two composition roots: web and jobs
    performing      one claimed job, done to whatever end it comes to
    health          metrics and readiness
    housekeeping    what must be done now and then
    installation    what an installation needs besides its tables
    migrate         makes and changes the schema, on SQLite and PostgreSQL
    wiring          how Services are made, and which cutters the door has
    connections     which open connections are silent, idle or too slow
    schema          which schema is there, and whether this release can serve it
    listening       what wakes the worker
    admission       how many requests are in work, and who goes before them
    supervisor      child processes
    logs            the log

An arrow only ever points down this list.
"""
