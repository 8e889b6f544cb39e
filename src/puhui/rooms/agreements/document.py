"""Documents as bytes: one canonical form, so that the same facts have the same SHA-256 wherever they are written down."""

import hashlib
import json
from typing import Any


def canonical(facts: Any) -> bytes:
    """Give JSON in UTF-8 with sorted keys, without spaces; whole numbers and text only. Raises TypeError for floats' sake at the writer."""
    _refuse_floats(facts)
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def _refuse_floats(facts: Any) -> None:
    if isinstance(facts, float):
        raise TypeError("a document holds no floats")
    if isinstance(facts, dict):
        for value in facts.values():
            _refuse_floats(value)
    elif isinstance(facts, list | tuple):
        for value in facts:
            _refuse_floats(value)
