"""VNeID directly, as one public project speaks to it in 2026.

Code and bodies are encrypted to the relying party. No nonce comes back, there is no id_token and
no PKCE: what binds the answer to the browser is ``state`` alone. What is only assumed is marked
so in ``certainty``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug import Request, Response

from dinhdanh.eid_simulator import envelopes
from dinhdanh.eid_simulator.artefacts import Callback
from dinhdanh.eid_simulator.envelopes import Envelope
from dinhdanh.eid_simulator.faults.fault import VNEID, Stage
from dinhdanh.eid_simulator.providers import signing_out
from dinhdanh.eid_simulator.providers.provider import Endpoint, Provider
from dinhdanh.eid_simulator.providers.requests import ForPeople, Understood
from dinhdanh.eid_simulator.sign_ins import Shown, SignIn
from dinhdanh.eid_simulator.words import Said

NO_KEY = Said(
    "Ứng dụng này chưa có khóa công khai (public_key) để mã hóa.",
    "This client has no public key (public_key) to encrypt to.",
)


class Vneid2026(Provider):
    """AES-ECB, its key by RSA PKCS#1 v1.5; a code of half a minute."""

    profile = VNEID
    understood = Understood(nonce=False, pkce=False, prompt=False, form_post=False)
    code_life = 30
    paths: ClassVar[Mapping[str, str]] = {
        "authorize": "/auth",
        "token": "/token",
        "userinfo": "/userinfo",
        "logout": "/logout",
    }

    def further_endpoints(self) -> list[Endpoint]:
        """The way out."""
        return [Endpoint("logout", self.paths["logout"], self.logout)]

    def logout(self, request: Request) -> Response:
        """A page; nothing is known of a way back."""
        self.simulation.memory.sessions.take(request.cookies.get(self.cookie))
        return self.pages.message(request, signing_out.GONE)

    def new_code(self) -> str:
        """Two GUIDs with a dot between them."""
        return f"{uuid4()}.{uuid4()}"

    def callback(self, sign_in: SignIn) -> Callback:
        """The encrypted code and its key, in base64 that stands in the address as it is."""
        envelope = self._envelope(sign_in)
        self.misbehave(Stage.CODE_ENVELOPE, sign_in, envelope)
        sealed = envelope.seal()
        sign_in.encrypt_key = sealed.get("key")
        names = (("data", "code"), ("key", "encrypt_key"))
        parts = [(name, str(sealed[part])) for part, name in names if part in sealed]
        return Callback(
            [*parts, *self.known(sign_in.asked)], literal=frozenset({"code", "encrypt_key"})
        )

    def _envelope(self, sign_in: SignIn) -> Envelope:
        """One whose base64 has a ``+``, so that whoever loses it does so every time."""
        recipient = self._recipient(sign_in)
        while True:
            envelope = Envelope(sign_in.code.encode(), recipient)
            sealed = envelopes.encrypted(envelope.pad(envelope.clear), envelope.aes_key)
            if "+" in envelopes.in_base64(sealed):
                return envelope

    def wrong_in_profile(self, sign_in: SignIn, form: Mapping[str, str]) -> str:
        """The key of the code comes back with it."""
        right = sign_in.encrypt_key is None or form.get("encrypt_key") == sign_in.encrypt_key
        return "" if right else "encrypt_key"

    def claims(self, sign_in: SignIn) -> dict[str, Any]:
        """Who she is; the number is the subject."""
        shown = sign_in.shown
        return {
            "citizenPid": shown.citizen_number,
            "fullName": shown.full_name,
            "birthDate": _written(shown),
            "accountType": 2 if shown.organisation else 1,
            "accountLevel": shown.level,
        }

    def sealed(self, stage: Stage, sign_in: SignIn, body: dict[str, Any]) -> dict[str, Any]:
        """Every body in an envelope of its own."""
        envelope = envelopes.of_json(body, self._recipient(sign_in))
        self.misbehave(stage, sign_in, envelope)
        return envelope.seal()

    def _recipient(self, sign_in: SignIn) -> rsa.RSAPublicKey:
        key = sign_in.asked.client.encryption_key
        if key is None:
            raise ForPeople(NO_KEY)
        return key


def _written(shown: Shown) -> str:
    return shown.written_birth_date or "/".join(reversed(shown.birth_date.split("-")))
