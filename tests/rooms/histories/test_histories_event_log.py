"""The event log of derived variables: PostgreSQL, LMDB and Parquet keep the same history, to the byte; what is erased is gone from all of them."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from puhui.engines import variables
from puhui.engines.variables.origination import bare
from puhui.foundation.crypto import CellDamaged
from puhui.proofs.variables import nasty_history
from puhui.rooms import histories
from puhui.rooms.histories import LogUnusable, events
from puhui.rooms.histories.event_log import empty, plain_rows, shard_of
from puhui.rooms.histories.events import Told
from puhui.rooms.histories.spark import MapInArrow

LENDING = variables.lending()
LI, WANG = "cu-1a3-li", "cu-1a3-wang"
ROW = {"event_id": [1], "duration_ms": [900], "step": [2], "event": ["login"], "page": ["home"], "network": [None], "hour_band": ["night"], "session": ["s"]}
TXN = {"event_id": [7], "amount": [500], "balance": [None], "direction": ["in"], "channel": ["app"], "type": ["salary"], "hour_band": ["night"],
       "weekday": ["mon"], "counterparty": ["c"]}  # fmt: skip


class Plainly:
    """Seals by turning bytes over and writing whose they are: enough to see that nothing lies in clear and nobody reads another's."""

    def seal(self, field, whose, value):
        return f"{field}|{whose}|".encode() + bytes(value)[::-1]

    def open(self, field, whose, cell):
        head = f"{field}|{whose}|".encode()
        if not cell.startswith(head):
            raise CellDamaged(field=field, key_id=0)
        return cell[len(head) :][::-1]


def us(at):
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def people(count=6):
    rng = np.random.default_rng(9)
    return {f"person-{place}": nasty_history(rng, LENDING)[0] for place in range(count)}


def fill(log, person, history):
    """Append a history row by row, table by table."""
    for table in LENDING.tables:
        rows = plain_rows(history, table)
        if rows is None:
            continue
        for place in range(len(rows["event_id"])):
            log.append(person, table.name, {name: column[place : place + 1] for name, column in rows.items()})
        log.append(person, table.name, {}, history.fetches[table.name])


def told(history):
    """What a log that knows no empty table of our own must keep."""
    return {table.name: rows for table in LENDING.tables if (rows := plain_rows(history, table)) and (rows["event_id"] or history.fetches[table.name])}, history.fetches


@pytest.fixture(params=["lmdb", "parquet"])
def log(request, tmp_path):
    if request.param == "parquet":
        yield histories.open_lake(tmp_path / "lake", LENDING, shards=3)
        return
    opened = histories.open_replica(tmp_path / "replica", LENDING, Plainly())
    yield opened
    opened.close()


def test_a_log_gives_back_the_history_it_was_told_piece_by_piece(log):
    everybody = people(4)
    for person, history in everybody.items():
        fill(log, person, history)
    for person, history in everybody.items():
        assert told(log.read(person)) == told(history)
        assert told(log.read(person, ["app"]))[0].keys() <= {"app"}
    assert told(log.read("nobody")) == told(empty(LENDING))
    scanned = {person: history for shard in range(3) for person, history in log.scan(shard, 3)}
    assert scanned.keys() == {person for person, history in everybody.items() if told(history)[0] or any(history.fetches.values())}
    assert all(shard_of(person, 3) == shard for shard in range(3) for person, _ in log.scan(shard, 3))
    plan = LENDING.plan(["app.count.ever", "txn.count.ever", "repayment.late_days.max.720d"])
    as_of = 1_700_000_000_000_000
    assert all(plan.one(scanned[p], as_of).tobytes() == plan.one(log.read(p), as_of).tobytes() for p in scanned)


def test_who_is_erased_is_gone_and_the_others_stay(log):
    for person, history in people(3).items():
        fill(log, person, history)
    before = told(log.read("person-1"))
    log.erase("person-0")
    assert told(log.read("person-0")) == told(empty(LENDING))
    assert told(log.read("person-1")) == before
    assert "person-0" not in {person for shard in range(3) for person, _ in log.scan(shard, 3)}


def test_many_files_of_a_shard_become_one_and_say_the_same(tmp_path):
    lake = histories.open_lake(tmp_path, LENDING, shards=2)
    for person, history in people(4).items():
        fill(lake, person, history)
    before = {person: told(history) for shard in range(2) for person, history in lake.scan(shard, 2)}
    for shard in range(2):
        lake.compact(shard)
    assert {person: told(history) for shard in range(2) for person, history in lake.scan(shard, 2)} == before
    assert all(len(list(folder.glob("*.parquet"))) == 1 for folder in tmp_path.glob("*/shard=*"))
    with pytest.raises(LogUnusable):
        histories.open_lake(tmp_path, LENDING, shards=5)
    with pytest.raises(LogUnusable):
        list(lake.scan(0, 5))


def test_a_replica_is_sealed_and_each_cell_is_one_persons(tmp_path):
    replica = histories.open_replica(tmp_path, LENDING, Plainly())
    replica.append(LI, "app", {**ROW, "event_time": [5], "known_time": [5]})
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"PHV1" not in stored
    with pytest.raises(LogUnusable):
        replica.append("x" * 600, "app", {})
    replica.close()


async def test_the_house_appends_reads_scans_and_erases(work):
    at = us(work.at)
    app = {**ROW, "event_time": [at - 1_000_000]}
    txn = {**TXN, "event_time": [at - 5_000_000]}
    assert await histories.append_events(work, customer_id=LI, catalogue=LENDING, table="app", rows=app) == 1
    assert await histories.append_events(work, customer_id=LI, catalogue=LENDING, table="app", rows={**app, "duration_ms": [1200], "revision": [1]}) == 2
    consent = [("co-1", work.at + timedelta(days=1))]
    await histories.append_events(work, customer_id=LI, catalogue=LENDING, table="txn", rows=txn, fetched=consent)
    await histories.append_events(work, customer_id=WANG, catalogue=LENDING, table="app", rows=app)

    known = await histories.read_events(work, customer_id=LI, catalogue=LENDING)
    plan = LENDING.plan(["app.duration_ms.sum.7d", "txn.amount.sum.7d", "app.count.7d"])
    assert plan.one(known, at).tolist() == [1200.0, 500.0, 1.0]
    assert np.isnan(plan.one(known, at - 1)[1])
    assert np.isnan(plan.one(known, at + 86_400_000_000)[1])
    scanned = {}
    for shard in (0, 1):
        scanned |= {person: one async for person, one in histories.scan_events(work, catalogue=LENDING, shard=shard, shards=2)}
    assert {person: history.blob() for person, history in scanned.items()}[LI] == known.blob()
    assert scanned.keys() == {LI, WANG}

    assert (await histories.export(work, customer_id=LI))["events"]["txn"]["rows"]["amount"] == [500]
    await histories.erase(work, customer_id=LI)
    assert (await histories.read_events(work, customer_id=LI, catalogue=LENDING)).blob() == empty(LENDING).blob()
    assert (await histories.export(work, customer_id=LI))["events"] == {}
    assert await histories.append_events(work, customer_id=LI, catalogue=LENDING, table="app", rows=app) == 3


async def test_rows_never_say_themselves_when_they_were_known(work):
    with pytest.raises(LogUnusable):
        await histories.append_events(work, customer_id=LI, catalogue=LENDING, table="app", rows={**ROW, "event_time": [5], "known_time": [5]})


def test_spark_gets_the_same_kernel_and_its_absence_is_said():
    everybody = people(3)
    plan = LENDING.plan(["app.count.ever", "txn.count.ever"])
    as_of = 1_700_000_000_000_000
    batch = pa.record_batch({"person": list(everybody), "as_of": [as_of] * 3, "blob": [history.blob() for history in everybody.values()]})
    (answer,) = MapInArrow(plan.to_bytes())([batch])
    assert np.array([column.to_numpy() for column in answer.columns[2:]]).T.tobytes() == plan.batch(list(everybody.values()), as_of).tobytes()
    try:
        import pyspark  # noqa: F401
    except ImportError:
        with pytest.raises(LogUnusable):
            histories.answers_on_spark(None, plan)


# -- the house's log behind decisions -------------------------------------------------------------------------------------

BARE = bare()
WAGE = {"event_id": [1], "revision": [0], "amount": [900], "balance": [5], "kind": ["wage"], "channel": [None], "hour_band": ["night"], "counterparty": [None]}


def wages(at_us, amount=900):
    return Told({**WAGE, "event_time": [at_us - 1_000_000], "known_time": [at_us], "amount": [amount]}, (variables.Fetch(at_us, "co-1"),))


async def known(work, as_of_us, *, is_read):
    return await histories.known_as_of(work, customer_id=LI, catalogue=BARE, tables=["bank_flow"], as_of_us=as_of_us, is_read=is_read)


async def test_what_was_read_as_of_an_instant_is_never_added_to(work):
    """A row that is told for the same tap after the decision is known from the next microsecond, and the history as of the tap stays the same bytes."""
    at = us(work.at)
    await events.tell(work, customer_id=LI, catalogue=BARE, told={"bank_flow": wages(at)}, as_of_us=at)
    first = await known(work, at, is_read=True)
    assert first.as_of_us == at
    await events.tell(work, customer_id=LI, catalogue=BARE, told={"bank_flow": wages(at, 300)}, as_of_us=at)
    await histories.append_events(work, customer_id=LI, catalogue=BARE, table="app", rows={**ROW, "event_time": [at - 5]})
    again, second = await known(work, at, is_read=False), await known(work, at, is_read=True)
    assert (again.sha256, again.history.blob()) == (first.sha256, first.history.blob())
    assert second.as_of_us == at + 1
    plan = BARE.plan(["bank_flow.amount.sum.30d[kind=wage]", "app.count.30d"])
    assert [plan.one(one.history, one.as_of_us).tolist() for one in (again, second)] == [[900.0, 0.0], [300.0, 1.0]]


async def test_a_consent_that_ended_leaves_the_past_as_it_was_and_the_future_empty(work):
    at = us(work.at)
    await events.tell(work, customer_id=LI, catalogue=BARE, told={"bank_flow": wages(at)}, as_of_us=at)
    before = await known(work, at, is_read=True)
    assert await histories.end_consent(work, customer_id=LI, catalogue=BARE, table="bank_flow", consent_id="co-1")
    assert not await histories.end_consent(work, customer_id=LI, catalogue=BARE, table="bank_flow", consent_id="co-other")
    plan = BARE.plan(["bank_flow.count.30d"])
    assert plan.one((await known(work, at, is_read=False)).history, at).tolist() == [1.0]
    assert (await known(work, at, is_read=False)).sha256 == before.sha256
    later = await known(work, at + 1, is_read=True)
    assert plan.why(later.history, later.as_of_us, "bank_flow.count.30d") is variables.Missing.NO_TABLE


async def test_our_own_rows_wait_until_the_history_is_read_and_a_payment_that_came_back_is_none(work):
    at = us(work.at)
    paid = {"event_id": 7, "event_time": at - 9, "paid": 500, "status": "late", "loan": "ln-1"}
    told = [histories.Arrival(LI, 1, "repayment", paid), histories.Arrival(LI, 2, "repayment", {**paid, "event_id": 8}), histories.Arrival(WANG, 3, "repayment", paid)]
    await histories.note_arrivals(work, told)
    await histories.note_arrivals(work, told)
    plan = BARE.plan(["repayment.count.30d[status=late]", "repayment.paid.sum.30d"])
    first = await known(work, at, is_read=True)
    assert plan.one(first.history, at).tolist() == [2.0, 1000.0]
    await histories.note_arrivals(work, [histories.Arrival(LI, 4, "repayment", {**paid, "retracted": True})])
    second = await known(work, at + 1, is_read=True)
    assert plan.one(second.history, second.as_of_us).tolist() == [1.0, 500.0]
    assert plan.one((await known(work, at, is_read=False)).history, at).tolist() == [2.0, 1000.0]
    assert await histories.fold_arrivals(work) == 1, "the other person's are moved by night"
    assert await histories.fold_arrivals(work) == 0
    await histories.note_arrivals(work, [histories.Arrival(WANG, 5, "repayment", paid)])
    await histories.erase(work, customer_id=WANG)
    assert (await histories.export(work, customer_id=WANG))["events"] == {}


async def test_a_source_that_is_erased_is_gone_from_the_log_too(work):
    at = us(work.at)
    await events.tell(work, customer_id=LI, catalogue=BARE, told={"bank_flow": wages(at)}, as_of_us=at)
    await histories.erase_source(work, customer_id=LI, source="bank_flow")
    assert (await known(work, at, is_read=False)).history.tables["bank_flow"] is None
    assert await histories.is_erased(work, customer_id=LI, tables=["bank_flow"])
    await events.tell(work, customer_id=LI, catalogue=BARE, told={"bank_flow": wages(at)}, as_of_us=at)
    assert not await histories.is_erased(work, customer_id=LI, tables=["bank_flow"])
