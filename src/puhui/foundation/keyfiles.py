"""Signing keys in files: made on a first run for development, mode 0600; a development key is refused where we do not listen on loopback alone."""

import os
from base64 import b64decode
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from puhui.foundation.refusals import Refusal
from puhui.foundation.signing import ED25519, RSA, PrivateKey, PublicKey

DEVELOPMENT_MARK = ".development"


class KeyUnusable(Refusal):
    """The signing key {path} cannot be used: {why}."""

    code = "keys.unusable"


def load_private(path: Path, key_id: str, *, make: bool = False) -> PrivateKey:
    """Read a PEM (PKCS#8) private key; `make` creates an Ed25519 one for development. Raises KeyUnusable."""
    if make and not path.exists():
        _make(path)
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(path=path, why="others may read it; set its mode to 0600")
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise KeyUnusable(path=path, why="it does not exist") from None
    except OSError as error:
        raise KeyUnusable(path=path, why=error.strerror) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(path=path, why="it is no unencrypted PEM key") from None
    if isinstance(loaded, Ed25519PrivateKey):
        return PrivateKey(key_id, ED25519, loaded)
    if isinstance(loaded, RSAPrivateKey) and loaded.key_size >= 2048:
        return PrivateKey(key_id, RSA, loaded)
    raise KeyUnusable(path=path, why="it is neither Ed25519 nor RSA of 2,048 bits")


def is_development(path: Path) -> bool:
    return path.with_name(path.name + DEVELOPMENT_MARK).exists()


def load_public(path: Path, key_id: str, owner: str) -> PublicKey:
    """Read an Ed25519 public key kept as base64 DER. Raises KeyUnusable."""
    try:
        return PublicKey.read(key_id, owner, ED25519, b64decode(path.read_text("ascii").strip(), validate=True))
    except FileNotFoundError:
        raise KeyUnusable(path=path, why="it does not exist") from None
    except OSError as error:
        raise KeyUnusable(path=path, why=error.strerror) from None
    except (ValueError, TypeError, UnsupportedAlgorithm, Refusal):
        raise KeyUnusable(path=path, why="it is no Ed25519 key in base64 DER") from None


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    path.with_name(path.name + DEVELOPMENT_MARK).touch()
