"""What a fault is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dinhdanh.eid_simulator.words import NOTHING, Said

STANDARD, DVCQG, VNEID = "standard", "dvcqg", "vneid2026"
EVERYWHERE = (STANDARD, DVCQG, VNEID)


class Expected(StrEnum):
    """What a correct relying party does."""

    REFUSE = "refuse"
    """No session, no link; the person is told what to do."""
    ACCEPT = "accept"
    """She is signed in all the same."""
    EITHER = "either"
    """The profile leaves it open, or it depends on what else the relying party relies on."""


class Stage(StrEnum):
    """What a fault changes."""

    CODE = "code"
    """The code as the provider remembers it (``sign_ins.SignIn``)."""
    CALLBACK = "callback"
    """The answer in the browser (``artefacts.Callback``)."""
    OUTAGE = "outage"
    """The whole simulator (``simulation.Simulation``)."""
    ID_TOKEN = "id_token"  # noqa: S105
    """``artefacts.IdToken``."""
    TOKEN = "token"  # noqa: S105
    """The body of the token endpoint's answer (``dict``)."""
    USERINFO = "userinfo"
    """The claims of the userinfo endpoint (``dict``)."""
    IDENTITY = "identity"
    """The person (``sign_ins.Shown``)."""
    CODE_ENVELOPE = "code_envelope"
    """``envelopes.Envelope``, and so are the next two."""
    TOKEN_ENVELOPE = "token_envelope"  # noqa: S105
    USERINFO_ENVELOPE = "userinfo_envelope"
    TOKEN_TRANSPORT = "token_transport"  # noqa: S105
    """``artefacts.Answer``, and so is all that follows."""
    USERINFO_TRANSPORT = "userinfo_transport"
    DISCOVERY = "discovery"
    """For everybody at once: a document belongs to no sign-in."""
    JWKS = "jwks"


FOR_EVERYBODY = (Stage.DISCOVERY, Stage.JWKS)
"""Cannot be chosen for one sign-in, only for all until they are cleared."""

DEFAULT_RIGHT = {
    Expected.REFUSE: Said(
        "Từ chối: không phiên, không liên kết; nói người dùng đăng nhập lại.",
        "Refuse: no session, no link; tell her to sign in again.",
    ),
    Expected.ACCEPT: Said("Vẫn đăng nhập bình thường.", "Sign her in all the same."),
    Expected.EITHER: Said(
        "Chấp nhận hay từ chối đều được, nhưng luôn như nhau.",
        "Accept or refuse, but always the same.",
    ),
}


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong."""

    code: str
    stage: Stage
    profiles: tuple[str, ...]
    expected: Expected
    does: Said
    deed: Callable[[Any, Any], None] = field(repr=False, compare=False)
    """Changes the stage's thing; the second argument is the ``SignIn``, or the provider of a
    document for everybody."""
    right: Said = NOTHING
    """What a correct relying party does, where there is more to say than ``expected``."""

    @property
    def advice(self) -> Said:
        """What a correct relying party does, in a sentence."""
        return self.right if self.right.vi else DEFAULT_RIGHT[self.expected]

    @property
    def per_sign_in(self) -> bool:
        """Whether it can be chosen for one sign-in."""
        return self.stage not in FOR_EVERYBODY
