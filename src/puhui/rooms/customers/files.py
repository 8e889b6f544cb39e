"""Files a person offers: pictures encoded anew without metadata, and papers as they are, encrypted under the person's own key."""

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime, time

from PIL import Image, ImageOps, UnidentifiedImageError

from puhui.foundation.days import DAY, business_date, instant
from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import Work
from puhui.rooms.customers import store
from puhui.rooms.customers.operations import file_life
from puhui.rooms.customers.store import StoredFile

PIXELS_MAX = 40_000_000
SIDE_MAX = 2400
BYTES_MAX = 5 * 1024 * 1024
TIDIES_AT = time(3, 40)


class FileUnreadable(Refusal):
    """The file is no JPEG, PNG or PDF that can be read, or larger than 5 MiB or 40 megapixels; please send another."""

    code = "customers.file-unreadable"
    zh = "文件打不开或太大了。请上传 5MB 以内的 JPG、PNG 图片或 PDF。"


@dataclass(frozen=True, slots=True)
class Taken:
    """An uploaded file as it is kept."""

    file_ref: str
    sha256: str
    media_type: str


def encode_anew(data: bytes) -> tuple[bytes, str]:
    """Give the file without metadata, and its media type. Pictures are drawn anew (upright, at most 2400 pixels a side). Raises FileUnreadable."""
    if not data or len(data) > BYTES_MAX:
        raise FileUnreadable
    if data.startswith(b"%PDF-"):
        if b"%%EOF" not in data[-2048:] or b"startxref" not in data[-2048:]:
            raise FileUnreadable
        return data, "application/pdf"
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                raise FileUnreadable
            is_png = opened.format == "PNG"
            picture = ImageOps.exif_transpose(opened).convert("L" if opened.mode in {"L", "1", "LA"} else "RGB")
            picture.thumbnail((SIDE_MAX, SIDE_MAX))
            fresh = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise FileUnreadable from None
    out = io.BytesIO()
    if is_png:
        fresh.save(out, format="PNG", optimize=False)
        return out.getvalue(), "image/png"
    fresh.save(out, format="JPEG", quality=88)
    return out.getvalue(), "image/jpeg"


async def take_file(work: Work, *, owner: str, key: str, encoded: bytes, media_type: str) -> Taken:
    """Keep a file of an owner (a customer, or a session before the person is known); the same file under the same key is the same one."""
    sha256 = hashlib.sha256(encoded).hexdigest()
    file_ref = f"up-{hashlib.sha256(f'{owner}|{key}|{sha256}'.encode()).hexdigest()[:28]}"
    await store.add_file(work, owner=owner, file_ref=file_ref, sha256=sha256, media_type=media_type, data=encoded)
    return Taken(file_ref, sha256, media_type)


async def open_file(work: Work, *, owners: list[str], file_ref: str) -> StoredFile:
    """Give a file that one of these owners offered. Raises NotFound."""
    found = await store.find_file(work, owners=owners, file_ref=file_ref)
    if found is None:
        raise NotFound(what="file", which=file_ref)
    return found


async def use_file(work: Work, *, owners: list[str], file_ref: str, kind: str) -> None:
    """Say what a file was used for: faces and pictures of papers leave after the hours of the law's pack, proofs live as long as the decision."""
    life = file_life(work, kind)
    delete_at = min(work.at + life, next_tidying(work.at)) if life else None
    await store.set_file_kind(work, owners=owners, file_ref=file_ref, kind=kind, delete_at=delete_at)


def next_tidying(at: datetime) -> datetime:
    """Give the next time the house is tidied: what may live a day leaves then, so that it never lives longer."""
    today = instant(business_date(at), TIDIES_AT)
    return today if today > at else today + DAY
