"""Keys that outlive a process: in a folder, if one is named; otherwise nothing is kept."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dinhdanh.eid_simulator.jose import ALGORITHMS, SigningKey, SigningKeys, new_key
from dinhdanh.eid_simulator.people import WrongFile

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def in_pem(key: PrivateKey) -> str:
    """The private key, unencrypted: it protects nothing but a simulation."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def signing_keys(folder: Path | None, prefix: str) -> SigningKeys:
    """A provider's keys: those of the folder, and what it lacks is made and kept there."""
    if folder is None:
        return SigningKeys()
    keys = {}
    for alg in ALGORITHMS:
        private = _kept(folder / f"{prefix}-{alg.lower()}.pem", partial(_new_private, alg))
        keys[alg] = SigningKey(f"sim-{prefix}-{alg.lower()}", alg, private)
    return SigningKeys(keys)


def encryption_key(folder: Path | None) -> rsa.RSAPrivateKey:
    """The private key of the client that is always there."""
    if folder is None:
        return rsa.generate_private_key(65537, 2048)
    key = _kept(folder / "demo-client.pem", partial(_new_private, "RS256"))
    if not isinstance(key, rsa.RSAPrivateKey):
        raise WrongFile(f"{folder}/demo-client.pem: an RSA key is expected")
    return key


def _new_private(alg: str) -> PrivateKey:
    return new_key(alg).private


def _kept(file: Path, make: Callable[[], PrivateKey]) -> PrivateKey:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(in_pem(make()), "ascii")
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except ValueError as exc:
        raise WrongFile(f"{file}: {exc}") from exc
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise WrongFile(f"{file}: an RSA or EC key is expected")
    return key
