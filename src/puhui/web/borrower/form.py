"""What a person sent with a form: fields and pictures. Read in memory and never laid down on a disk, for pictures are of faces and cards."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from puhui.foundation.refusals import BadField
from puhui.web.wire import FILE_MAX, read_body, texts_of

FORM_MAX = 1 << 16
PICTURES_MAX = 3 * FILE_MAX + FORM_MAX
PARTS_MAX = 64
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?')
_NAME = re.compile(rb'name="([A-Za-z0-9_]{1,40})"')
_YUAN = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form by name (the last one counts), every value of a repeated field, and the bytes of each picture that was chosen."""

    fields: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    def digits(self, name: str) -> str:
        """Give a number as people write it (spaces and dashes between its groups) without them."""
        return re.sub(r"[\s-]", "", self.text(name))

    def day(self, name: str) -> date:
        """Raises BadField."""
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            raise BadField(field=name, why="it is no day of the form 2026-09-01") from None

    def whole(self, name: str) -> int:
        """Raises BadField."""
        if not re.fullmatch(r"\d{1,12}", self.text(name), re.ASCII):
            raise BadField(field=name, why="it is no whole number")
        return int(self.text(name))

    def fen(self, name: str) -> int:
        """Read an amount of yuan ("3000", "3,000.50") as fen. Raises BadField."""
        found = _YUAN.fullmatch(self.text(name).replace(",", "").replace("，", ""))
        if found is None:
            raise BadField(field=name, why="write an amount in yuan, such as 3000 or 300.50")
        return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


async def read(request: Request) -> Form:
    """Read the form of a POST, urlencoded or with pictures. Raises TooLarge, BadField."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        return _multipart(await read_body(request, PICTURES_MAX), kind)
    pairs = parse_qsl((await read_body(request, FORM_MAX)).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
    return _form(pairs, {})


def _form(pairs: list[tuple[str, str]], files: dict[str, bytes]) -> Form:
    many: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        many[name] = (*many.get(name, ()), value)
    return Form(texts_of(dict(pairs)), many, files)


def _multipart(body: bytes, kind: str) -> Form:
    found = _BOUNDARY.search(kind)
    if found is None:
        raise BadField(field="form", why="it names no boundary")
    pairs, files = [], {}
    for part in body.split(b"--" + found[1].encode())[1:PARTS_MAX]:
        head, gap, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or name is None:
            continue
        value = value.removesuffix(b"\r\n")
        if b"filename=" in head:
            if value:
                files[name[1].decode()] = value
        else:
            pairs.append((name[1].decode(), value.decode("utf-8", "replace")))
    return _form(pairs, files)


def kept(form: Form, *names: str) -> dict[str, Any]:
    """Give back what may be shown again above a refusal: amounts, terms and texts, never a number of an id, a card or a code."""
    return {name: form.text(name) for name in names}
