"""Everything a browser or a relying party sees. Flask and Authlib live here and nowhere below.

cli             dinhdanh …
app | worker    the two composition roots: web and jobs
performing      one claimed job, done to whatever end it comes to
wiring          Services: settings, clock, database, keyring, door, outward client
console/ portal/ api pki      pages for HR and administrators; for everyone; changes API; CRL, OCSP
changes         from an edge to the door: the path console, API and command line share
oidc/           clients, grants, tokens, claims, endpoints, logout
login/          policy and flow (pure), views
sessions        server-side sessions; one SELECT resolves one
factors/ throttle
keys i18n security
"""
