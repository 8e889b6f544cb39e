"""`puhui rules`: what a risk analyst types."""

import json

from click.testing import CliRunner
from rules_models import definitions, table

from puhui.cli.main import puhui

ROWS = [(["< 18"], ['"no"']), (["[18..60]"], ['"yes"']), (["> 60"], ['"ask"'])]


def asked(*words):
    told = CliRunner().invoke(puhui, ["rules", *words], catch_exceptions=False)
    return told.exit_code, json.loads(told.output.splitlines()[-1])


def test_a_policy_is_checked_run_compared_linted_and_explained(tmp_path):
    first, second = tmp_path / "a.dmn", tmp_path / "b.dmn"
    first.write_bytes(definitions(table("D", ["age"], ROWS, policy="FIRST"), inputs={"age": "number"}))
    second.write_bytes(definitions(table("D", ["age"], [(["< 18"], ['"no"']), (["[20..60]"], ['"yes"'])], policy="FIRST"), inputs={"age": "number"}))

    assert asked("check", str(first), "--json") == (0, {"decisions": 1, "faults": []})
    assert asked("run", str(first), "--decision", "D", "--inputs", '{"age": 20}', "--json")[1]["value"] == "yes"
    assert asked("diff", str(first), str(first), "--json") == (0, {"differing": False, "changes": []})
    code, told = asked("diff", str(first), str(second), "--json")
    assert code == 1
    assert '-D: [18..60] -> "yes"' in told["changes"]
    code, told = asked("lint", str(first), "--json")
    assert (code, [one["kind"] for one in told["findings"]]) == (0, ["null-gap"])
    code, told = asked("lint", str(second), "--column", "age=number(3,0)", "--json")
    assert (code, told["findings"][0]["kind"], told["findings"][0]["example"]) == (1, "gap", {"age": 18})
    _, told = asked("explain", str(first), "--decision", "D", "--inputs", '{"age": 70}', "--json")
    assert (told["value"], told["fired"]) == ("ask", [3])
    assert told["missed"] == [{"rule": 1, "columns": ["age"]}, {"rule": 2, "columns": ["age"]}]
