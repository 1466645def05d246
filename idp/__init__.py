"""Everything a browser or a relying party sees. Flask and Authlib live here and nowhere below.

cli commands/   dinhdanh …
server          serving: granian for the web, a worker beside it
app | worker    the two composition roots: web and jobs
performing      one claimed job, done to whatever end it comes to
away            what whoever asks is told while the database is away
console/ portal/ api/ health  pages for HR and administrators; for everyone; changes API; metrics
housekeeping    what must be done now and then
installation    what an installation needs besides its tables
restoring       after a backup was put back; shipped_log: the audit trail as JSON lines
anchor          the audit trail's checkpoints outside the database
changes         from an edge to the door: the path console, API and command line share
migrate         the schema, on SQLite and PostgreSQL
wiring          how Services are made, and which cutters the door has
oidc/           clients, grants, tokens, claims, endpoints, logout
login/          policy and flow (pure), views
unwritten       a form that came when its sender had to sign in again: nothing of it is lost
form_keys       a form sent twice acts once; what is shown once survives a reload
pages page_policy pki         what every page shares; what it may load; lists, OCSP
security        what every request goes through
sessions/       server-side sessions; one SELECT resolves one
factors/        what a person proves herself with
connections     which open connections are silent, idle or too slow; gate: how many requests
services        settings, clock, database, keyring, door, outward client: what everything is given
throttle keys handles         guessing slowed down; signing keys; values under a MAC
i18n logs terminal supervisor two languages; the log; terminals of any encoding; child processes
"""
