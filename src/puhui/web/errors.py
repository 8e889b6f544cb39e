"""The one place where a refusal becomes a status and a text."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from puhui.foundation.refusals import BadField, Refusal


def told(refusal: Refusal) -> dict[str, Any]:
    """Give the body of a refusal: its code, both sentences, whether to come again, and the plain facts."""
    return {
        "code": refusal.code,
        "text": refusal.text,
        "text_zh": refusal.text_zh,
        "retry": refusal.retry,
        "facts": _plain(refusal.facts),
    }


def as_bad_field(error: msgspec.ValidationError | msgspec.DecodeError) -> BadField:
    """Turn what msgspec found into a refusal that names the field."""
    text = str(error)
    why, _, path = text.partition(" - at `$")
    field = path.rstrip("`").lstrip(".") or _named(text) or "body"
    return BadField(field=field, why=why)


def _named(text: str) -> str:
    parts = text.split("`")
    return parts[1] if len(parts) > 2 and "field" in parts[0].lower() else ""


def _plain(facts: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | str | bool) else value.isoformat() if isinstance(value, date | datetime) else str(value)
        for name, value in facts.items()
    }
