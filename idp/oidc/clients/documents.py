"""A client's metadata as JSON (RFC 7591 §2, OIDC Registration §2): read, and told.

Reading is strict about form: each member once and of its type; ``null`` and empty text count as
left out (RFC 7592 §2.2). What we do not know is ignored, and so is everything an installation
alone decides, whatever name it is sent under. What we know and do not do is refused by name:
nobody should believe that her ID tokens are encrypted when they are not.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from directory.base.config import Settings
from directory.base.errors import InvalidInput
from directory.base.storable import is_text
from idp.oidc import jws, strict_json
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.kinds import (
    BY_SECRET,
    IDENTITY_SCOPES,
    AuthMethod,
    ClientKind,
    GrantType,
    Profile,
    ResponseType,
    SubjectType,
)
from idp.oidc.clients.metadata import LOCALIZED
from idp.oidc.clients.options import Options, Registration

LARGEST = 64 * 1024
"""Bytes of a document."""
LONGEST = 4000
"""Characters of one text in it."""
NAMES = {
    "name": "client_name",
    "kind": "application_type",
    "auth_method": "token_endpoint_auth_method",
    "scopes": "scope",
    "id_token_alg": "id_token_signed_response_alg",
    "profile": "fapi_profile",
}
"""Fields of ours → the names of the registries, where they differ."""
TEXTS = (
    "jwks_uri",
    "token_endpoint_auth_signing_alg",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
    "request_object_signing_alg",
    "initiate_login_uri",
    "authorization_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "sector_identifier_uri",
    "frontchannel_logout_uri",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "software_id",
    "software_version",
)
_LISTS = ("request_uris", "default_acr_values", "contacts")
_FLAGS = (
    "tls_client_certificate_bound_access_tokens",
    "dpop_bound_access_tokens",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "require_auth_time",
    "frontchannel_logout_session_required",
)
_PLAIN = (*TEXTS, *_LISTS, "jwks", "default_max_age")
CHOSEN = (*_PLAIN, *_FLAGS, "localized", "require_pkce", "pin_auth_method")
"""The options a client chooses itself; all others are the installation's to decide."""
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
E = TypeVar("E", bound=StrEnum)


class Document:
    """A client's metadata as it was sent. Each reader raises InvalidInput for another type."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = {name: v for name, v in values.items() if v is not None and v != ""}

    def text(self, name: str) -> str | None:
        """A text."""
        value = self.values.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= LONGEST):
            raise wrong(name, "Giá trị phải là một chuỗi ký tự không quá dài.")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(
            isinstance(each, str) and len(each) <= LONGEST for each in value
        ):
            raise wrong(name, "Giá trị phải là danh sách các chuỗi ký tự không quá dài.")
        return tuple(value)

    def flag(self, name: str) -> bool:
        """True or false; false when it is left out."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise wrong(name, "Giá trị phải là true hoặc false.")
        return value

    def number(self, name: str) -> int | None:
        """A whole number."""
        value = self.values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise wrong(name, "Giá trị phải là số nguyên.")
        return value

    def one_of(self, name: str, known: type[E]) -> E | None:
        """A member of a closed set."""
        value = self.text(name)
        return None if value is None else member(name, value, known)

    def some_of(self, name: str, known: type[E]) -> tuple[E, ...] | None:
        """Members of a closed set."""
        values = self.texts(name)
        return None if values is None else tuple(member(name, v, known) for v in values)


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
    method = document.one_of("token_endpoint_auth_method", AuthMethod) or AuthMethod.BASIC
    _require_certificates(document, method, settings)
    grant_types, response_types = _together(document, settings)
    redirect_uris = document.texts("redirect_uris") or ()
    chosen: dict[str, Any] = {name: document.text(name) for name in TEXTS}
    chosen |= {name: document.texts(name) or () for name in _LISTS}
    chosen |= {name: document.flag(name) for name in _FLAGS}
    return Registration(
        name=document.text("client_name") or _name(redirect_uris),
        redirect_uris=redirect_uris,
        post_logout_redirect_uris=document.texts("post_logout_redirect_uris") or (),
        backchannel_logout_uri=document.text("backchannel_logout_uri"),
        backchannel_logout_session_required=document.flag("backchannel_logout_session_required"),
        kind=document.one_of("application_type", ClientKind) or ClientKind.WEB,
        auth_method=method,
        grant_types=grant_types,
        response_types=response_types,
        scopes=_scopes(document, grant_types),
        id_token_alg=document.text("id_token_signed_response_alg"),
        subject_type=document.one_of("subject_type", SubjectType) or SubjectType.PUBLIC,
        options=Options(
            **chosen,
            jwks=document.values.get("jwks"),
            default_max_age=document.number("default_max_age"),
            profile=document.one_of("fapi_profile", Profile) or Profile.STANDARD,
            # OIDC Core asks no PKCE of clients that keep a secret, and those who register
            # themselves were written for any provider; whoever keeps none must use it.
            require_pkce=method is AuthMethod.NONE,
            # Who names a method means that one; who does not was written for any provider.
            pin_auth_method="token_endpoint_auth_method" in document.values,
            localized=_localized(document),
        ),
    )


def told(client: Client) -> dict[str, Any]:
    """All metadata that is registered about a client (RFC 7591 §3.2.1)."""
    options = Options.of(client.options)
    said: dict[str, Any] = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "application_type": client.kind,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "grant_types": client.grant_types,
        "response_types": client.response_types,
        "scope": " ".join(client.scopes),
        "token_endpoint_auth_method": client.auth_method,
        "id_token_signed_response_alg": client.id_token_alg,
        "subject_type": client.subject_type,
        **{name: getattr(options, name) for name in _FLAGS},
        **{name: value for name, value in options.stored.items() if name in _PLAIN},
        **options.localized,
    }
    if client.backchannel_logout_uri is not None:
        said["backchannel_logout_uri"] = client.backchannel_logout_uri
        said["backchannel_logout_session_required"] = client.backchannel_logout_session_required
    if options.profile.fapi:
        said["fapi_profile"] = options.profile.value
    if client.auth_method in BY_SECRET:
        said["client_secret_expires_at"] = 0
    return said


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


def _require_certificates(document: Document, method: AuthMethod, settings: Settings) -> None:
    """Raises InvalidInput where certificates are wanted and nobody tells us of any."""
    if method not in methods(settings):
        raise wrong("token_endpoint_auth_method", "Hệ thống không nhận chứng thư TLS.")
    bound = "tls_client_certificate_bound_access_tokens"
    if document.flag(bound) and not settings.client_certificates:
        raise wrong(bound, "Hệ thống không nhận chứng thư TLS.")


def _together(
    document: Document, settings: Settings
) -> tuple[tuple[GrantType, ...], tuple[ResponseType, ...]]:
    """Grant types and response types, what is left out chosen so that the two fit (OIDC
    Registration §2). Raises InvalidInput when they do not.
    """
    grants = document.some_of("grant_types", GrantType)
    said = document.texts("response_types")
    types = None if said is None else tuple(_response_type(each, settings) for each in said)
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


def _response_type(text: str, settings: Settings) -> ResponseType:
    words = text.split()
    for known in ResponseType:
        same = known.words == frozenset(words) and len(words) == len(known.words)
        if same and known.value in settings.response_types:
            return known
    raise wrong("response_types", "Giá trị không được hỗ trợ.")


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
    found = {}
    for name in document.values:
        base, mark, _ = name.partition("#")
        if mark and base in LOCALIZED:
            found[name] = document.text(name) or ""
    return found


def _name(redirect_uris: tuple[str, ...]) -> str:
    """What people are shown of a client that has not said its name: where they will be taken."""
    try:
        host = urlsplit(redirect_uris[0]).hostname if redirect_uris else None
    except ValueError:
        host = None
    return host or "OAuth 2.0 client"


def member(name: str, value: str, known: type[E]) -> E:
    """One of a closed set. Raises InvalidInput naming the field."""
    try:
        return known(value)
    except ValueError as exc:
        raise wrong(name, "Giá trị không được hỗ trợ.") from exc


def wrong(name: str, sentence: str) -> InvalidInput:
    """The refusal of one field of a registration."""
    return InvalidInput("client_" + name, sentence, field=name)
