"""A book decided from Parquet to Parquet: every backend gives the same, the swap set counts everybody once, and a spoilt trace is noticed."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rules_models import definitions, table

from puhui.engines import rules
from puhui.engines.rules import book
from puhui.proofs import bench_book

SCHEMA = {"income": "number(9,2)", "work": "category"}


def artefact(cut):
    """Offer above a cut; points rank people; one decision lists all that it thinks."""
    rows = [([f">= {cut}", 'not("student")'], ['"offer"']), (["-", "-"], ['"decline"'])]
    body = table("outcome", ["income", "work"], rows, policy="FIRST")
    body += table("marks", ["income"], [(["< 5000"], ["1"]), (["> 1000"], ["2"])], policy="COLLECT")
    body += '<decision id="points" name="points"><variable name="points"/><informationRequirement><requiredInput href="#income"/></informationRequirement>'
    body += "<literalExpression><text>income * 2</text></literalExpression></decision>"
    return rules.compile(rules.load(definitions(body, inputs={"income": "number", "work": "string"})), ["outcome", "marks", "points"], SCHEMA)


@pytest.fixture
def home(tmp_path):
    incomes = [None if row % 7 == 0 else (row * 37) % 9000 for row in range(1000)]
    work = [["student", "farmer", None, "clerk"][row % 4] for row in range(1000)]
    bad = [None if row % 5 == 0 else int(row % 11 == 0) for row in range(1000)]
    segment = [["a", "b", None][row % 3] for row in range(1000)]
    taken = [None if row % 6 == 0 else int(row % 4 != 0) for row in range(1000)]
    columns = {"income": pa.array(incomes, pa.float64()), "work": work, "bad": bad, "segment": segment, "taken": taken}
    pq.write_table(pa.table(columns), tmp_path / "book.parquet", row_group_size=300)
    for name, cut in (("one", 3000), ("two", 4000)):
        (tmp_path / name).write_bytes(artefact(cut).to_bytes())
    return tmp_path


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_batch_writes_what_each_row_is_decided(home, backend):
    assert book.batch(home / "book.parquet", home / "one", home / "out", backend=backend) == 1000
    told = pa.concat_tables([pq.read_table(file) for file in sorted((home / "out").iterdir())]).to_pylist()
    rows = pq.read_table(home / "book.parquet").to_pylist()
    for row, answer in list(zip(rows, told, strict=True))[::13]:
        one = artefact(3000).one(row)
        assert answer["outcome"] == one.value("outcome")
        assert answer["outcome fired"] == one.fired("outcome")
        assert answer["points"] == one.value("points")
        assert answer["marks fired"] == one.fired("marks")


def test_the_swap_set_counts_everybody_once_by_segment(home):
    question = book.Question("outcome", ("offer",), "segment", "bad", "points")
    told = book.back_test(home / "book.parquet", home / "one", home / "two", question, target=home / "both")
    assert told.rows == 1000
    assert told.segments() == ["", "a", "b"]
    whole = told.swap_set()
    assert sum(cell["people"] for cell in whole.values()) == 1000
    assert whole["swapped_in"]["people"] == 0, "the challenger asks for more"
    rows = pq.read_table(home / "book.parquet").to_pylist()
    out = [row for row in rows if row["income"] is not None and 3000 <= row["income"] < 4000 and row["work"] != "student"]
    assert whole["swapped_out"] == {"people": len(out), "good": sum(row["bad"] == 0 for row in out), "bad": sum(row["bad"] == 1 for row in out)}
    assert told.swap_set("a")["swapped_out"]["people"] == sum(row["segment"] == "a" for row in out)
    taken = [row for row in rows if row["income"] is not None and row["income"] >= 3000 and row["work"] != "student"]
    assert told.rates()["champion"]["approval"] == len(taken) / 1000
    assert 0 < told.readings()["approval_at_same_bad"] <= 1
    assert pa.concat_tables([pq.read_table(file) for file in sorted((home / "both").iterdir())]).num_rows == 1000


def test_a_day_is_traced_and_read_again():
    told = bench_book.day(20 * 3000, 200)
    assert (told["decisions"], told["distinct_rows"], told["trace_checked"], told["trace_wrong"]) == (60_000, 3000, 200, 0)
    small = bench_book.backtest(2000)
    assert (small["rows"], small["wrong"]) == (2000, 0)


def test_outputs_of_many_rows_are_columns(home):
    outcome = artefact(3000).run({"income": [Decimal(1), Decimal(5000), None], "work": ["clerk", None, "student"]})
    assert outcome.table.to_pydict() == {
        "outcome": ["decline", "offer", "decline"],
        "outcome fired": [[2], [1], [2]],
        "marks": [[1], [2], None],
        "marks fired": [[1], [2], []],
        "points": [Decimal(2), Decimal(10000), None],
    }


def test_take_up_is_read_of_whom_each_approves_and_where_the_challenger_neither_approves_nor_errs_more(home):
    question = book.Question("outcome", ("offer",), "segment", "bad", "points", "taken")
    told = book.back_test(home / "book.parquet", home / "one", home / "two", question)
    rows = pq.read_table(home / "book.parquet").to_pylist()
    for name, cut in (("champion", 3000), ("challenger", 4000)):
        decides = artefact(cut)
        words = [row["taken"] for row in rows if row["taken"] is not None and decides.one(row).value("outcome") == "offer"]
        assert told.rates()[name]["take_up"] == sum(words) / len(words)
    rates, best = told.rates(), 0.0
    ranked = sorted((row for row in rows if row["income"] is not None), key=lambda row: -row["income"])
    for place in range(1, len(ranked) + 1):
        if place < len(ranked) and ranked[place]["income"] == ranked[place - 1]["income"]:
            continue
        above = ranked[:place]
        known = [row["bad"] for row in above if row["bad"] is not None]
        words = [row["taken"] for row in above if row["taken"] is not None]
        if place / 1000 <= rates["champion"]["approval"] and sum(known) / max(1, len(known)) <= rates["champion"]["bad"]:
            best = sum(words) / max(1, len(words))
    assert told.readings()["take_up_at_same_both"] == best > 0
    plain = book.back_test(home / "book.parquet", home / "one", home / "two", book.Question("outcome", ("offer",), "segment", "bad", "points"))
    assert "take_up_at_same_both" not in plain.readings()
