"""Histories: what is known of a person's past, from whom, since when, by which consent.

Words: history_event, fetch, page, report, as_of. Owns the tables of schema `histories`.
Keeps: the log is append-only; an asking is written before it is asked, and silence stays an open asking; nothing is fetched or read without a
permit; of two readings as of the same instant and place of the log, the bytes are the same; erasing takes the contents, never the fact.
"""

from puhui.rooms.histories import records
from puhui.rooms.histories.history import MONTHS_MAX, OWN, SOURCES, Fetch, FetchState, History, Page, Report, ReportState, page_of
from puhui.rooms.histories.operations import (
    append_own,
    ask_fetch,
    ask_fetches,
    ask_query,
    erase,
    erase_source,
    export,
    history,
    note_fetch,
    note_fetches,
    note_report,
)
from puhui.rooms.histories.records import FetchRefused, Records, fetch
from puhui.rooms.histories.store import fetches_of, fetches_of_parent, find_query, reports_of

__all__ = [
    "MONTHS_MAX",
    "OWN",
    "SOURCES",
    "Fetch",
    "FetchRefused",
    "FetchState",
    "History",
    "Page",
    "Records",
    "Report",
    "ReportState",
    "append_own",
    "ask_fetch",
    "ask_fetches",
    "ask_query",
    "erase",
    "erase_source",
    "export",
    "fetch",
    "fetches_of",
    "fetches_of_parent",
    "find_query",
    "history",
    "note_fetch",
    "note_fetches",
    "note_report",
    "page_of",
    "records",
    "reports_of",
]
