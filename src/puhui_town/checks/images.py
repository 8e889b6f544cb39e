"""Pictures sent for checking: read once when they come, and only what they show is kept, never the bytes."""

import hashlib

import msgspec

from puhui_town.checks.pictures import KINDS, VARIANTS, Picture, read
from puhui_town.wire.store import Table
from puhui_town.wire.words import bad_field


class Image(msgspec.Struct, frozen=True):
    """What a picture shows; `kind` empty when it shows nothing the town knows."""

    kind: str
    number: int = 0
    variant: str = ""


class Images:
    """All pictures of the run by the SHA-256 of their bytes."""

    def __init__(self, table: Table[Image]) -> None:
        self._table = table

    def put(self, sha256: str, content: bytes) -> None:
        """Take a picture. Raises Refused `bad-field` when the bytes are not those of the hash."""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise bad_field("sha256", "is not that of the bytes")
        if sha256 in self._table:
            return
        shown = read(content)
        self._table.put(sha256, Image(shown.kind, shown.number, shown.variant) if shown else Image(""))

    def find(self, sha256: str) -> tuple[bool, Picture | None]:
        """Whether the picture has come, and what it shows."""
        image = self._table.get(sha256)
        if image is None:
            return False, None
        kind = next((kind for kind in KINDS if kind == image.kind), None)
        variant = next((variant for variant in VARIANTS if variant == image.variant), None)
        return True, Picture(kind, image.number, variant) if kind and variant else None
