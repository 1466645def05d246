"""The single sign-on of the national public service portal, which behaves like WSO2.

Seen in several independent public projects; what is only assumed is marked so in ``certainty``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from werkzeug import Request, Response

from dinhdanh.eid_simulator.artefacts import Answer, in_json, refused
from dinhdanh.eid_simulator.faults.fault import DVCQG
from dinhdanh.eid_simulator.providers import authentication, id_tokens, signing_out
from dinhdanh.eid_simulator.providers.provider import Endpoint, Provider
from dinhdanh.eid_simulator.providers.requests import Understood
from dinhdanh.eid_simulator.sign_ins import Shown, SignIn

LOA = "LoA1"
NOT_KEPT = (
    "SoCMND",
    "HoChieu",
    "MaBHXH",
    "MaSoThue",
    "DanToc",
    "TonGiao",
    "TinhTrangHonNhan",
    "NhomMau",
    "QuocTich",
    "QueQuan",
    "NoiDangKyKhaiSinh",
    "ThuongTru",
    "NoiOHienNay",
    "Cha",
    "Me",
    "VoChong",
    "ChuHo",
    "NguoiDaiDien",
    "ThuDienTu",
    "SoDienThoai",
    "SoDienThoaiBan",
    "MaSoDoanhNghiep",
    "TenDoanhNghiep",
    "DiaChi",
)
"""Claims of the portal's account that the simulated people have nothing for: null."""


class Dvcqg(Provider):
    """Secret in the body, userinfo as the portal or as VNeID through the portal says it."""

    profile = DVCQG
    understood = Understood(prompt=False, form_post=False)
    paths: ClassVar[Mapping[str, str]] = {
        "authorize": "/oauth2/authorize",
        "token": "/oauth2/token",
        "userinfo": "/oauth2/userinfo",
        "jwks": "/oauth2/jwks",
        "introspect": "/oauth2/introspect",
        "revoke": "/oauth2/revoke",
        "logout": "/oidc/logout",
    }

    def further_endpoints(self) -> list[Endpoint]:
        """Keys, the end of a token, and the way out."""
        return [
            Endpoint("jwks", self.paths["jwks"], self.jwks),
            Endpoint("introspect", self.paths["introspect"], self.introspect, ("POST",)),
            Endpoint("revoke", self.paths["revoke"], self.revoke, ("POST",)),
            Endpoint("logout", self.paths["logout"], self.logout, ("GET", "POST")),
        ]

    @property
    def issuer(self) -> str:
        """WSO2's habit: the issuer is the token endpoint."""
        return self.address("token")

    def jwks(self, _request: Request) -> Answer:
        """The public keys."""
        return in_json(self.keys.published())

    def introspect(self, request: Request) -> Answer:
        """RFC 7662."""
        if authentication.authenticated(request, self.simulation, (self.issuer,)) is None:
            return refused("invalid_client", "client authentication", 401)
        found = self.simulation.memory.tokens.get(request.form.get("token"))
        if found is None or found.token_until is None or self.now >= found.token_until:
            return in_json({"active": False})
        return in_json(
            {
                "active": True,
                "client_id": found.asked.client.client_id,
                "sub": found.shown.subject,
                "exp": int(found.token_until.timestamp()),
            }
        )

    def revoke(self, request: Request) -> Answer:
        """RFC 7009."""
        client = authentication.authenticated(request, self.simulation, (self.issuer,))
        if client is None:
            return refused("invalid_client", "client authentication", 401)
        token = request.form.get("token")
        found = self.simulation.memory.tokens.get(token)
        if found is not None and found.asked.client.client_id == client.client_id:
            self.simulation.memory.tokens.take(token)
        return Answer(b"")

    def logout(self, request: Request) -> Response:
        """WSO2's OpenID Connect logout, by ``id_token_hint``."""
        return signing_out.signed_out(self, request, needs_hint=True)

    def further_parameters(self) -> list[tuple[str, str]]:
        """WSO2 adds one that nobody needs."""
        return [("session_state", "c2ltdWxhdGlvbg.c2ltdWxhdGlvbg")]

    def token_body(self, sign_in: SignIn, access_token: str) -> dict[str, Any]:
        """With the id_token."""
        sign_in.id_token = id_tokens.token(self, sign_in, access_token, LOA)
        return super().token_body(sign_in, access_token) | {"id_token": sign_in.id_token}

    def claims(self, sign_in: SignIn) -> dict[str, Any]:
        """Two sets of claims, as the person chose her account at the portal."""
        shown = sign_in.shown
        common: dict[str, Any] = {
            "sub": shown.subject,
            "TechID": f"SIM-{shown.subject[:12]}",
            "LoaiTaiKhoan": 2 if shown.organisation else 1,
            "SoDinhDanh": shown.citizen_number,
            "HoVaTen": shown.full_name,
            "NgayThangNamSinh": _written(shown),
            "loAs": LOA,
        }
        if sign_in.choice.account == "vneid":
            return common | {
                "userProfileUri": f"{self.root}/profile",
                "logoutUri": self.address("logout"),
                "IAL": shown.level,
                "loginIdp": "BCA",
            }
        return (
            common
            | dict.fromkeys(NOT_KEPT)
            | {"GioiTinh": 1 if shown.gender == "male" else 2, "TrangThai": 1}
        )


def _written(shown: Shown) -> str:
    return shown.written_birth_date or shown.birth_date.replace("-", "")
