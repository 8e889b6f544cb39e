"""A door as data: method, path, what its body is parsed into, who answers. Routes and the OpenAPI document are both made of these."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

TOKEN = {
    "name": "Authorization",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "pattern": "^Bearer .+"},
    "description": "The token of a member of staff.",
}


@dataclass(frozen=True, slots=True)
class Door:
    """One door. `is_signed` doors take a partner's signature; the others name the credential they want."""

    method: str
    path: str
    name: str
    summary: str
    answer: Callable[..., Awaitable[Any]]
    body: type[msgspec.Struct] | None = None
    is_signed: bool = False
    credential: Mapping[str, Any] = field(default_factory=lambda: TOKEN)
    roles: frozenset[str] = frozenset()
