"""Clients that show certificates (RFC 8705) through Apache's TLS, as docs/interop.md sets it up."""

import base64
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from idp.oidc.clients import AuthMethod, Options
from tests.interop import apache
from tests.interop.story import LIBRARIES, check, party, sign_in
from tests.interop.tls import Authority, Credential

pytestmark = pytest.mark.slow  # a foreign server

DOCUMENT = Path(__file__).parents[2] / "docs" / "interop.md"


@pytest.fixture(scope="module")
def edge(provider: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[apache.Apache]:
    """Apache in front of the provider's ``mtls_base``."""
    apache.require()
    found = re.search(r"```apache\n# edge\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found is not None
    directives = found[1].replace(
        "http://127.0.0.1:8000", f"http://127.0.0.1:{provider.settings.port}"
    )
    folder = tmp_path_factory.mktemp("edge")
    own = provider.authority.server("localhost")
    (folder / "certificate.pem").write_text(own.pem)
    (folder / "key.pem").write_text(own.key_pem)
    files = f"SSLCertificateFile {folder}/certificate.pem\nSSLCertificateKeyFile {folder}/key.pem\n"
    port = urlsplit(provider.settings.mtls_base).port
    with apache.running(port, files + directives) as made:
        yield made


def bound(provider: Any, method: AuthMethod) -> tuple[Credential, Any]:
    """A client that is known by its certificate, and whose tokens are bound to it."""
    if method is AuthMethod.TLS:
        shown = provider.authority.client("vanban.thanhhoa.example")
        known_by = {"tls_client_auth_san_dns": "vanban.thanhhoa.example"}
    else:
        shown = Credential.of_itself("vanban")
        public = ECKey.import_key(shown.key.public_key()).as_dict(private=False)
        known_by = {"jwks": {"keys": [{**public, "use": "sig", "alg": "ES256"}]}}
    options = Options(tls_client_certificate_bound_access_tokens=True, **known_by)
    return shown, party(provider, auth_method=method, options=options)


def config(provider: Any, shown: Credential, method: AuthMethod) -> dict[str, Any]:
    return {
        "auth": method.value,
        "tls": {"cert": shown.pem, "key": shown.key_pem, "ca": provider.authority.pem},
        "metadata": {"use_mtls_endpoint_aliases": True},
    }


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("method", [AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS])
def test_a_client_is_known_by_its_certificate(edge, provider, person, library, method):
    shown, registered = bound(provider, method)
    how = config(provider, shown, method) | {"par": True}
    found = sign_in(library, provider, person, registered, **how)
    check(found, provider, person)
    assert found["introspection"]["cnf"]["x5t#S256"]
    assert found["rotated"] is False


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_certificate_is_nobody(edge, provider, person, library):
    _, registered = bound(provider, AuthMethod.TLS)
    stranger = Authority.of_itself("Kẻ lạ").client("vanban.thanhhoa.example")
    how = config(provider, stranger, AuthMethod.TLS) | {"par": True}
    with pytest.raises(AssertionError, match="invalid_client"):
        sign_in(library, provider, person, registered, **how)


def test_the_header_is_the_edge_s_alone(edge, provider):
    shown, registered = bound(provider, AuthMethod.TLS)
    der = base64.b64encode(shown.certificate.public_bytes(Encoding.DER)).decode()
    answer = httpx2.post(
        f"{provider.settings.mtls_base}/oauth2/par",
        headers={"Client-Cert": f":{der}:"},
        data={"client_id": registered.client_id, "response_type": "code"},
        verify=ssl.create_default_context(cadata=provider.authority.pem),
    )
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
