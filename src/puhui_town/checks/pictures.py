"""Generated pictures of the town: a coarse block code that survives being encoded again.

A picture is a square of 10 x 10 plain blocks, black or white. The outer ring alternates, so that a picture of anything else is
recognised as such; the inner 8 x 8 blocks hold 64 bits, row by row: 4 bits kind, 8 bits variant, 4 bits zero, 32 bits number, 16 bits
check sum. No face and no card of any real person can come out of it. Residents draw with `draw`; the checks read with `read`.
"""

import io
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

PictureKind = Literal["face", "id_front", "id_back", "proof"]
Variant = Literal["genuine", "print", "screen", "mask", "deepfake", "copy", "altered"]
"""How the picture came to be; all but `genuine` are attacks (on a face) or forgeries (of a card)."""

KINDS: tuple[PictureKind, ...] = ("face", "id_front", "id_back", "proof")
VARIANTS: tuple[Variant, ...] = ("genuine", "print", "screen", "mask", "deepfake", "copy", "altered")
CELLS = 10
CELL_PX = 16


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture of the town shows: of whom or what (`number`), and how it came to be."""

    kind: PictureKind
    number: int
    variant: Variant = "genuine"


@lru_cache(maxsize=4096)
def draw(picture: Picture) -> bytes:
    """The picture as JPEG (160 x 160, grey, under 1 kB). The same picture is always the same bytes on one machine."""
    cells = _cells(_bits(picture))
    pixels = np.kron(cells, np.ones((CELL_PX, CELL_PX), dtype=np.uint8)) * np.uint8(200) + np.uint8(28)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=70)
    return out.getvalue()


def read(content: bytes) -> Picture | None:
    """The picture in these JPEG or PNG bytes, or None when it is no picture of the town, or too blurred to read."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            if image.width * image.height > 40_000_000:
                return None
            image.draft("L", (CELLS * 8, CELLS * 8))
            small = image.convert("L").resize((CELLS * 4, CELLS * 4), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    grey = np.asarray(small, dtype=np.float32).reshape(CELLS, 4, CELLS, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    cells = grey > (float(grey.max()) + float(grey.min())) / 2
    if not np.array_equal(cells, _cells(cells[1:-1, 1:-1])):
        return None
    return _picture(cells[1:-1, 1:-1])


def _bits(picture: Picture) -> NDArray[np.bool_]:
    assert 0 <= picture.number < 2**32, picture.number
    head = (KINDS.index(picture.kind) << 12 | VARIANTS.index(picture.variant) << 4).to_bytes(2, "big") + picture.number.to_bytes(4, "big")
    word = head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "big")
    bits: NDArray[np.bool_] = np.unpackbits(np.frombuffer(word, dtype=np.uint8)).astype(np.bool_)
    return bits.reshape(CELLS - 2, CELLS - 2)


def _cells(inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The inner bits with the ring around them."""
    rows, columns = np.indices((CELLS, CELLS))
    cells: NDArray[np.bool_] = (rows + columns) % 2 == 0
    cells[1:-1, 1:-1] = inner
    return cells


def _picture(inner: NDArray[np.bool_]) -> Picture | None:
    word = np.packbits(inner.reshape(-1)).tobytes()
    head, check = word[:6], word[6:]
    kind, variant = head[0] >> 4, (head[0] & 0xF) << 4 | head[1] >> 4
    if (zlib.crc32(head) & 0xFFFF).to_bytes(2, "big") != check or kind >= len(KINDS) or variant >= len(VARIANTS):
        return None
    return Picture(KINDS[kind], int.from_bytes(head[2:], "big"), VARIANTS[variant])
