"""Write a model as DMN 1.5: the file that was read, in the words of 1.5. Ids, order, comments, extensions and the diagram stay as they are."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from puhui.engines.rules.artefact import Artefact
from puhui.engines.rules.artefact import compile as compiled
from puhui.engines.rules.checking import checked
from puhui.engines.rules.door import Instant
from puhui.engines.rules.model import Model
from puhui.engines.rules.refusals import PolicyFails, UnreadableFile

DMN = "https://www.omg.org/spec/DMN/20230324/"
MODEL = f"{DMN}MODEL/"
OLDER = ("http://www.omg.org/spec/DMN/20180521/", "https://www.omg.org/spec/DMN/20191111/", "https://www.omg.org/spec/DMN/20211108/")
FIRST = {
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd": MODEL,
    "http://www.omg.org/spec/DMN/20151101/": MODEL,
    "http://www.omg.org/spec/FEEL/20140401": f"{DMN}FEEL/",
}
"""The words of 1.1. Shapes and their measures (DC, DI) keep their name of 2018 in every version."""


def written(model: Model) -> bytes:
    """The model's own file as DMN 1.5, in UTF-8. Refused: UnreadableFile."""
    root = parsed(model.source)
    text = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)
    for old, new in _words().items():
        text = text.replace(f'"{old}"'.encode(), f'"{new}"'.encode())
    return _plain_types(text)


def published(model: Model, decisions: list[str], schema: object, *, at: Instant = None) -> Artefact:
    """Compile for publishing: only a model that reads whole, and whose own examples hold.

    Raises ValueError as `compile` does. Refused: PolicyFails, UnknownDecision.
    """
    if faults := checked(model, at=at):
        raise PolicyFails(model=model.name, number=len(faults), first=str(faults[0]))
    return compiled(model, decisions, schema)


def parsed(source: bytes) -> Any:
    """The root of a file that `load` has read already, with its comments. Refused: UnreadableFile."""
    reader = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(source, reader)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableFile(file="given", why=f"it is not XML ({str(error)[:120]})") from error


def _words() -> dict[str, str]:
    told = dict(FIRST)
    for old in OLDER:
        told |= {f"{old}{name}/": f"{DMN}{name}/" for name in ("MODEL", "FEEL", "DMNDI")}
    return told


def _plain_types(text: bytes) -> bytes:
    """Types of FEEL have no prefix any more: `feel:string` becomes `string`."""
    root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    is_changed = False
    for tag in root.iter(etree.Element):
        own = {prefix for prefix, name in tag.nsmap.items() if prefix and name == f"{DMN}FEEL/"}
        for key, value in list(tag.attrib.items()):
            if key in {"typeRef", "outputTypeRef"} and (plain := _unprefixed(value, own)) != value:
                tag.set(key, plain)
                is_changed = True
        if isinstance(tag.tag, str) and etree.QName(tag).localname == "typeRef" and tag.text and (plain := _unprefixed(tag.text, own)) != tag.text:
            tag.text, is_changed = plain, True
    return bytes(etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)) if is_changed else text


def _unprefixed(value: str, prefixes: set[str]) -> str:
    found = re.fullmatch(r"\s*([\w.-]+):(.+?)\s*", value)
    return found[2] if found and found[1] in prefixes else value
