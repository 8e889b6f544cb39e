"""Words of the console, Chinese and English, in one file; a key that is missing is shown as it is, and a test finds it."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("zh", "en")


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Give every word by key: `{key: {zh, en}}`."""
    told = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
    return {key: {"zh": zh, "en": en} for section in told.values() for key, (zh, en) in section.items()}


def word(key: str, language: str, **facts: Any) -> str:
    """Give a word in a language, with facts put in."""
    found = words().get(key)
    text = found[language] if found else key
    return text.format(**facts) if facts else text
