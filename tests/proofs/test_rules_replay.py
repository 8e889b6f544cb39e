"""What earlier builds decided, this build decides again; a changed record or artefact is noticed."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from puhui.proofs import replay, replayed_strategies
from puhui.rooms import decisions

GOLDEN = Path(__file__).parents[2] / "golden"


def test_every_record_of_every_build_is_decided_as_it_was():
    told = replay.run(GOLDEN)
    assert told["differing"] == 0
    assert told["artefacts"] >= 20
    assert told["records"] >= 10_000
    assert {"rules", "convention", "scorecard", "strategy"} <= told["kinds"].keys()


def test_a_strategy_of_golden_whose_product_was_changed_decides_otherwise(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "golden")
    for file in (tmp_path / "golden").glob("*/*.strategy"):
        records = replay._lines(file.with_suffix(".records.gz"))[:40]
        assert replayed_strategies.replay(file, records) == (40, 0)
        told = json.loads(file.read_bytes())
        told["product"] = told["product"].replace("valid_h = 72", "valid_h = 48").replace("step_fen = 10_000", "step_fen = 50_000")
        file.write_text(json.dumps(told))
        assert replayed_strategies.replay(file, records)[1] > 0


def test_the_card_of_the_first_variables_still_scores_as_it_did_though_nobody_computes_what_it_reads():
    cards = list(GOLDEN.glob("*/*.scorecard"))
    read = [{item.name for item in decisions.open_scorecard(card.read_bytes()).characteristics} for card in cards]
    assert any(names - set(decisions.names()) for names in read), "a card of an earlier set of variables"
    assert any(names <= set(decisions.names()) for names in read), "and the one that decides"


def test_this_build_makes_the_artefacts_of_the_first_one_to_the_byte(tmp_path):
    made = {file.name for file in GOLDEN.glob("1/*.rules")}
    told = replay.KINDS["rules"][0]()
    content, _ = next(told)
    assert f"{replay.hashlib.sha256(content).hexdigest()}.rules" in made


def test_a_record_that_was_changed_is_counted(tmp_path):
    file = min(GOLDEN.glob("1/*.rules"))
    folder = tmp_path / "9"
    folder.mkdir()
    shutil.copy(file, folder)
    lines = gzip.decompress(file.with_suffix(".records.gz").read_bytes()).decode().splitlines()[:20]
    first = json.loads(lines[0])
    first["answer"]["D"][1] = [9999]
    (folder / f"{file.stem}.records.gz").write_bytes(gzip.compress("\n".join([json.dumps(first), *lines[1:]]).encode()))
    assert (replay.run(tmp_path)["records"], replay.run(tmp_path)["differing"]) == (20, 1)
    with pytest.raises(replay.BuildIsThere):
        replay.add(tmp_path, "9")
    with pytest.raises(replay.NothingToReplay):
        replay.run(tmp_path / "none")
