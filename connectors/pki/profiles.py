"""What goes into each kind of certificate: RFC 5280 §4.2 and nothing the applicant may choose.

Profiles are checked when this module is loaded, so that a contradiction in one of them stops
the start and not an issuance.
"""

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from directory.base.errors import InvalidInput, Misconfigured

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class CertificateProfile:
    """One kind of certificate."""

    name: str
    lifetime: timedelta
    """At most; settings may ask for less."""
    key_usage: frozenset[str]
    extended: tuple[x509.ObjectIdentifier, ...] = ()
    path_length: int | None = None
    """Not None makes it an authority (RFC 5280 §4.2.1.9)."""

    @property
    def is_authority(self) -> bool:
        """Whether certificates of this profile may sign others."""
        return self.path_length is not None

    def usages(self) -> list[tuple[x509.ExtensionType, bool]]:
        """The extensions that follow from the profile alone, with their criticality."""
        made: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=self.is_authority, path_length=self.path_length), True),
            (x509.KeyUsage(**{name: name in self.key_usage for name in _KEY_USAGES}), True),
        ]
        if self.extended:
            made.append((x509.ExtendedKeyUsage(self.extended), False))
        return made


_YEAR = timedelta(days=365)
_SIGNS = frozenset({"key_cert_sign", "crl_sign"})

ROOT = CertificateProfile("root", 10 * _YEAR, _SIGNS, path_length=1)
# The issuing authority signs OCSP answers itself (RFC 6960 §4.2.2.2, first form): hence
# digitalSignature. A delegated responder would be one more key to renew and to lose.
ISSUING = CertificateProfile("issuing", 5 * _YEAR, _SIGNS | {"digital_signature"}, path_length=0)
# The root's answers go on while its key is offline. Without a list of its own (id-pkix-ocsp-nocheck,
# RFC 6960 §4.2.2.2.1) it is made anew at half its life.
RESPONDER = CertificateProfile(
    "responder",
    _YEAR,
    frozenset({"digital_signature"}),
    (ExtendedKeyUsageOID.OCSP_SIGNING,),
)
SIGN_IN = CertificateProfile(
    "sign_in",
    5 * _YEAR,  # Nghị định 68/2024 Điều 9: a subscriber's first certificate, at most
    frozenset({"digital_signature"}),
    (ExtendedKeyUsageOID.CLIENT_AUTH,),
)
SERVICE = CertificateProfile(
    "service",
    2 * _YEAR,
    frozenset({"digital_signature"}),
    (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
)

PROFILES = {p.name: p for p in (ROOT, ISSUING, RESPONDER, SIGN_IN, SERVICE)}


def by_name(name: str) -> CertificateProfile:
    """A profile people may ask for. Raises InvalidInput."""
    found = PROFILES.get(name)
    if found is None or found.is_authority or found is RESPONDER:
        raise InvalidInput(
            "profile_unknown", "Không có loại chứng thư {name}.", field="profile", name=name[:40]
        )
    return found


def check(profile: CertificateProfile) -> None:
    """Raises Misconfigured when a profile contradicts itself or RFC 5280."""
    usage = profile.key_usage
    wrong = (
        not usage <= set(_KEY_USAGES)
        or profile.lifetime <= timedelta(0)
        # §4.2.1.3, §4.2.1.9: keyCertSign and pathLen belong to authorities, and to all of them
        or profile.is_authority != ("key_cert_sign" in usage)
        or (profile.path_length or 0) < 0
        # what is not an authority says what it is for; anyExtendedKeyUsage says nothing
        or (not profile.is_authority and not profile.extended)
        or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in profile.extended
        # who answers for an authority is trusted with that alone (RFC 6960 §4.2.2.2)
        or (ExtendedKeyUsageOID.OCSP_SIGNING in profile.extended and len(profile.extended) > 1)
    )
    if wrong:
        raise Misconfigured("profile", "Mẫu chứng thư {name} không hợp lệ.", name=profile.name)


for _profile in PROFILES.values():
    check(_profile)
