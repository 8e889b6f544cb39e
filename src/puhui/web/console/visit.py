"""A visit: who asks for which page, in which language, with which query; and how a page of a list is read."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypedDict
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField
from puhui.foundation.work import Actor, Work
from puhui.rooms.staff import Duty, Member

MOST = 25
EXPORT_MOST = 5000
PAGE_MAX = 100_000
SHANGHAI = ZoneInfo("Asia/Shanghai")
_SHORT = re.compile(r"^[\w.:@#-]{1,64}$")


class Span(TypedDict):
    """A page of a list: how many rows at most, after how many."""

    most: int
    skip: int


@dataclass(frozen=True, slots=True)
class Visit:
    """`ids` come from the path, `query` from the address, `form` from a deed; `revealed` holds what this one answer shows in clear."""

    desk: Desk
    member: Member
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    language: str = "zh"
    theme: str = "auto"
    form: Mapping[str, str] = field(default_factory=dict)
    revealed: Mapping[str, str] = field(default_factory=dict)
    is_export: bool = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Work]:
        async with self.desk.work(Actor("staff", self.member.staff_id), durable=False) as work:
            yield work

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Work]:
        async with self.desk.work(Actor("staff", self.member.staff_id)) as work:
            yield work

    def may(self, *duties: Duty) -> bool:
        return any(self.member.may(duty) for duty in duties)

    # -- the query

    @property
    def page(self) -> int:
        text = self.query.get("page", "1")
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PAGE_MAX):
            raise BadField(field="page", why=f"a whole number from 1 to {PAGE_MAX}")
        return int(text)

    @property
    def span(self) -> "Span":
        """Give `most` and `skip` of the page asked for; an export reads larger pages."""
        most = EXPORT_MOST if self.is_export else MOST
        return {"most": most, "skip": (self.page - 1) * most}

    def one_of(self, name: str, allowed: tuple[str, ...] | frozenset[str]) -> str | None:
        """Give a query value that must be one of these, or None."""
        value = self.query.get(name, "")
        if value and value not in allowed:
            raise BadField(field=name, why=f"it is one of {', '.join(sorted(allowed))}")
        return value or None

    def short(self, name: str) -> str | None:
        """Give a short id-like query value, or None."""
        value = self.query.get(name, "")
        if value and not _SHORT.fullmatch(value):
            raise BadField(field=name, why="an id of at most 64 letters, digits and . : @ # _ -")
        return value or None

    def whole(self, name: str) -> int | None:
        value = self.query.get(name, "")
        if value and not (value.isascii() and value.isdigit() and len(value) < 10):
            raise BadField(field=name, why="a whole number")
        return int(value) if value else None

    def day(self, name: str) -> date | None:
        value = self.query.get(name, "")
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            raise BadField(field=name, why="a day like 2026-09-30") from None

    def month(self, name: str) -> tuple[date, date] | None:
        """Give the first day of a month (2026-09) and of the next, or None."""
        value = self.query.get(name, "")
        if not value:
            return None
        try:
            since = date.fromisoformat(f"{value}-01")
        except ValueError:
            raise BadField(field=name, why="a month like 2026-09") from None
        return since, (since + timedelta(days=32)).replace(day=1)

    def here(self, **changes: object) -> str:
        """Give this address with some of its query changed; None takes one away, and a changed filter begins at the first page."""
        kept = {name: value for name, value in self.query.items() if name not in {"page", "done", "as"}}
        given = kept | {name: str(value) for name, value in changes.items() if value is not None}
        left = {name: value for name, value in given.items() if not (name in changes and changes[name] is None)}
        return f"{self.path}?{urlencode(left)}" if left else self.path


def address(path: str, **query: object) -> str:
    """Give an address of the console; what is None stays out."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def rows_of(values: Any) -> list[dict[str, Any]]:
    """Give dataclasses of a room as rows by field name; an enum by its value."""
    return [{name: getattr(getattr(one, name), "value", getattr(one, name)) for name in one.__dataclass_fields__} for one in values]
