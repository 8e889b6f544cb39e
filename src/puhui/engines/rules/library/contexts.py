"""Built-ins on contexts."""

from __future__ import annotations

from puhui.engines.rules.library.registry import Run, builtin, listed, mapping, text
from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.values import Trouble


@builtin("get value", "m, key")
def get_value(_: Run, m: object, key: object) -> object:
    told, name = mapping(m), key
    if isinstance(name, list):
        value: object = told
        for one in _path(name):
            value = mapping(value).get(one) if isinstance(value, dict) else None
        return value
    if text(name) not in told:
        raise Trouble(f"the context has no entry {name}", f"its entries are {', '.join(told)[:100]}", "feel.name")
    return told[text(name)]


@builtin("get entries", "m")
def get_entries(_: Run, m: object) -> object:
    return [{"key": name, "value": value} for name, value in mapping(m).items()]


@builtin("context", "entries")
def context(_: Run, entries: object) -> object:
    told: dict[str, object] = {}
    for entry in listed(entries):
        if not isinstance(entry, dict) or "key" not in entry or "value" not in entry or not isinstance(entry["key"], str):
            raise Trouble("an entry has a key and a value", 'give a list of {key: "a", value: 1}', "feel.type")
        if entry["key"] in told:
            raise Trouble(f"the key {entry['key']} is said twice", "give each entry its own key", "feel.name")
        told[entry["key"]] = entry["value"]
    return told


@builtin("context put", "context, keys, value")
def context_put(_: Run, m: object, keys: object, value: object) -> object:
    if isinstance(keys, list):
        return _put(mapping(m), _path(keys), value)
    return {**mapping(m), text(keys): value}


@builtin("context put", "context, key, value")
def context_put_one(_: Run, m: object, key: object, value: object) -> object:
    if isinstance(key, list):
        raise Trouble("expected one key, not a list", "give a list of keys as `keys`", "feel.type")
    return {**mapping(m), text(key): value}


def _path(keys: object) -> list[str]:
    if not isinstance(keys, list) or not keys:
        raise Trouble("expected a list of keys", "give the keys from the outermost inwards", "feel.type")
    if wrong := [one for one in keys if not isinstance(one, str)]:
        raise Trouble(f"expected keys, not {kind_name(wrong[0])}", "keys are strings", "feel.type")
    return [one for one in keys if isinstance(one, str)]


def _put(told: dict[str, object], keys: list[str], value: object) -> dict[str, object]:
    first, *rest = keys
    if not rest:
        return {**told, first: value}
    if len(keys) > 100:
        raise Trouble("the path is too long", "at most 100 keys", "feel.limit")
    inner = told.get(first)
    if not isinstance(inner, dict):
        raise Trouble(f"{first} is no context to put into", "put the outer context first", "feel.type")
    return {**told, first: _put(inner, rest, value)}


@builtin("context merge", "contexts")
def context_merge(_: Run, contexts: object) -> object:
    told: dict[str, object] = {}
    for one in listed(contexts):
        told |= mapping(one)
    return told
