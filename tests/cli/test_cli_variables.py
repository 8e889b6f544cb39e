"""The variables on the command line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from puhui.cli.main import puhui
from puhui.engines import variables

DAY = 86_400_000_000


def told(*words):
    answer = CliRunner().invoke(puhui, ["variables", *words])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output.splitlines()[-1])


def test_a_variable_is_found_and_explained():
    found = told("list", "--table", "txn", "--search", "工资", "--limit", "3", "--json")
    assert found["declared"] >= 100_000
    assert all("salary" in name for name in found["names"])
    said = told("explain", "txn.amount.sum.33d[channel=app]", "--json")
    assert said["zh"] == "近33天手机渠道交易金额合计（分）"
    assert (said["ordinal"], said["consent"]) == (None, "financial-account")


def test_a_folder_of_tables_becomes_a_table_of_answers(tmp_path):
    rows = {"person": [7, 7, 9], "event_id": [1, 2, 1], "event_time": [DAY, 2 * DAY, 3 * DAY], "known_time": [DAY, 2 * DAY, 3 * DAY], "due": [100, 200, 300],
            "paid": [100, None, 300], "late_days": [0, 1, 2], "status": ["late"] * 3, "method": ["card"] * 3, "product": ["farm"] * 3, "loan": ["l"] * 3}  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "repayment.parquet")
    out = tmp_path / "out.parquet"
    words = ("--as-of", "1970-01-05T00:00:00+00:00", "--name", "repayment.due.sum.7d", "--name", "bureau.count.7d", "--out", str(out), "--json")
    assert told("compute", "--from", str(tmp_path), *words)["people"] == 2
    assert pq.read_table(out).column("repayment.due.sum.7d").to_pylist() == [300.0, 300.0]


def test_a_catalogue_differs_from_itself_in_nothing(tmp_path):
    twin = tmp_path / "twin.toml"
    twin.write_text(variables.lending().to_toml(), encoding="utf-8")
    assert told("diff", str(twin), "--json") == {"added": [], "retired": [], "changed": []}


def test_a_yaml_twin_differs_in_nothing_too(tmp_path):
    twin = tmp_path / "twin.yaml"
    twin.write_text(CliRunner().invoke(puhui, ["variables", "twin", "--as", "yaml"]).output, encoding="utf-8")
    assert told("diff", str(twin), "--json") == {"added": [], "retired": [], "changed": []}


def test_what_variables_cost_and_what_dropping_some_saves(tmp_path):
    (tmp_path / "drop.txt").write_text("bureau.recency\n", encoding="utf-8")
    words = ("--name", "txn.count.30d", "--name", "bureau.recency", "--price", "credit_bureau=300", "--drop", str(tmp_path / "drop.txt"), "--json")
    said = told("cost", *words)
    assert said["sources_fen"] == {"credit_bureau": 300, "wallet_statement": 0}
    assert (said["sources_not_needed"], said["saved_fen"]) == (["credit_bureau"], 300)
    refused = CliRunner().invoke(puhui, ["variables", "cost", "--name", "txn.count.30d", "--price", "credit_bureau=cheap"])
    assert refused.exit_code != 0


def test_variables_are_chosen_over_people_whose_outcome_is_known(tmp_path):
    people = range(60)
    rows = {"person": [*people, *people], "event_id": [*[1] * 60, *[2] * 60], "event_time": [DAY] * 120, "known_time": [DAY] * 120,
            "due": [*[100] * 60, *[100 + person for person in people]], "paid": [None] * 120, "late_days": [*[0] * 60, *[person % 2 * 30 for person in people]],
            "status": ["late"] * 120, "method": ["card"] * 120, "product": ["farm"] * 120, "loan": ["l"] * 120}  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "repayment.parquet")
    outcomes = {"person": list(people), "as_of": [2 * DAY + person for person in people], "bad": [person % 2 == 1 for person in people]}
    pq.write_table(pa.table(outcomes), tmp_path / "outcomes.parquet")
    said = told("select", "--from", str(tmp_path), "--best", "3", "--out", str(tmp_path / "best.csv"), "--json")
    assert (said["people"], said["bad"], said["chosen"]) == (60, 30, 3)
    assert "late_days" in (tmp_path / "best.csv").read_text(encoding="utf-8").splitlines()[1]


def test_what_decisions_draw_from_is_listed_and_explained_too():
    found = told("list", "--catalogue", "origination", "--table", "telco", "--search", "欠费", "--limit", "3", "--json")
    assert found["declared"] == 67_940
    assert all(name.startswith("telco.") for name in found["names"])
    assert told("explain", "telco.count.90d[kind=overdue_bill]", "--catalogue", "origination", "--json")["consent"] == "telco"
