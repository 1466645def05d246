"""What a browser is asked for, and what it answers: WebAuthn, by the one library that is asked.

``webauthn`` checks type, challenge, origin, RP ID, presence and signature. It does not know whose a
key is, asks for no PIN unless it is told to, and knows one answer to a counter: all that is judged by
whoever calls (``by_passkey``). ES256 and RS256 (Windows Hello) are asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import webauthn
from webauthn.helpers import options_to_json, parse_client_data_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from directory.base import base64url, strict_json
from directory.base.errors import InvalidInput
from idp.factors.passkey_site import Site

_ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_LONGEST = 32 * 1024
"""Characters of an answer: an attestation with its certificates takes a few thousand."""
_ID_LONGEST = 1023
"""Bytes of a credential's id (W3C Web Authentication Level 3 §4)."""
_PATIENCE = 5 * 60 * 1000
"""Milliseconds for which a browser should wait for her key (§15.1: five minutes)."""


class Unverified(Exception):
    """What the browser says does not follow from what it was asked, or is signed by nobody."""


@dataclass(frozen=True)
class Credential:
    """A key as we keep it for others to read."""

    id: str
    """base64url."""
    public_key: str
    """COSE, base64url."""
    rp_id: str
    synced: bool
    """Whether it may be copied to other devices of hers; recorded, and nothing more."""
    backed_up: bool
    """Whether it has been; recorded, and nothing more."""
    transports: tuple[str, ...] = ()
    aaguid: str = ""
    attestation: str = "none"

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "public_key": self.public_key,
            "rp_id": self.rp_id,
            "synced": self.synced,
            "backed_up": self.backed_up,
            "transports": list(self.transports),
            "aaguid": self.aaguid,
            "attestation": self.attestation,
        }

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Credential":
        """What ``stored`` gave."""
        return cls(**{**kept, "transports": tuple(kept["transports"])})


@dataclass(frozen=True)
class Given:
    """An answer of a browser, of which nothing is known yet."""

    id: str
    handle: bytes | None
    """Whom the authenticator takes her for."""
    whole: Mapping[str, Any]


@dataclass(frozen=True)
class Asserted:
    """Signed by the key, for this page, a moment ago."""

    verified: bool
    """Whether the authenticator has looked who holds it: a PIN, a finger, a face."""
    counter: int
    synced: bool
    backed_up: bool


@dataclass(frozen=True)
class Created:
    """A new key."""

    credential: Credential
    verified: bool
    counter: int


def to_get(site: Site, challenge: bytes, keys: Iterable[Credential], *, verification: str) -> str:
    """What the script asks the browser for at a sign-in; of no ``keys``: for whichever it has."""
    return options_to_json(
        webauthn.generate_authentication_options(
            rp_id=site.rp_id,
            challenge=challenge,
            timeout=_PATIENCE,
            allow_credentials=[_descriptor(one) for one in keys],
            user_verification=UserVerificationRequirement(verification),
        )
    )


def to_create(  # noqa: PLR0913 (one keyword per member of the options)
    site: Site,
    challenge: bytes,
    *,
    handle: bytes,
    username: str,
    full_name: str,
    installation: str,
    keys: Iterable[Credential],
    verification: str,
    attestation: str,
) -> str:
    """What the script asks the browser for to make a new key. ``keys`` are those she has: the same
    authenticator makes no second, which would take the first one's place (§5.4).
    """
    return options_to_json(
        webauthn.generate_registration_options(
            rp_id=site.rp_id,
            rp_name=installation,
            user_id=handle,
            user_name=username,
            user_display_name=full_name,
            challenge=challenge,
            timeout=_PATIENCE,
            attestation=AttestationConveyancePreference(attestation),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement(verification),
            ),
            exclude_credentials=[_descriptor(one) for one in keys],
            supported_pub_key_algs=_ALGORITHMS,
        )
    )


def _descriptor(one: Credential) -> PublicKeyCredentialDescriptor:
    known = {each.value for each in AuthenticatorTransport}
    ways = [AuthenticatorTransport(way) for way in one.transports if way in known]
    return PublicKeyCredentialDescriptor(base64url.decode(one.id), transports=ways or None)


def read(text: str) -> Given:
    """An answer that can be one. Raises InvalidInput."""
    if not text:
        raise InvalidInput(
            "passkey_missing",
            "Trình duyệt chưa gửi khóa nào. Khóa đăng nhập (passkey) cần JavaScript; hãy mở trang bằng "
            "Chrome hoặc Safari.",
            field="",
        )
    try:
        if len(text) > _LONGEST or not text.isascii():
            raise strict_json.Unreadable
        whole = strict_json.read(text)
        named, handle = str(whole["id"]), whole["response"].get("userHandle")
        if not 0 < len(base64url.decode(named)) <= _ID_LONGEST:
            raise strict_json.Unreadable
        return Given(named, base64url.decode(handle) if handle is not None else None, whole)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InvalidInput(
            "passkey_unreadable",
            "Trình duyệt gửi về dữ liệu không đọc được. Hãy thử lại.",
            field="",
        ) from exc


def asserted(site: Site, challenge: bytes, given: Given, public_key: str) -> Asserted:
    """What the key has signed. Raises Unverified."""
    try:
        _require_own_page(given)
        found = webauthn.verify_authentication_response(
            credential=dict(given.whole),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=base64url.decode(public_key),
            # The counter is ours to judge: it is told apart from everything else.
            credential_current_sign_count=0,
        )
    except Exception as exc:  # it parses what strangers sent: whatever it says is a no
        raise Unverified(type(exc).__name__) from exc
    return Asserted(
        found.user_verified,
        found.new_sign_count,
        found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        found.credential_backed_up,
    )


def created(site: Site, challenge: bytes, given: Given) -> Created:
    """The key that was made. Raises Unverified."""
    try:
        _require_own_page(given)
        found = webauthn.verify_registration_response(
            credential=dict(given.whole),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as exc:  # as above
        raise Unverified(type(exc).__name__) from exc
    if base64url.encode(found.credential_id) != given.id:
        raise Unverified("another id")
    said = given.whole["response"].get("transports")
    ways = {str(way) for way in said} if isinstance(said, list) else set()
    known = {each.value for each in AuthenticatorTransport}
    credential = Credential(
        id=given.id,
        public_key=base64url.encode(found.credential_public_key),
        rp_id=site.rp_id,
        synced=found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=found.credential_backed_up,
        transports=tuple(sorted(ways & known)),
        aaguid=found.aaguid,
        attestation=AttestationFormat(found.fmt).value,
    )
    return Created(credential, found.user_verified, found.sign_count)


def _require_own_page(given: Given) -> None:
    """Not in a frame of somebody else's page (§7.2 step 14): ours stand in none."""
    told = parse_client_data_json(base64url.decode(given.whole["response"]["clientDataJSON"]))
    if told.cross_origin:
        raise Unverified("in a frame")
