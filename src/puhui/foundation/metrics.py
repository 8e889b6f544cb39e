"""What a process counts of its own work, for Prometheus: requests in and out, flows, callbacks, events, refusals, and what waits.

Labels are names of our own (routes, steps, kinds, codes, services); nothing of a person is ever one. Durations are real seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from prometheus_client import Counter, Gauge, Histogram

from puhui.foundation import sql
from puhui.foundation.work import Work

SQL = sql.load(__file__)
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

ANSWERED = Histogram("puhui_request_seconds", "Requests that we answered", ("method", "route", "status"), buckets=BUCKETS)
ASKED = Histogram("puhui_asked_seconds", "Requests that we sent, by service or partner and by what came back", ("service", "end"), buckets=BUCKETS)
TURNS = Histogram("puhui_flow_turn_seconds", "Turns of flows, from the step they began at", ("step", "end"), buckets=BUCKETS)
EVENTS = Counter("puhui_events_answered", "Events that their reactions have answered", ("kind",))
SET_ASIDE = Counter("puhui_events_set_aside", "Events that failed three times and wait for a person", ("kind",))
CALLBACKS = Counter("puhui_callbacks_read", "Callbacks read", ("kind", "end"))
REFUSALS = Counter("puhui_refusals", "Refusals told, by code", ("code",))

DATABASE = Gauge("puhui_database_up", "Whether the database answered just now")
WAITING = Gauge("puhui_waiting", "What waits: due flows, unread callbacks, callbacks given up, unanswered events, events set aside", ("what",))
OLDEST = Gauge("puhui_waiting_oldest_seconds", "How long the oldest due flow has waited, by the run's clock")


@contextmanager
def timed(histogram: Histogram, label: str) -> Iterator[None]:
    """Count one piece of work and how long it took; it ends as `done`, or as `fault` if it raises."""
    began, end = monotonic(), "fault"
    try:
        yield
        end = "done"
    finally:
        histogram.labels(label, end).observe(monotonic() - began)


async def look(work: Work) -> None:
    """Set the gauges to what waits now."""
    row = await SQL.queues.row(work, at=work.at)
    assert row is not None
    for what in ("flows", "callbacks", "callbacks_given_up", "events", "events_set_aside"):
        WAITING.labels(what).set(row[what])
    OLDEST.set(max(0.0, (work.at - row["oldest"]).total_seconds()) if row["oldest"] else 0.0)
    DATABASE.set(1)


def database_is_away() -> None:
    """Say that the database does not answer; what waits is unknown then and no old number stands for it."""
    DATABASE.set(0)
    WAITING.clear()
    OLDEST.set(float("nan"))
