"""Certificates: our own authority, what it signed, and whether any of it may still be believed.

    jobs         publish_crl, probe_certificate: push, then look from outside as a stranger would
    cutter       the columns TRUST and CASE of the door: what an HR event does to certificates
    signers      which signer answers for which authority
    local        the local authority as a signer
    signer       the protocol: issue, revoke, status
    outside      a certificate as a stranger sees it
    presented    a certificate that somebody shows at the TLS edge: does it say anything here?
    requests     who may have a certificate, and the issue of one from the applicant's CSR
    for_servers  one for a server of the installation
    crl | ocsp   RFC 5280 lists, RFC 6960 answers
    waiting      changes that wait for their day, and certificates made meanwhile
    orders       what is ordered about a certificate: its line, its marks, its effect
    trust        is this certificate good for a sign-in, now?
    certificates the certificates of many people, read in bulk
    issued       the certificates that were issued, as pages show them
    offline_root the root's key taken away and brought back
    issuance     making one certificate: intend, sign, settle
    authority    the local CA: root and issuing authority, their keys
    foreign_lists    revocation lists of others, brought in as files
    foreign_distrust certificates of others that we do not believe
    hierarchies  authorities of others whose certificates people may sign in with
    path         what RFC 5280 asks of the certificates of others
    edge_header  a certificate as proxies write it into one header
    revocations  distrust and revocation as dated rows, evaluated at use
    naming       names, addresses, and how an OCSP request names an authority
    keys         which keys of others are acceptable; the CSR
    profiles     what goes into each kind of certificate
    tables       authority, certificate, certificate_mark, certificate_request, crl; others in their modules

An arrow only ever points down this list.

What is wanted of a certificate is written by the commit that orders it; the authority answers
from those rows at the moment it is asked (OCSP, and the CRL when it is fetched), so that a
revocation is visible before any job has run. Jobs only push the list and prove the result.
"""
