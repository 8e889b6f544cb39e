"""Looking again: a decision run again from its record, and its variables computed again from the event log as it was known then.

The record alone gives the same outcome to the byte. The log must moreover give the same bytes of history, the same bits of variables, and so the same
values; where a person had them erased, the record is all there is, and it says so.
"""

from dataclasses import dataclass
from datetime import datetime

from puhui.engines.variables.origination import bare
from puhui.foundation.work import Work
from puhui.rooms import decisions, histories
from puhui.rooms.decisions import Record, Replayed

START = decisions.START
FROM_EVENTS = frozenset({"apply", "proof"})
"""Kinds of decisions whose values come from the log; a review takes those of the decision it looks at, as the reviewer corrected them."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A decision run again. `is_recomputed`: its variables were computed again from the event log too."""

    replayed: Replayed
    is_recomputed: bool

    @property
    def is_equal(self) -> bool:
        return self.replayed.is_equal


async def look_again(work: Work, record: Record) -> Looked:
    """Run a decision again, and compute its variables again from what was known then."""
    replayed = await decisions.replay(work, record)
    is_ours = record.sources.get("plan_sha256") == decisions.plan_sha256()  # else another set of variables decides today
    if not replayed.is_equal or not is_ours or record.kind not in FROM_EVENTS:
        return Looked(replayed, is_recomputed=False)
    if await histories.is_erased(work, customer_id=record.customer_id, tables=[table.name for table in bare().tables]):
        return Looked(replayed, is_recomputed=False)
    return Looked(Replayed(record.decision_id, await _difference(work, record)), is_recomputed=True)


async def look_again_page(work: Work, after: tuple[datetime, str] = START, *, most: int = decisions.MOST) -> tuple[list[Looked], tuple[datetime, str] | None]:
    """Look again at the next decisions in order of time; give them and where the next page begins, None at the end."""
    records = await decisions.records_after(work, *after, most)
    looked = [await look_again(work, record) for record in records]
    return looked, (records[-1].at, records[-1].decision_id) if len(records) == most else None


async def _difference(work: Work, record: Record) -> str:
    """Say what the event log gives otherwise than the record; "" if nothing."""
    sources, inputs = record.sources, decisions.read_inputs(record.inputs)
    known = await histories.known_as_of(
        work, customer_id=record.customer_id, catalogue=bare(), tables=sources["tables"], as_of_us=sources["as_of_us"], is_read=False
    )
    if known.sha256 != sources["events_sha256"]:
        return "events: the history as of then has other bytes"
    application = await decisions.find_application(work, record.customer_id, record.application_id)
    assert application is not None, record.application_id
    report = await histories.find_report(work, record.customer_id, sources["query_id"])
    asked = decisions.Asked(application.amount_fen, application.months, inputs.facts.age)
    again = decisions.compute(
        known.history, known.as_of_us, asked, decisions.read_report(report.content) if report and report.content else None, sources["states"]
    )
    if again.bits_sha256 != sources["bits_sha256"]:
        return "variables: their bits differ"
    differing = sorted(name for name, value in again.values.items() if inputs.values.get(name) != value)
    return f"values: {', '.join(differing[:3])} differ" if differing else ""
