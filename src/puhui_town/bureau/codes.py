"""The code tables and widths of the text file, read once from `codes.toml`."""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One fixed-width field of the header line; `value` empty means free."""

    name: str
    width: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class Codes:
    """All of `codes.toml` as values. Field kinds are sets of element names."""

    header: tuple[HeaderField, ...]
    header_length: int
    file_name: re.Pattern[str]
    file_bytes_max: int
    elements: dict[str, frozenset[str]]
    element_of: dict[str, str]
    segments: dict[str, dict[str, str]]
    required: dict[str, tuple[str, ...]]
    amounts: frozenset[str]
    counts: frozenset[str]
    days: frozenset[str]
    months: frozenset[str]
    allowed: dict[str, frozenset[str]]
    feedback_after_s: tuple[int, int]
    feedback_page_lines: int
    lines_at_once: int
    uses_max: dict[str, int]
    as_of_ahead_s_max: int
    answer_dispute_days: int
    bad_mark_years: int
    lender_kind: str


@lru_cache(maxsize=1)
def codes() -> Codes:
    data: dict[str, Any] = tomllib.loads(files("puhui_town.bureau").joinpath("codes.toml").read_text(encoding="utf-8"))
    uses = {reason: int(times) for reason, times in data["query"]["uses_max"].items() if reason != "label"}
    return Codes(
        header=tuple(HeaderField(row["name"], row["width"], row.get("value", "")) for row in data["header"]["fields"]),
        header_length=data["header"]["length"]["value"],
        file_name=re.compile(data["file"]["name"]["value"]),
        file_bytes_max=data["file"]["bytes_max"]["value"],
        elements={kind: frozenset(row["names"]) for kind, row in data["elements"].items()},
        element_of={kind: row["names"][0] for kind, row in data["elements"].items()},
        segments=data["segments"],
        required={segment: tuple(names) for segment, names in data["required"].items()},
        amounts=frozenset(data["amounts"]["fields"]),
        counts=frozenset(data["counts"]["fields"]),
        days=frozenset(data["days"]["fields"]),
        months=frozenset(data["months"]["fields"]),
        allowed={field: frozenset(row["values"]) for field, row in data["codes"].items()},
        feedback_after_s=(data["feedback"]["after_s_min"]["value"], data["feedback"]["after_s_max"]["value"]),
        feedback_page_lines=data["feedback"]["page_lines"]["value"],
        lines_at_once=data["feedback"]["lines_at_once"]["value"],
        uses_max=uses,
        as_of_ahead_s_max=data["query"]["as_of_ahead_s_max"]["value"],
        answer_dispute_days=data["query"]["answer_dispute_days"]["value"],
        bad_mark_years=data["query"]["bad_mark_years"]["value"],
        lender_kind=data["query"]["lender_kind"]["value"],
    )
