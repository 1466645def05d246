"""What may be registered, field by field (RFC 7591 §2, OIDC Registration §2)."""

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from directory.base.errors import InvalidInput
from directory.entitlements import Application
from idp.keys import ALGORITHMS
from idp.oidc.clients import redirects
from idp.oidc.clients.kinds import SCOPES, AuthMethod, GrantType, Kind, ResponseType

if TYPE_CHECKING:
    from idp.oidc.clients.rows import Registration


def checked(session: Session, wanted: "Registration") -> dict[str, Any]:
    """The columns of the client's row. Raises InvalidInput naming the field."""
    name = wanted.name.strip()
    _require(0 < len(name) <= 200, "name", "Tên ứng dụng dài từ 1 đến 200 ký tự.")
    native = wanted.kind is Kind.NATIVE
    by_browser = GrantType.CODE in wanted.grant_types
    _require(bool(wanted.grant_types), "grant_types", "Cần ít nhất một kiểu cấp quyền.")
    _require(
        by_browser or GrantType.REFRESH not in wanted.grant_types,
        "grant_types",
        "Kiểu refresh_token phải đi cùng authorization_code.",
    )
    # RFC 6749 §4.4: only confidential clients act on their own account.
    _require(
        wanted.auth_method is not AuthMethod.NONE or GrantType.CLIENT not in wanted.grant_types,
        "auth_method",
        "Ứng dụng công khai không được dùng client_credentials.",
    )
    _require(
        bool(wanted.redirect_uris) == by_browser,
        "redirect_uris",
        "Địa chỉ chuyển về là bắt buộc với authorization_code và chỉ dùng với kiểu đó.",
    )
    default = (ResponseType.CODE,) if GrantType.CODE in wanted.grant_types else ()
    response_types = default if wanted.response_types is None else wanted.response_types
    unknown = set(wanted.scopes) - set(SCOPES)
    _require(not unknown, "scopes", "Có phạm vi không được hỗ trợ.")
    _require(wanted.id_token_alg in ALGORITHMS, "id_token_alg", "Thuật toán ký không được hỗ trợ.")
    _require(
        not (wanted.resource_server and wanted.auth_method is AuthMethod.NONE),
        "resource_server",
        "Máy chủ tài nguyên phải có mật khẩu.",
    )
    if wanted.application_id is not None:
        _require(
            session.get(Application, wanted.application_id) is not None,
            "application_id",
            "Không có ứng dụng này.",
        )
    logout = [wanted.backchannel_logout_uri] if wanted.backchannel_logout_uri else []
    redirects.checked(logout, field="backchannel_logout_uri")
    return {
        "name": name,
        "kind": wanted.kind.value,
        "application_id": wanted.application_id,
        "auth_method": wanted.auth_method.value,
        "redirect_uris": redirects.checked(
            wanted.redirect_uris, field="redirect_uris", native=native
        ),
        "post_logout_redirect_uris": redirects.checked(
            wanted.post_logout_redirect_uris, field="post_logout_redirect_uris", native=native
        ),
        "backchannel_logout_uri": wanted.backchannel_logout_uri or None,
        "backchannel_logout_session_required": wanted.backchannel_logout_session_required,
        "grant_types": [g.value for g in wanted.grant_types],
        "response_types": [t.value for t in response_types],
        "scopes": [s for s in SCOPES if s in wanted.scopes],
        "id_token_alg": wanted.id_token_alg,
        "access_token_format": wanted.access_token_format.value,
        "subject_type": wanted.subject_type.value,
        "first_party": wanted.first_party,
        "resource_server": wanted.resource_server,
        "introspect_all": wanted.introspect_all,
        "options": wanted.options.stored,
    }


def _require(holds: bool, name: str, sentence: str) -> None:
    if not holds:
        raise InvalidInput("client_" + name, sentence, field=name)
