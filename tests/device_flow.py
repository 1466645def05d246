"""A device that cannot show a sign-in page, and the person who lets it in from her browser."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from idp.oidc.clients import GrantType
from tests.browser_client import hidden_fields
from tests.relying_party import Flow, Party, World

DEVICE = GrantType.DEVICE.value


def register_device(world: World, **columns: Any) -> Party:
    """A client that may use the device flow, and refresh."""
    values = {"grant_types": (GrantType.DEVICE, GrantType.REFRESH), "redirect_uris": ()} | columns
    return world.register("Máy tính bảng", **values)


@dataclass
class Device:
    """One device and the browser of the person in front of it."""

    browser: FlaskClient
    party: Party
    scope: str | None = "openid profile offline_access"
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def flow(self) -> Flow:
        """The client, as at the other endpoints."""
        return Flow(self.browser, self.party)

    def ask(self, **form: str) -> Any:
        """The device authorization request."""
        wanted = ({"scope": self.scope} if self.scope else {}) | form
        return self.flow.post("/oauth2/device_authorization", wanted)

    def begin(self, **form: str) -> "Device":
        """Ask, and keep both codes."""
        response = self.ask(**form)
        assert response.status_code == 200, response.get_data(as_text=True)
        self.answer = response.get_json()
        return self

    def poll(self, code: str | None = None, **form: str) -> Any:
        """Ask the token endpoint once."""
        wanted = {"grant_type": DEVICE, "device_code": code or self.answer["device_code"]}
        return self.flow.token(**(wanted | form))

    def error(self, **form: str) -> str:
        """What the token endpoint says instead of tokens."""
        response = self.poll(**form)
        assert response.status_code == 400, response.get_data(as_text=True)
        assert "access_token" not in response.get_json()
        return str(response.get_json()["error"])

    def type_code(self, code: str | None = None, browser: FlaskClient | None = None) -> Any:
        """Type the code on the page."""
        browser = browser or self.browser
        page = browser.get("/device")
        given = self.answer["user_code"] if code is None else code
        return browser.post("/device", data=hidden_fields(page.text) | {"user_code": given})

    def confirmation(self) -> Any:
        """The page that asks."""
        response = self.type_code()
        assert response.status_code == 303, response.text
        return self.browser.get(response.headers["Location"])

    def decide(self, decision: str = "allow") -> Any:
        """Type the code, answer, and follow to the last page."""
        page = self.confirmation()
        assert page.status_code == 200, page.text
        answer = self.browser.post(
            urlsplit(page.request.url).path, data=hidden_fields(page.text) | {"decision": decision}
        )
        return self.browser.get(answer.headers["Location"]) if answer.status_code == 303 else answer

    def tokens(self, **form: str) -> dict[str, Any]:
        """The whole flow: the token answer."""
        self.begin()
        self.decide()
        response = self.poll(**form)
        assert response.status_code == 200, response.get_data(as_text=True)
        return dict(response.get_json())
