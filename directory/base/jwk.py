"""A public key of somebody else's, as JSON (RFC 7517), if signatures may be checked by it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.util import base64_to_int

Jwk = Mapping[str, Any]

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_KEYS = 1000


def usable(jwk: Jwk, alg: str) -> Key | None:
    """The public key of a JWK, if signatures of this algorithm may be checked by it.

    Not one for encryption, of another algorithm, of another curve, or too short: RSA from 2048
    bits (RFC 7518 §3.3) to 4096.
    """
    operations = jwk.get("key_ops", ["verify"])
    if (
        jwk.get("use", "sig") != "sig"
        or jwk.get("alg", alg) != alg
        or not isinstance(operations, list)
        or "verify" not in operations
    ):
        return None
    kty, names = ("EC", ("x", "y")) if alg in _CURVES else ("RSA", ("n", "e"))
    numbers = [jwk.get(name) for name in names]
    if jwk.get("kty") != kty or not all(isinstance(n, str) and len(n) < 1000 for n in numbers):
        return None
    if alg not in _CURVES:
        return _rsa(*numbers)
    return _ec(_CURVES[alg], *numbers) if jwk.get("crv") == _CURVES[alg] else None


@lru_cache(maxsize=_KEYS)
def _rsa(n: str, e: str) -> Key | None:
    try:
        modulus, exponent = base64_to_int(n), base64_to_int(e)
        if not 2048 <= modulus.bit_length() <= 4096 or exponent >= 1 << 33:
            return None
        return RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
    except (JoseError, ValueError):
        return None


@lru_cache(maxsize=_KEYS)
def _ec(crv: str, x: str, y: str) -> Key | None:
    try:
        return ECKey.import_key({"kty": "EC", "crv": crv, "x": x, "y": y})
    except (JoseError, ValueError):
        return None
