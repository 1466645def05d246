"""The fields of a client's metadata that are columns of its row; see ``options``.

A further field needs no column: it belongs into ``options``, unless SQL asks for it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from idp.oidc.clients import applies, checks, sorts
from idp.oidc.clients.fields import OIDC, OURS, RFC7591, By, Field, InConsole, Option, Values
from idp.oidc.clients.kinds import (
    FAPI,
    SCOPES,
    AuthMethod,
    ClientKind,
    GrantType,
    Profile,
    ResponseType,
    SubjectType,
    TokenFormat,
)
from idp.oidc.clients.options import Options
from idp.oidc.signing_keys import ALGORITHMS

LOGOUT = "OpenID Connect RP-Initiated Logout 1.0 §3.1"
BACK = "OpenID Connect Back-Channel Logout 1.0 §2.2"


class Registration(Values):
    """What somebody asks to register, or what is registered (``of``); ``metadata`` checks it."""

    name = Field(
        sorts.LINE,
        RFC7591,
        "client_name",
        check=checks.shown(200),
        always=True,
        localized=True,
        console=InConsole(10, "Tên", first=True),
    )
    redirect_uris = Field(
        sorts.ADDRESSES,
        RFC7591,
        check=checks.few,
        always=True,
        option=Option("--redirect-uri", "Exact; may be repeated."),
        console=InConsole(
            20,
            "Địa chỉ chuyển về (redirect_uri), mỗi dòng một địa chỉ",
            help="Phải trùng khớp từng chữ với địa chỉ ứng dụng gửi.",
            fact="Địa chỉ chuyển về",
            when=applies.signs_in,
            first=True,
        ),
    )
    post_logout_redirect_uris = Field(
        sorts.ADDRESSES,
        LOGOUT,
        check=checks.few,
        always=True,
        option=Option("--post-logout-redirect-uri"),
        console=InConsole(
            30,
            "Địa chỉ sau khi đăng xuất, mỗi dòng một địa chỉ",
            fact="Địa chỉ sau khi đăng xuất",
            when=applies.signs_in,
        ),
    )
    backchannel_logout_uri = Field(
        sorts.TEXT,
        BACK,
        check=checks.page,
        option=Option("--backchannel-logout-uri"),
        console=InConsole(
            40,
            "Địa chỉ nhận báo đăng xuất (back-channel)",
            fact="Nhận báo đăng xuất tại",
            when=applies.signs_in,
        ),
    )
    backchannel_logout_session_required = Field(sorts.FLAG, BACK, default=True)
    application_id = Field(sorts.REFERENCE, OURS, by=By.PRODUCT)
    """Named by its code, which those who ask look up."""
    kind = Field(
        sorts.one_of(ClientKind.WEB),
        OIDC,
        "application_type",
        always=True,
        option=Option("--native", "An application on people's own machines.", "native"),
    )
    auth_method = Field(
        sorts.one_of(AuthMethod.BASIC),
        RFC7591,
        "token_endpoint_auth_method",
        always=True,
        option=Option(
            "--auth-method",
            "The only way it may prove who it is. Default: client_secret_basic or _post.",
        ),
        console=InConsole(
            60,
            "Gửi mật khẩu của ứng dụng khách",
            fact="Cách xác thực",
            words={
                "client_secret": "Cả hai cách (basic, post)",
                "client_secret_basic": "Chỉ trong header (client_secret_basic)",
                "client_secret_post": "Chỉ trong nội dung (client_secret_post)",
            },
            when=applies.presents_a_secret,
        ),
    )
    grant_types = Field(
        sorts.some_of(GrantType),
        RFC7591,
        default=(GrantType.CODE, GrantType.REFRESH),
        always=True,
        option=Option("--grant", "Default: authorization_code and refresh_token."),
        console=InConsole(65, fact="Kiểu cấp quyền"),
    )
    response_types = Field(
        sorts.some_of(ResponseType),
        RFC7591,
        always=True,
        option=Option("--response-type", "Default: code."),
    )
    """``code`` for whoever uses authorization_code, where none is said."""
    scopes = Field(
        sorts.WORDS,
        RFC7591,
        "scope",
        default=("openid", "profile", "email", "phone", "org"),
        check=checks.among(SCOPES, "Có phạm vi không được hỗ trợ."),
        choices=SCOPES,
        always=True,
        option=Option("--scope"),
        console=InConsole(80, "Phạm vi", fact="Phạm vi"),
    )
    id_token_alg = Field(
        sorts.OUR_ALGORITHM,
        OIDC,
        "id_token_signed_response_alg",
        check=checks.algorithm(ALGORITHMS),
        usual={Profile.STANDARD: "RS256"} | dict.fromkeys(FAPI, "ES256"),
        choices=list(ALGORITHMS),
        always=True,
        option=Option(
            "--id-token-alg",
            "Default: RS256, which every library checks; ES256 where the profile wants it.",
        ),
        console=InConsole(
            70,
            "Thuật toán ký ID token",
            fact="Thuật toán ký ID token",
            when=applies.unbound,
            input="alg",
        ),
    )
    access_token_format = Field(
        sorts.one_of(TokenFormat.OPAQUE),
        OURS,
        by=By.OPERATOR,
        option=Option("--jwt", "JWT access tokens instead of opaque ones.", "jwt"),
        console=InConsole(
            71,
            "Dạng access token",
            fact="Dạng access token",
            words={"opaque": "Tra cứu được (thu hồi tức thì)", "jwt": "JWT"},
            input="format",
            only_new=True,
        ),
    )
    subject_type = Field(
        sorts.one_of(SubjectType.PUBLIC),
        OIDC,
        always=True,
        option=Option("--pairwise", "It is told a name of its own for each person.", "pairwise"),
    )
    first_party = Field(
        sorts.FLAG,
        OURS,
        by=By.OPERATOR,
        option=Option("--first-party", "Ours: people are not asked for consent.", "true"),
        console=InConsole(
            91,
            "Ứng dụng của cơ quan: không hỏi đồng ý chia sẻ",
            fact="Đồng ý chia sẻ",
            words={"true": "Không hỏi: ứng dụng của cơ quan", "false": "Hỏi người dùng lần đầu"},
            only_new=True,
            wide=True,
        ),
    )
    resource_server = Field(
        sorts.FLAG,
        OURS,
        by=By.OPERATOR,
        option=Option("--resource-server", "May introspect its application's tokens.", "true"),
        console=InConsole(
            90, "Máy chủ tài nguyên: được tra cứu token của ứng dụng này", only_new=True
        ),
    )
    introspect_all = Field(sorts.FLAG, OURS, by=By.PRODUCT)

    options: Options
    client_id: str | None
    """Chosen by the installation itself (the demo, the probe); random otherwise."""

    def __init__(
        self, *, options: Options | None = None, client_id: str | None = None, **said: Any
    ) -> None:
        super().__init__(**said)
        self.__dict__.update(options=options or Options(), client_id=client_id)

    def _said(self) -> dict[str, Any]:
        return super()._said() | {"options": self.options, "client_id": self.client_id}

    @classmethod
    def of(cls, row: Any) -> Self:
        """What the client of this row is registered as."""
        said = {name: each.sort.back(getattr(row, name)) for name, each in cls.fields.items()}
        return cls(**said, options=Options.of(row.options))

    @classmethod
    def every_field(cls) -> dict[str, Field[Any]]:
        """The fields of both tables."""
        return cls.fields | Options.fields

    @classmethod
    def localizable(cls) -> dict[str, Field[Any]]:
        """What may be said in several languages (RFC 7591 §2.2), by its registered name."""
        return {e.registered: e for e in cls.every_field().values() if e.localized}

    @property
    def columns(self) -> dict[str, Any]:
        """For the row; ``sector`` is left out, which follows from others."""
        said = {each.name: each.sort.row(value) for each, value in self.items()}
        return said | {"options": self.options.stored}

    def every(self) -> Iterator[tuple[Field[Any], Any]]:
        """Each field of both tables with its value."""
        yield from self.items()
        yield from self.options.items()

    def value(self, each: Field[Any]) -> Any:
        """The value of a field, whichever table it is of."""
        return getattr(self if each.name in self.fields else self.options, each.name)

    def saying(self, said: Mapping[str, Any]) -> Self:
        """The same with these values, whichever table their fields are of."""
        columns = {name: value for name, value in said.items() if name in self.fields}
        others = {name: value for name, value in said.items() if name not in self.fields}
        return self.but(**columns, options=self.options.but(**others))
