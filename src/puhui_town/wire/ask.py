"""What a service gets to see of a request, what it answers with, and how it says which paths are its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from puhui_town.wire.faults import Fault
from puhui_town.wire.words import bad_field, day_of, instant_of, json_bytes, read

T = TypeVar("T")

JSON = "application/json"
LENDER = frozenset({"lender"})
DRIVER = frozenset({"driver"})
BODY_MAX = 1024 * 1024
FILE_MAX = 64 * 1024 * 1024


@dataclass(slots=True)
class Ask:
    """A request that was verified: who asks what. `key` is the Idempotency-Key, `fault` a true fault that this deed must make happen."""

    op: str
    service: str
    method: str
    path: str
    args: Mapping[str, str]
    query_text: str
    headers: Mapping[str, str]
    raw: bytes
    key: str
    sender: str
    attempt: int
    at: datetime
    fault: Fault | None = None

    def read(self, kind: type[T]) -> T:
        """Give the body as a value. Raises Refused `bad-field`, naming the field."""
        return read(kind, self.raw)

    @property
    def body(self) -> dict[str, Any]:
        """The body as a plain object. Raises Refused `bad-field`."""
        return read(dict[str, Any], self.raw)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_text, keep_blank_values=True)) if self.query_text else {}

    def day(self, name: str) -> date:
        """Give a day of the query. Raises Refused `bad-field`."""
        return day_of(self._wanted(name), name)

    def instant(self, name: str) -> datetime:
        """Give an instant of the query. Raises Refused `bad-field`."""
        return instant_of(self._wanted(name), name)

    def cursor(self) -> int:
        """Give the query's cursor, 0 when absent. Raises Refused `bad-field`."""
        text = self.query.get("cursor", "") or "0"
        if not (text.isascii() and text.isdigit()):
            raise bad_field("cursor", "is none of those given out here")
        return int(text)

    def _wanted(self, name: str) -> str:
        value = self.query.get(name)
        if value is None:
            raise bad_field(name, "is missing from the query")
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in bytes. A handler may simply return a dict or a struct: it becomes a 200 in JSON. Status 0 closes the connection unanswered."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, value: object, status: int = 200) -> "Reply":
        return cls(status, json_bytes(value))


Answer = Reply | Mapping[str, Any] | msgspec.Struct
Handler = Callable[[Ask], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call. `verb` with the service's name is the `op` of the faults (`rail.transfer`).

    `template` is the whole path, `{name}` standing for one segment. `who` lists the owners of keys that may call it; None means anyone,
    unsigned. A POST wants an Idempotency-Key and gets its first answer again, unless `is_kept` is False (then a key is not asked for).
    """

    method: str
    template: str
    verb: str
    handler: Handler
    who: frozenset[str] | None = LENDER
    body_max: int = BODY_MAX
    is_kept: bool = True
    status: int = 200


@dataclass(frozen=True, slots=True)
class Service:
    """A party of the town. `prefix` is where its paths begin (`/rail`, `/funder/{partner}`), `key` the id of the key its replies are signed
    with, both with the path's `{names}` put in. Its keys must have been made by `world.keys.make(key_id, owner)`.

    The wire adds to every service: `GET {prefix}/v1/events`, `/v1/files`, `/v1/files/{name}`, and `PUT`, `GET {prefix}/v1/inbox/{name}`.
    """

    name: str
    prefix: str
    key: str
    routes: tuple[Route, ...] = field(default=())
    has_commons: bool = True
