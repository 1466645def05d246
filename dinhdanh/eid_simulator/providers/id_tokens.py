"""The id_token of the two profiles that have one."""

from typing import Any

from dinhdanh.eid_simulator import jose
from dinhdanh.eid_simulator.artefacts import IdToken
from dinhdanh.eid_simulator.faults.fault import Stage
from dinhdanh.eid_simulator.providers.provider import Provider
from dinhdanh.eid_simulator.sign_ins import SignIn

LIFE = 300
"""Seconds an id_token is good for."""
FACTORS = {
    "urn:vn:aal:1": ["pwd"],
    "urn:vn:aal:2": ["pwd", "otp"],
    "urn:vn:aal:3": ["pwd", "face"],
    "urn:vn:aal:4": ["pin", "face", "hwk"],
}
"""``amr`` (RFC 8176) that goes with a level."""


def token(provider: Provider, sign_in: SignIn, access_token: str, acr: str) -> str:
    """A signed id_token about this sign-in, or what its faults make of it."""
    client = sign_in.asked.client
    alg = client.id_token_alg
    key = provider.keys.current(alg)
    now = int(provider.now.timestamp())
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "sub": sign_in.shown.subject,
        "aud": client.client_id,
        "azp": client.client_id,
        "iat": now,
        "exp": now + LIFE,
        "auth_time": int(sign_in.auth_time.timestamp()),
        "acr": acr,
        "amr": FACTORS[sign_in.choice.acr],
        "at_hash": jose.half_hash(access_token),
        "c_hash": jose.half_hash(sign_in.code),
    }
    if sign_in.asked.nonce is not None:
        claims["nonce"] = sign_in.asked.nonce
    header = {"alg": alg, "kid": key.kid, "typ": "JWT"}
    made = IdToken(header, claims, key.sign, provider.keys, client.secret or "")
    provider.misbehave(Stage.ID_TOKEN, sign_in, made)
    return made.written()
