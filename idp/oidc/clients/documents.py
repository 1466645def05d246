"""A client's metadata as JSON (RFC 7591 §2, OIDC Registration §2): read, and told.

Reading is strict about form: each member once and of its type; ``null`` and empty text count as
left out (RFC 7592 §2.2). What we do not know is ignored, and so is everything an installation
alone decides, whatever name it is sent under. What we know and do not do is refused by name:
nobody should believe that her ID tokens are encrypted when they are not.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from directory.base import jws, strict_json
from directory.base.config import Settings
from directory.base.errors import InvalidInput
from directory.base.storable import is_text
from idp.oidc.clients import sorts
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.fields import By, Field
from idp.oidc.clients.kinds import BY_SECRET, IDENTITY_SCOPES, AuthMethod, GrantType, ResponseType
from idp.oidc.clients.sorts import wrong

LARGEST = 64 * 1024
"""Bytes of a document."""
T = TypeVar("T")
_ENCRYPTION = (
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
)


class Document:
    """A client's metadata as it was sent."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = {name: v for name, v in values.items() if v is not None and v != ""}

    def text(self, name: str) -> str | None:
        """A text. Raises InvalidInput for another type."""
        return sorts.TEXT.read(name, self.values[name]) if name in self.values else None

    def value(self, field: Field[T]) -> T | None:
        """The value of a field; None where it is left out. Raises InvalidInput for another sort."""
        name = field.registered
        return field.sort.read(name, self.values[name]) if name in self.values else None


def parse(body: bytes) -> Document:
    """One JSON object in UTF-8, each of its members once. Raises InvalidInput."""
    try:
        found = strict_json.read(body)
    except strict_json.Unreadable as exc:
        raise wrong("body", "Nội dung phải là một đối tượng JSON, mỗi trường một lần.") from exc
    if not all(is_text(text) for text in _texts(found)):
        raise wrong("body", "Nội dung có ký tự không hợp lệ.")
    return Document(found)


def wanted(document: Document, settings: Settings) -> Registration:
    """What a client that registers itself asks for. Raises InvalidInput naming the field.

    It is never first party, never a resource server, and may ask for nothing but what people
    may consent to.
    """
    _require_understood(document)
    own = [each for each in Registration.every_field().values() if each.by is By.ITSELF]
    said = {each.name: value for each in own if (value := document.value(each)) is not None}
    # Specifications call false what is left out, also where we do otherwise.
    flags = {each.name: False for each in own if each.sort is sorts.FLAG}
    wanted = Registration().saying(flags | said)
    _require_certificates(wanted, settings)
    grant_types, response_types = _together(document, settings)
    return wanted.saying(
        {
            "name": wanted.name or _name(wanted.redirect_uris),
            "grant_types": grant_types,
            "response_types": response_types,
            "scopes": _scopes(document, grant_types),
            # OIDC Core asks no PKCE of clients that keep a secret, and those who register
            # themselves were written for any provider; whoever keeps none must use it.
            "require_pkce": wanted.auth_method is AuthMethod.NONE,
            # Who names a method means that one; who does not was written for any provider.
            "pin_auth_method": "auth_method" in said,
            "localized": _localized(document),
        }
    )


def told(client: Client) -> dict[str, Any]:
    """All metadata that is registered about a client (RFC 7591 §3.2.1)."""
    registered = Registration.of(client)
    said: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        **{e.registered: e.sort.json(value) for e, value in registered.every() if e.is_told(value)},
    }
    said |= said.pop("localized", {})
    if registered.backchannel_logout_uri is None:
        del said["backchannel_logout_session_required"]
    if client.auth_method in BY_SECRET:
        said["client_secret_expires_at"] = 0
    return said


def whole(client: Client) -> dict[str, Any]:
    """What is told, and what only we decide."""
    registered = Registration.of(client)
    ours = {e.name: e.sort.json(value) for e, value in registered.every() if e.by < By.ITSELF}
    return told(client) | ours


# ---- reading ---------------------------------------------------------------------------------


def _texts(found: Any) -> Iterator[str]:
    """Every text in a JSON value, names of members too, however deep it is."""
    ahead = [found]
    while ahead:
        value = ahead.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            ahead.extend(value)
        elif isinstance(value, dict):
            ahead.extend((*value, *value.values()))


def _require_understood(document: Document) -> None:
    """Raises InvalidInput for what we know and do not do."""
    for name in _ENCRYPTION:
        if name in document.values:
            raise wrong(name, "Không hỗ trợ mã hóa.")
    statement = document.text("software_statement")
    if statement is None:
        return
    try:
        jws.read(statement, algorithms=jws.ASYMMETRIC)
    except jws.Untrusted as exc:
        raise InvalidInput(
            "invalid_software_statement",
            "Bản khai phần mềm không hợp lệ.",
            field="software_statement",
        ) from exc
    raise InvalidInput(
        "unapproved_software_statement",
        "Hệ thống không công nhận bản khai phần mềm nào.",
        field="software_statement",
    )


def methods(settings: Settings) -> list[AuthMethod]:
    """How clients may prove who they are: by certificates only where we are told of them, and by
    a certificate's subject only where somebody's signature stands for it.
    """
    certificates = settings.client_certificates
    there = {
        AuthMethod.SELF_SIGNED_TLS: certificates,
        AuthMethod.TLS: certificates and settings.client_certificate_ca_file is not None,
    }
    return [method for method in AuthMethod if there.get(method, True)]


def _require_certificates(wanted: Registration, settings: Settings) -> None:
    """Raises InvalidInput where certificates are wanted and nobody tells us of any."""
    if wanted.auth_method not in methods(settings):
        raise wrong("token_endpoint_auth_method", "Hệ thống không nhận chứng thư TLS.")
    bound = wanted.options.tls_client_certificate_bound_access_tokens
    if bound and not settings.client_certificates:
        raise wrong(
            "tls_client_certificate_bound_access_tokens", "Hệ thống không nhận chứng thư TLS."
        )


def _together(
    document: Document, settings: Settings
) -> tuple[tuple[GrantType, ...], tuple[ResponseType, ...]]:
    """Grant types and response types, what is left out chosen so that the two fit (OIDC
    Registration §2). Raises InvalidInput when they do not.
    """
    grants = document.value(Registration.grant_types)
    types = document.value(Registration.response_types)
    if {*(types or ())} - {*settings.response_types}:
        raise wrong("response_types", "Giá trị không được hỗ trợ.")
    if types is None:
        types = (ResponseType.CODE,) if grants is None or GrantType.CODE in grants else ()
    words = frozenset(word for each in types for word in each.words)
    needed = {
        GrantType.CODE: "code" in words,
        GrantType.IMPLICIT: bool(words & {"id_token", "token"}),
    }
    if grants is None:
        grants = tuple(grant for grant, need in needed.items() if need)
    for grant, need in needed.items():
        if need != (grant in grants):
            raise wrong("grant_types", "grant_types và response_types không khớp nhau.")
    return grants, types


def _scopes(document: Document, grant_types: tuple[GrantType, ...]) -> tuple[str, ...]:
    """Of the scopes asked for those about a person; all of them when none is named."""
    said = document.text("scope")
    asked = set(IDENTITY_SCOPES) if said is None else set(said.split())
    if GrantType.REFRESH not in grant_types:
        asked.discard("offline_access")
    found = tuple(scope for scope in IDENTITY_SCOPES if scope in asked)
    about_people = {GrantType.CODE, GrantType.IMPLICIT, GrantType.DEVICE} & {*grant_types}
    if about_people and not found:
        raise wrong("scopes", "Có phạm vi không được hỗ trợ.")
    return found


def _localized(document: Document) -> dict[str, str]:
    known = Registration.localizable()
    tagged = [name for name in document.values if "#" in name and name.partition("#")[0] in known]
    return {name: document.text(name) or "" for name in tagged}


def _name(redirect_uris: tuple[str, ...]) -> str:
    """What people are shown of a client that has not said its name: where they will be taken."""
    try:
        host = urlsplit(redirect_uris[0]).hostname if redirect_uris else None
    except ValueError:
        host = None
    return host or "OAuth 2.0 client"
