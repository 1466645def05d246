"""Servers that ask people for certificates, set up as their documentation says, and a person's browser.

The configurations are kept in ``cases/pki`` as an administrator wrote them; only their ports and
paths are put in place here. What they check with is what the authority publishes: the addresses
in the certificates and the files under ``/pki``, nothing from inside.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.conftest import missing
from tests.crash.installation import wait_for
from tests.interop.tls import Authority

CASES = Path(__file__).parent / "cases" / "pki"
OURS = 9300
"""The port the configurations know us by."""
NGINX = {
    9310: "nginx without revocation",
    9311: "nginx ssl_crl",
    9312: "nginx ssl_ocsp leaf",
    9313: "nginx ssl_ocsp leaf with ssl_ocsp_cache",
    9314: "nginx ssl_ocsp on",
}
APACHE = {
    9320: "Apache SSLCARevocationCheck chain",
    9321: "Apache SSLCARevocationCheck leaf",
    9322: "Apache SSLOCSPEnable on",
    9323: "Apache SSLOCSPEnable leaf, with a responder certificate",
}
HAPROXY = {9330: "HAProxy crl-file"}
CHECKERS = {name: port for known in (NGINX, APACHE, HAPROXY) for port, name in known.items()}
CACHED = NGINX[9313]
BLIND = NGINX[9310]
"""Asks nobody: shown to accept what the others refuse."""


def addresses(certificate: x509.Certificate) -> dict[str, list[str]]:
    """The addresses a certificate tells of: ``crl``, ``ocsp``, ``issuer``."""
    found: dict[str, list[str]] = {"crl": [], "ocsp": [], "issuer": []}
    with contextlib.suppress(x509.ExtensionNotFound):
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        found["crl"] = [n.value for p in points for n in p.full_name or ()]
    with contextlib.suppress(x509.ExtensionNotFound):
        for access in certificate.extensions.get_extension_for_class(
            x509.AuthorityInformationAccess
        ).value:
            kind = (
                "ocsp" if access.access_method == AuthorityInformationAccessOID.OCSP else "issuer"
            )
            found[kind].append(access.access_location.value)
    return found


@dataclass
class Folder:
    """What an administrator has beside her configuration."""

    path: Path
    issuer: str
    leaf: x509.Certificate
    ports: dict[int, int] = field(default_factory=dict)

    @property
    def trust(self) -> list[x509.Certificate]:
        """The authorities, as published."""
        return x509.load_pem_x509_certificates((self.path / "trust.pem").read_bytes())

    def fetch(self) -> None:
        """Bring the trusted certificates and the lists: those their certificates name."""
        answer = httpx2.get(f"{self.issuer}/pki/ca.pem")
        answer.raise_for_status()
        (self.path / "trust.pem").write_bytes(answer.content)
        issuing = self.trust[0]
        (self.path / "issuing.pem").write_bytes(issuing.public_bytes(Encoding.PEM))
        lists = []
        for certificate in (self.leaf, issuing):
            urls = addresses(certificate)["crl"]
            assert urls, f"{certificate.subject.rfc4514_string()} names no list"
            got = httpx2.get(urls[0])
            got.raise_for_status()
            assert got.headers["Content-Type"] == "application/pkix-crl"
            lists.append(x509.load_der_x509_crl(got.content).public_bytes(Encoding.PEM))
        (self.path / "crl.pem").write_bytes(b"".join(lists))

    def configuration(self, name: str) -> str:
        """A case, with this folder's paths and ports."""
        text = (CASES / name).read_text("utf-8")
        for known, here in sorted(self.ports.items()):
            text = text.replace(f":{known}", f":{here}")
        return text.replace("./pki", str(self.path))


@contextlib.contextmanager
def laid_out(issuer: str, port: int, leaf: x509.Certificate, ports: list[int]) -> Iterator[Folder]:
    """A folder that servers which give up root can read, with their own certificate in it."""
    path = Path(tempfile.mkdtemp(prefix="dinhdanh-relying."))
    path.chmod(0o755)
    (path / "srv" / "run").mkdir(parents=True)
    (path / "srv" / "run" / "index.html").write_text("apache ok\n")
    own = Authority.of_itself("Máy chủ thử").server("localhost")
    (path / "srv.pem").write_text(own.pem)
    (path / "srv.key").write_text(own.key_pem)
    (path / "srv" / "ha.pem").write_text(own.pem + own.key_pem)
    known = [OURS, *CHECKERS.values()]
    folder = Folder(path, issuer, leaf, dict(zip(known, [port, *ports], strict=True)))
    try:
        folder.fetch()
        yield folder
    finally:
        shutil.rmtree(path, ignore_errors=True)


def require(*programs: str) -> None:
    """Skip, or fail under CI, where one of these programs is not installed."""
    for program in programs:
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
            missing(program)


@contextlib.contextmanager
def running(folder: Folder) -> Iterator[None]:
    """All three servers with every configuration, serving until the end of the block."""
    require("nginx", "apache2", "haproxy")
    root = os.geteuid() == 0
    files = {name: folder.path / name for name in ("nginx.conf", "apache.conf", "haproxy.cfg")}
    for name, file in files.items():
        file.write_text(folder.configuration(name), "utf-8")
    if root:  # Apache gives up root only to somebody who is named
        with files["apache.conf"].open("a") as more:
            more.write("User www-data\nGroup www-data\n")
    commands = [
        ["nginx", "-p", str(folder.path), "-c", str(files["nginx.conf"]), "-g", "daemon off;"],
        ["apache2", "-f", str(files["apache.conf"]), "-DFOREGROUND"],
        ["haproxy", "-db", "-f", str(files["haproxy.cfg"])],
    ]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder.path / f"{command[0]}.out").open("wb"))
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder.path, env=os.environ | {"PATH": path}
            )
            stack.callback(_stopped, process)
        for port in CHECKERS.values():
            wait_for(f"port {port}", lambda p=folder.ports[port]: _listens(p))
        yield


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def logs(folder: Folder) -> str:
    """What the servers complained of."""
    said = [*folder.path.glob("*.out"), *folder.path.glob("srv/*.log")]
    return "\n".join(f"== {f.name}\n{f.read_text('utf-8', errors='replace')[-3000:]}" for f in said)


@dataclass(frozen=True)
class Credential:
    """A person's certificate with its chain, and her key."""

    key: ec.EllipticCurvePrivateKey
    chain: str

    @property
    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.chain.encode())[0]

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def accepts(folder: Folder, name: str, shown: Credential) -> bool:
    """Whether a server lets the person in who shows her certificate in a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    file = folder.path / "person.pem"
    file.write_text(shown.chain + shown.key_pem)
    context.load_cert_chain(file)
    port = folder.ports[CHECKERS[name]]
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
        return False
    finally:
        connection.close()
