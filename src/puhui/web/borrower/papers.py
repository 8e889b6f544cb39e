"""Papers of a person, read for showing: the sealed bytes are the truth, the page is how they look."""

from typing import Any

import msgspec

from puhui.journeys.documents import Document


def read_paper(document: Document) -> dict[str, Any]:
    """Give the facts of a cost table, contract, receipt or certificate."""
    facts: dict[str, Any] = msgspec.json.decode(document.data)
    return facts
