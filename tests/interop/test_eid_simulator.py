"""Programs that others wrote, at the simulated providers: openid-client, Authlib, openssl.

They decide whether a healthy sign-in is right, and whether a fault is one.
"""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from dinhdanh.eid_simulator.faults.fault import Expected, Stage
from dinhdanh.eid_simulator.faults.registry import FAULTS
from dinhdanh.eid_simulator.running import Simulator, simulate
from tests.conftest import missing
from tests.interop import scripts

REDIRECT = "http://localhost:9/callback"
KEY = ECKey.generate_key("P-256", {"kid": "a-key", "alg": "ES256"})
BY_KEY = {
    "client_id": "by-key",
    "redirect_uris": [REDIRECT],
    "jwks": {"keys": [KEY.as_dict(private=False)]},
    "id_token_signed_response_alg": "ES256",
}
NUMBER = "038985000001"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulate(client_entries=[BY_KEY]) as made:
        yield made


# ---- openid-client -----------------------------------------------------------------------------

NOT_CHECKED = {"at_hash_other", "c_hash_other", "authorized_party_other"}
"""With the code flow openid-client checks neither hash (Core 3.1.3.8: it may) nor ``azp`` beside a
single audience (3.1.3.7: where there are several)."""


def test_openid_client_makes_of_each_fault_what_the_registry_says(sim: Simulator) -> None:
    chosen = [
        fault
        for fault in FAULTS.values()
        if "standard" in fault.profiles
        and fault.stage in (Stage.ID_TOKEN, Stage.CALLBACK, Stage.TOKEN, Stage.USERINFO)
        and fault.expected is not Expected.EITHER
    ]
    assert len(chosen) > 30
    config = {
        "issuer": f"{sim.base}/standard",
        "client_id": "demo",
        "client_secret": "simulation-only",
        "redirect_uri": REDIRECT,
        "faults": ["none", *(fault.code for fault in chosen)],
    }
    found = scripts.run("openid-client/eid_faults.mjs", config)
    assert found.pop("none") == NUMBER
    in_ = {code for code, what in found.items() if what == NUMBER}
    accept = {fault.code for fault in chosen if fault.expected is Expected.ACCEPT}
    assert in_ == accept | NOT_CHECKED, found


# ---- Authlib -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_authlibs_client_signs_in(sim: Simulator, method: str) -> None:
    issuer = f"{sim.base}/standard"
    metadata = httpx2.get(f"{issuer}/.well-known/openid-configuration").json()
    by_key = method == "private_key_jwt"
    client = OAuth2Client(
        "by-key" if by_key else "demo",
        KEY if by_key else "simulation-only",
        token_endpoint_auth_method=method,
        token_endpoint=metadata["token_endpoint"],
        redirect_uri=REDIRECT,
        scope="openid",
        code_challenge_method="S256",
    )
    client.register_client_auth_method(PrivateKeyJWT(alg="ES256"))
    with client:
        verifier = "v" * 50
        address, _ = client.create_authorization_url(
            metadata["authorization_endpoint"], nonce="a nonce", code_verifier=verifier
        )
        sim.control.next(person="huong")
        landed = httpx2.get(address).headers["location"]
        token = client.fetch_token(authorization_response=landed, code_verifier=verifier)
        keys = KeySet.import_key_set(httpx2.get(metadata["jwks_uri"]).json())
        alg = "ES256" if by_key else "RS256"
        decoded = jwt.decode(token["id_token"], keys, [alg])
        code = dict(parse_qsl(urlsplit(landed).query))["code"]
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": issuer},
                "nonce": {"essential": True, "value": "a nonce"},
            },
            {"access_token": token["access_token"], "code": code, "client_id": client.client_id},
        )
        claims.validate()
        told = client.get(metadata["userinfo_endpoint"]).json()
    assert (told["sub"], told["citizen_id"]) == (claims["sub"], NUMBER)


# ---- openssl -----------------------------------------------------------------------------------


def openssl(*arguments: str, given: bytes) -> bytes:
    command = shutil.which("openssl")
    if command is None:
        missing("openssl")
    done = subprocess.run([command or "", *arguments], input=given, capture_output=True, check=True)
    return done.stdout


def opened(data: str, key: str, private: Path) -> str:
    """What the 2026 profile has encrypted, by the openssl command alone."""
    how = ("pkeyutl", "-decrypt", "-inkey", str(private), "-pkeyopt", "rsa_padding_mode:pkcs1")
    aes = openssl(*how, given=base64.b64decode(key))
    how = ("enc", "-d", "-aes-256-ecb", "-K", aes.hex())
    return openssl(*how, given=base64.b64decode(data)).decode()


def test_openssl_opens_what_the_2026_profile_encrypts(sim: Simulator, tmp_path: Path) -> None:
    private = tmp_path / "private.pem"
    private.write_text(sim.demo_private_key)
    vneid = sim.provider("vneid2026")
    query = {
        "response_type": "code",
        "client_id": "demo",
        "redirect_uri": REDIRECT,
        "scope": "openid",
        "state": "s",
    }
    sim.control.next(person="hhen")
    landed = httpx2.get(vneid.address("authorize"), params=query).headers["location"]
    raw = dict(pair.split("=", 1) for pair in urlsplit(landed).query.split("&"))
    assert "+" in raw["code"]  # a literal one
    code = opened(unquote(raw["code"]), unquote(raw["encrypt_key"]), private)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "encrypt_key": raw["encrypt_key"],
        "redirect_uri": REDIRECT,
        "client_id": "demo",
        "client_secret": "simulation-only",
    }
    for wrong in ({"encrypt_key": ""}, {"code": raw["code"]}):
        assert httpx2.post(vneid.address("token"), data=form | wrong).status_code == 400
    token = _opened(httpx2.post(vneid.address("token"), data=form).json(), private)
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    told = _opened(httpx2.get(vneid.address("userinfo"), headers=bearer).json(), private)
    assert told == {
        "citizenPid": "066992000008",
        "fullName": "H'Hen Niê",
        "birthDate": "01/12/1992",
        "accountType": 1,
        "accountLevel": 2,
    }


def _opened(body: dict[str, str], private: Path) -> dict[str, Any]:
    assert set(body) == {"data", "key"}
    found: dict[str, Any] = json.loads(opened(body["data"], body["key"], private))
    return found
