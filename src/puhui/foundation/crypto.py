"""Field encryption with blind indexes, and the ring of keys behind both.

A field is AES-256-GCM under the newest key of the ring, bound to its own name and to whose it is, so a cell moved to another row does
not open. A blind index is HMAC-SHA256 of the normalized value under a key of its own: equal values are found without being read.
Old keys open old cells until they are encrypted anew (`foundation/renewal`).
"""

import hashlib
import hmac
import json
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from puhui.foundation.refusals import Refusal


class CellDamaged(Refusal):
    """The encrypted field {field} does not open: it was altered, or its key {key_id} is not in the ring. Restore the key file or the row from a backup."""

    code = "crypto.cell-damaged"
    status = 500


class KeyFileUnusable(Refusal):
    """The key file {path} cannot be used: {why}. Without it no personal data can be read; restore it from the backup of the keys."""

    code = "crypto.key-file"


@dataclass(frozen=True, slots=True)
class FieldKeys:
    """The ring: key id (1..65535) -> 32 bytes; the greatest id encrypts, all decrypt. `index_key` never rotates alone."""

    keys: dict[int, bytes]
    index_key: bytes

    @property
    def newest(self) -> int:
        return max(self.keys)

    def seal(self, field: str, whose: str, value: str | bytes) -> bytes:
        """Encrypt one field of one person. Layout: key id (2 bytes), nonce (12), ciphertext and tag."""
        plain = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(12)
        return self.newest.to_bytes(2, "big") + nonce + AESGCM(self.keys[self.newest]).encrypt(nonce, plain, f"{field}|{whose}".encode())

    def open(self, field: str, whose: str, cell: bytes) -> bytes:
        """Decrypt. Raises CellDamaged."""
        key_id = int.from_bytes(cell[:2], "big")
        key = self.keys.get(key_id)
        if key is None:
            raise CellDamaged(field=field, key_id=key_id)
        try:
            return AESGCM(key).decrypt(cell[2:14], cell[14:], f"{field}|{whose}".encode())
        except (InvalidTag, ValueError):
            raise CellDamaged(field=field, key_id=key_id) from None

    def open_text(self, field: str, whose: str, cell: bytes) -> str:
        return self.open(field, whose, cell).decode()

    def blind(self, field: str, normalized: str) -> bytes:
        """Give the 32-byte blind index of a value already brought to its one normal form."""
        return hmac.new(self.index_key, f"{field}|{normalized}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed cells: its table with schema, itself, the field its cells are bound to, and the column that says whose each is."""

    table: str
    column: str
    field: str
    whose: str = "customer_id"

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


def fresh_keys() -> FieldKeys:
    return FieldKeys({1: secrets.token_bytes(32)}, secrets.token_bytes(32))


def rotated(ring: FieldKeys) -> FieldKeys:
    """Add a new newest key; old cells stay readable."""
    return FieldKeys(ring.keys | {ring.newest + 1: secrets.token_bytes(32)}, ring.index_key)


def retired(ring: FieldKeys, key_id: int) -> FieldKeys:
    """Drop an old key; what is still under it never opens again. The newest cannot go."""
    assert key_id != ring.newest
    return FieldKeys({k: key for k, key in ring.keys.items() if k != key_id}, ring.index_key)


def save_keys(ring: FieldKeys, path: Path) -> None:
    """Write the ring, mode 0600, in one rename, so that a crash leaves the old or the new file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps({"index_key": b64encode(ring.index_key).decode(), "keys": {str(k): b64encode(v).decode() for k, v in ring.keys.items()}})
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load_keys(path: Path, *, make: bool = False) -> FieldKeys:
    """Read the ring; `make` creates it on a first run. Raises KeyFileUnusable."""
    if make and not path.exists():
        save_keys(fresh_keys(), path)
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileUnusable(path=path, why="others may read it; set its mode to 0600")
        data = json.loads(path.read_text("utf-8"))
        ring = FieldKeys({int(k): b64decode(v) for k, v in data["keys"].items()}, b64decode(data["index_key"]))
        assert ring.keys
        assert all(len(key) == 32 for key in [*ring.keys.values(), ring.index_key])
    except FileNotFoundError:
        raise KeyFileUnusable(path=path, why="it does not exist") from None
    except OSError as error:
        raise KeyFileUnusable(path=path, why=error.strerror) from None
    except (ValueError, KeyError, AssertionError, AttributeError, TypeError, RecursionError):
        raise KeyFileUnusable(path=path, why="it is damaged") from None
    return ring
