"""Built-ins on strings."""

from __future__ import annotations

from puhui.engines.rules import patterns
from puhui.engines.rules.library.registry import Run, builtin, listed, single, text, whole
from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.values import Trouble


@builtin("substring", "string, start position, length?")
def substring(_: Run, string: object, start: object, length: object = None) -> object:
    told, place = text(string), whole(start)
    if place == 0 or abs(place) > len(told):
        raise Trouble(f"the string has no place {place}", "places count from 1, or from -1 backwards")
    begin = place - 1 if place > 0 else len(told) + place
    if length is None:
        return told[begin:]
    wanted = whole(length)
    if wanted < 1:
        raise Trouble("the length is less than one", "give the length as a positive number")
    return told[begin : begin + wanted]


@builtin("string length", "string")
def string_length(_: Run, string: object) -> object:
    from decimal import Decimal

    return Decimal(len(text(string)))


@builtin("upper case", "string")
def upper_case(_: Run, string: object) -> object:
    return text(string).upper()


@builtin("lower case", "string")
def lower_case(_: Run, string: object) -> object:
    return text(string).lower()


@builtin("substring before", "string, match")
def substring_before(_: Run, string: object, match: object) -> object:
    before, found, _after = text(string).partition(text(match)) if text(match) else ("", "", "")
    return before if found else ""


@builtin("substring after", "string, match")
def substring_after(_: Run, string: object, match: object) -> object:
    told, wanted = text(string), text(match)
    if not wanted:
        return told
    return told.partition(wanted)[2]


@builtin("replace", "input, pattern, replacement, flags?")
def replace(_: Run, told: object, pattern: object, replacement: object, flags: object = None) -> object:
    return patterns.replace(text(told), text(pattern), text(replacement), "" if flags is None else text(flags))


@builtin("contains", "string, match")
def contains(_: Run, string: object, match: object) -> object:
    return text(match) in text(string)


@builtin("starts with", "string, match")
def starts_with(_: Run, string: object, match: object) -> object:
    return text(string).startswith(text(match))


@builtin("ends with", "string, match")
def ends_with(_: Run, string: object, match: object) -> object:
    return text(string).endswith(text(match))


@builtin("matches", "input, pattern, flags?")
def matches(_: Run, told: object, pattern: object, flags: object = None) -> object:
    return patterns.matches(text(told), text(pattern), "" if flags is None else text(flags))


@builtin("split", "string, delimiter")
def split(_: Run, string: object, delimiter: object) -> object:
    return patterns.split(text(string), text(delimiter))


@builtin("string join", "list, delimiter?")
def string_join(_: Run, parts: object, delimiter: object = None) -> object:
    told = listed(parts)
    if wrong := [one for one in told if one is not None and not isinstance(one, str)]:
        raise Trouble(f"expected strings, not {kind_name(wrong[0])}", "turn the elements into strings first", "feel.type")
    between = "" if single(delimiter) is None else text(delimiter)
    return between.join(one for one in told if isinstance(one, str))
