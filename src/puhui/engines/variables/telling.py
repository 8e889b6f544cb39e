"""Told again: of what a source tells a second time only the news is kept; and a history as it was known at an instant.

Two askings of a source overlap by almost all their rows. Kept twice, a history would grow with every asking and every event would have two versions.
"""

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.columns import Columns, Raw, instant_us, read_columns
from puhui.engines.variables.declaring import over
from puhui.engines.variables.history import Fetch, History, Rows, rows_of
from puhui.engines.variables.tables import Table

_ALONE: dict[str, Catalogue] = {}  # by what a stored history depends on; a house knows some twenty tables


def alone(table: Table) -> Catalogue:
    """Give the catalogue of this table alone: what is stored by it stays readable when other tables come and go."""
    shape = repr(table.shape())
    if shape not in _ALONE:
        _ALONE[shape] = Catalogue(over(table))
    return _ALONE[shape]


def with_news(table: Table, before: Rows | None, told: Columns | Raw) -> Rows:
    """Give a table's rows with what is new in `told`: events not known, and events told otherwise than what is in force of them.

    A null tells nothing, so it takes nothing back. Of several versions that are told as known at one instant, the greatest revision is taken.
    Raises: TwoTruths, TooManyRows, and the refusals of reading columns.
    """
    raw = told if isinstance(told, Raw) else read_columns(table, told)
    if len(raw.event_id) and (raw.known_time == raw.known_time[0]).all():
        raw = raw.take(_in_force(raw))
    if before is None or not len(before):
        return rows_of(table, raw)
    known = before.raw(table)
    news = raw.take(np.flatnonzero(~_is_known(known, raw)))
    return rows_of(table, news.after(known)) if len(news.event_id) else before


def _in_force(raw: Raw) -> NDArray[np.intp]:
    order = np.lexsort((raw.revision, raw.known_time, raw.event_id))
    ids = raw.event_id[order]
    last = np.ones(len(ids), np.bool_)
    last[:-1] = ids[1:] != ids[:-1]
    return np.sort(order[last])


def _is_known(before: Raw, told: Raw) -> NDArray[np.bool_]:
    """Say of each row told whether it says no more than the version in force of its event."""
    held = _in_force(before)
    held = held[np.argsort(before.event_id[held], kind="stable")]
    ids = before.event_id[held]
    place = np.minimum(np.searchsorted(ids, told.event_id), len(ids) - 1)
    at = held[place]
    same = (ids[place] == told.event_id) & (before.event_time[at] == told.event_time) & (before.retracted[at] == told.retracted)
    for field in range(len(told.values)):
        same &= ~told.ok[field] | (before.ok[field][at] & (before.values[field][at] == told.values[field]))
    for old, new in zip(before.texts, told.texts, strict=True):
        codes = new.after(old).by(()).codes
        was, now = codes[: len(before.event_id)][at], codes[len(before.event_id) :]
        same &= (now == 0) | (was == now)
    return np.asarray(same, np.bool_)


def as_known(history: History, at_us: int) -> History:
    """Give a history as it was known at an instant: rows, fetches and ends of consents after it are not in it. An end is said when it happens."""
    fetches = {name: tuple(fetch for fetch in some if _is_known_by(fetch, at_us)) for name, some in history.fetches.items()}
    tables: dict[str, Rows | None] = {}
    for table in history.catalogue.tables:
        rows = history.tables[table.name]
        if rows is None or (table.consent and not any(instant_us("a fetch", fetch.at) <= at_us for fetch in fetches[table.name])):
            tables[table.name] = None
            continue
        early = rows.known_time <= at_us
        tables[table.name] = rows if early.all() else rows_of(table, rows.raw(table).take(np.flatnonzero(early)))
    if fetches == history.fetches and all(tables[name] is rows for name, rows in history.tables.items()):
        return history
    return History(history.catalogue, tables, fetches)


def _is_known_by(fetch: Fetch, at_us: int) -> bool:
    assert isinstance(fetch.at, int), fetch
    return fetch.at <= at_us or (isinstance(fetch.until, int) and fetch.until <= at_us)
