"""One official's story: everything she holds, HR's decision, and what must be true in the end.

``Story.prepare`` signs her in (here and at the application), gets her tokens at a second client
and a certificate. ``commit`` plays the personnel system, which sends the same request again until
it is answered. ``check`` looks from outside, as strangers would.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from cryptography import x509
from cryptography.x509 import ocsp
from sqlalchemy import func, select

from connectors.pki import requests
from directory.changes.effects import Effect, is_final
from directory.changes.model import Change, ChangeLine
from directory.people import User
from directory.units import OrgUnit
from tests.browser_client import hidden_fields
from tests.certificates import csr, ocsp_request
from tests.crash.installation import CALLBACK, PASSWORD, Installation, wait_for

MOVES = {"move": ("xa", "phuong"), "gain": ("so", "xa"), "lose": ("phuong", "so")}
"""What becomes of her account, and between which units she is transferred for that."""


class NotSignedIn(Exception):
    """The browser did not come back to the application's first page."""


@dataclass
class Story:
    """One person and one transfer."""

    here: Installation
    kind: str = "move"
    tokens: dict[str, Any] = field(default_factory=dict)
    change_id: str = ""

    def __post_init__(self) -> None:
        origin, self.goal = MOVES[self.kind]
        self.user: User = self.here.take(origin)
        self.browser = self.here.browser()
        self.key = secrets.token_hex(8)

    # ---- before --------------------------------------------------------------------------------

    def prepare(self) -> "Story":
        """She is signed in everywhere and holds a certificate."""
        self.sign_in()
        who = self.browser.get(f"{self.here.app_url}/whoami").json()
        assert who["signed_in"]
        assert who["sub"] == self.user.sub
        self.get_tokens()
        chain = requests.fulfil(
            self.here.services.db,
            self.here.services.keyring,
            self.here.settings,
            self.user.id,
            csr(),
            now=self.here.services.clock(),
        )
        self.certificate = x509.load_pem_x509_certificate(chain.encode())
        self.seen = len(self.here.activity())
        assert self.introspect(self.tokens["access_token"])["active"] is True
        return self

    def sign_in(self) -> None:
        """By password where that is asked for, from the application and back to it."""
        home = f"{self.here.app_url}/"
        answer = self.get(f"{home}login")
        if str(answer.url) != home:
            form = hidden_fields(answer.text)
            form |= {"username": self.user.username, "password": PASSWORD}
            answer = self.browser.post(str(answer.url), data=form)
        if str(answer.url) != home:
            raise NotSignedIn(f"{answer.status_code} {answer.url}")

    def get(self, url: str) -> httpx2.Response:
        """A page; the browser's user presses "try again" while nothing answers."""

        def page() -> httpx2.Response | None:
            try:
                answer = self.browser.get(url)
            except httpx2.TransportError:
                return None
            return answer if answer.status_code < 500 else None

        return wait_for(url, page)

    def get_tokens(self) -> None:
        """Access and refresh token at the plain client, through the same browser."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        answer = self.browser.get(
            f"{self.here.url}/oauth2/authorize",
            params={
                "response_type": "code",
                "client_id": "plain",
                "redirect_uri": CALLBACK,
                "scope": "openid profile",
                "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
                "code_challenge_method": "S256",
            },
            follow_redirects=False,
        )
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        self.tokens = self.plain(
            "token",
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=verifier,
        ).json()
        assert "refresh_token" in self.tokens, self.tokens

    def plain(self, endpoint: str, **form: str) -> httpx2.Response:
        """A request of the plain client."""
        return httpx2.post(
            f"{self.here.url}/oauth2/{endpoint}",
            auth=("plain", self.here.secrets["plain"]),
            data=form,
        )

    def introspect(self, token: str) -> dict[str, Any]:
        found: dict[str, Any] = self.plain("introspect", token=token).json()
        return found

    # ---- HR's decision -------------------------------------------------------------------------

    def commit(self) -> None:
        """Preview, then commit until it is answered: a client that saw no answer asks again."""
        headers = self.here.machine()
        body = {
            "kind": "transfer",
            "user": self.user.username,
            "to_unit": self.here.units[self.goal],
            "decision": {
                "number": f"{self.key}/QĐ-UBND",
                "issued_on": "2026-01-05",
                "issuer": "Chủ tịch UBND tỉnh",
            },
        }
        plan = self.here.ask("/api/v1/changes/preview", json=body, headers=headers).json()
        body["fingerprint"] = plan["fingerprint"]
        headers["Idempotency-Key"] = self.key
        answer = self.here.ask("/api/v1/changes", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        self.change_id = answer.json()["id"]

    # ---- after ---------------------------------------------------------------------------------

    def check(self, *, within: float = 100.0) -> None:
        """The story's end state, reached once."""
        self.check_access()  # at once: nothing has to be done for that
        self.wait_until_settled(within)
        self.check_access()
        self.check_change()
        self.check_account()
        self.check_sign_out()
        self.check_certificate()
        wait_for("jobs left over", lambda: not self.here.unfinished())
        assert self.here.audit().holds

    def wait_until_settled(self, within: float) -> None:
        def settled() -> bool:
            change = self.here.rows(select(Change).where(Change.id == self.change_id))[0]
            assert not change.needs_attention, self.effects()
            return bool(change.state == "settled")

        try:
            wait_for("settled", settled, within=within)
        except TimeoutError:
            raise AssertionError((self.effects(), self.here.unfinished())) from None

    def effects(self) -> list[tuple[str, str, str | None]]:
        found = self.here.rows(select(Effect).where(Effect.change_id == self.change_id))
        return [(e.kind, e.state, e.reason) for e in found]

    def check_access(self) -> None:
        """Session, access token and refresh token are dead."""
        cookies = {"dinhdanh": self.browser.cookies.get("dinhdanh") or ""}
        status = httpx2.get(f"{self.here.url}/session/status", cookies=cookies)
        assert status.status_code == 401
        for token in (self.tokens["access_token"], self.tokens["refresh_token"]):
            assert self.introspect(token) == {"active": False}
        userinfo = httpx2.get(
            f"{self.here.url}/oauth2/userinfo",
            headers={"Authorization": f"Bearer {self.tokens['access_token']}"},
        )
        assert userinfo.status_code == 401
        refreshed = self.plain(
            "token", grant_type="refresh_token", refresh_token=self.tokens["refresh_token"]
        )
        assert refreshed.json()["error"] == "invalid_grant"

    def check_change(self) -> None:
        """There is one change, with every effect final."""
        changes = self.here.rows(
            select(ChangeLine.change_id).where(ChangeLine.user_id == self.user.id).distinct()
        )
        assert changes == [self.change_id]
        found = self.here.rows(select(Effect).where(Effect.change_id == self.change_id))
        assert found
        assert all(is_final(e.state, e.final) for e in found)
        assert len({(e.kind, e.target) for e in found}) == len(found)
        with self.here.services.db.read() as session:
            person = session.get_one(User, self.user.id)
            assert person.access_epoch == self.user.access_epoch + 1
            opened = session.scalar(
                select(func.count())
                .select_from(ChangeLine)
                .where(ChangeLine.user_id == self.user.id, ChangeLine.action == "open")
            )
        assert opened == 1

    def check_account(self) -> None:
        """One account at the target, in the state of today, by one write and one creation."""
        by_id = self.here.accounts("externalId", self.user.sub)
        assert by_id == self.here.accounts("userName", self.user.username)
        assert len(by_id) == 1
        enterprise = by_id[0]["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
        assert by_id[0]["active"] is (self.kind != "lose")
        if self.kind != "lose":
            unit = self.here.rows(select(OrgUnit).where(OrgUnit.id == self.here.units[self.goal]))[
                0
            ]
            assert enterprise["department"] == unit.name
        mine = [
            seen
            for seen in self.here.activity()
            if seen["kind"] == "scim"
            and seen["method"] in ("POST", "PUT", "PATCH")
            and seen["status"] < 300
            and seen["detail"].get("externalId") == self.user.sub
        ]
        assert [seen["method"] for seen in mine].count("POST") == 1
        assert len(mine) == (1 if self.kind == "gain" else 2)

    def check_sign_out(self) -> None:
        """The application was told (at least once) and dropped her session (once)."""
        told = [
            seen["detail"]
            for seen in self.here.activity()
            if seen["kind"] == "backchannel_logout"
            and seen["status"] == 200
            and seen["detail"].get("sub") == self.user.sub
        ]
        assert told
        assert sum(token["sessions_ended"] for token in told) == 1
        assert self.browser.get(f"{self.here.app_url}/whoami").json()["signed_in"] is False

    def check_certificate(self) -> None:
        """CRL and OCSP say that it is revoked, and why (RFC 5280 §5.3.1)."""
        crl = x509.load_der_x509_crl(httpx2.get(f"{self.here.url}/pki/crl.der").content)
        entry = crl.get_revoked_certificate_by_serial_number(self.certificate.serial_number)
        assert entry is not None
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason is x509.ReasonFlags.affiliation_changed
        chain = httpx2.get(f"{self.here.url}/pki/ca.pem").content
        issuer = x509.load_pem_x509_certificates(chain)[0]
        answer = ocsp.load_der_ocsp_response(
            httpx2.post(
                f"{self.here.url}/pki/ocsp",
                content=ocsp_request(issuer, self.certificate.serial_number),
                headers={"Content-Type": "application/ocsp-request"},
            ).content
        )
        assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
        assert answer.revocation_reason is x509.ReasonFlags.affiliation_changed
