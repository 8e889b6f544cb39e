"""Time zones that an artefact brings with it: their rules as they stood when it was compiled, so that no upgrade of the machine changes an answer."""

from __future__ import annotations

import re
import struct
import zoneinfo
from collections.abc import Mapping, Sequence
from importlib import resources
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from puhui.engines.rules.schema import Field
from puhui.engines.rules.values import is_zone

NAMED = re.compile(rb"[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)+|UTC|GMT")
ZONES_MAX, BYTES_MAX = 200, 65_536


def named(sources: Sequence[bytes], fields: Sequence[Field]) -> dict[str, bytes] | None:
    """The rules (TZif) of every zone that the models name; None where neither they nor the columns speak of clocks."""
    names = sorted({found.decode() for source in sources for found in NAMED.findall(source) if is_zone(found.decode())})
    if not names and not any(one.kind in {"datetime", "time"} for one in fields):
        return None
    return {name: _data(name) for name in names[:ZONES_MAX]}


def opened(data: Mapping[str, bytes]) -> dict[str, ZoneInfo]:
    """Zones from their rules. Raises ValueError where the bytes are none."""
    told = {}
    for name, rules in data.items():
        if len(rules) > BYTES_MAX or not rules.endswith(b"\n") or not NAMED.fullmatch(name.encode()):
            raise ValueError("a zone is too large, cut, or has no name")  # Python reads one without an end of line for ever
        try:
            told[name] = ZoneInfo.from_file(BytesIO(rules), key=name)
        except (ValueError, struct.error, IndexError, OverflowError, EOFError, TypeError, AssertionError) as error:
            raise ValueError("a zone cannot be read") from error
    return told


def _data(name: str) -> bytes:
    for base in zoneinfo.TZPATH:
        file = Path(base) / name
        if file.is_file():
            return file.read_bytes()
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()
