"""The keys a client registers by value (``jwks``): public ones, and nothing beside them.

A private key that has been sent to anybody is no longer private, and a symmetric one would be a
secret stored in the clear: both are refused rather than kept (RFC 7517 §9.2).
"""

import json
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import base64_to_int

from directory.base.errors import InvalidInput
from directory.base.storable import is_text

MOST = 50
LARGEST = 32 * 1024
_CURVES = ("P-256", "P-384", "P-521")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def checked(jwks: Any) -> dict[str, Any]:
    """The key set as it is stored (RFC 7517 §5): keys of a kind we do not know are left out,
    and so are members that are no text. Raises InvalidInput.
    """
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST:
        raise _wrong("Bộ khóa phải là một JWK Set có từ 1 đến 50 khóa.")
    found = [kept for key in keys if (kept := _key(key)) is not None]
    if not found:
        raise _wrong("Bộ khóa không có khóa công khai RSA hoặc EC nào dùng được.")
    kept = {"keys": found}
    if len(json.dumps(kept)) > LARGEST:
        raise _wrong("Bộ khóa quá dài.")
    return kept


def _key(key: Any) -> dict[str, Any] | None:
    if not isinstance(key, dict):
        raise _wrong("Bộ khóa phải là một JWK Set có từ 1 đến 50 khóa.")
    if not all(map(_storable, key)) or not all(map(_storable, key.values())):
        raise _wrong("Bộ khóa có ký tự không hợp lệ.")
    if _PRIVATE & key.keys() or key.get("kty") == "oct":
        raise _wrong("Bộ khóa chỉ được chứa khóa công khai.")
    if key.get("kty") != "RSA" and (key.get("kty") != "EC" or key.get("crv") not in _CURVES):
        return None
    try:
        _require_sound(key)
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise _wrong("Khóa công khai không hợp lệ hoặc quá ngắn.") from exc
    return {name: value for name, value in key.items() if _plain(value)}


def _require_sound(key: dict[str, Any]) -> None:
    """RSA from 2048 bits (RFC 7518 §3.3) to 4096, or a point of its curve. Raises ValueError."""
    if key["kty"] == "EC":
        ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})
        return
    if len(key["n"]) > 1000 or len(key["e"]) > 16:
        raise ValueError("outsized")
    if not 2048 <= base64_to_int(key["n"]).bit_length() <= 4096:
        raise ValueError("size")
    RSAKey.import_key({name: key[name] for name in ("kty", "n", "e")})


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str)


def _storable(value: Any) -> bool:
    """Whether a database can hold it, if it is text."""
    texts = value if isinstance(value, list) else [value]
    return all(is_text(each) for each in texts if isinstance(each, str))


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput("client_jwks", sentence, field="jwks")
