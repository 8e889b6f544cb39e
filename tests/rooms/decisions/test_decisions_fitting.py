"""A scorecard fitted on a former lender's book: whole numbers, signs as the papers say, the same bytes again."""

import json
import shutil

import pytest

from puhui.rooms.decisions.book import BookUnreadable, read_book
from puhui.rooms.decisions.fitting import BookTooThin, fit_scorecard
from puhui.rooms.decisions.known import Missing
from puhui.rooms.decisions.scorecard import ArtefactDamaged, canonical, open_scorecard
from puhui.rooms.decisions.vector import papers


def test_the_card_has_at_least_forty_variables_and_tells_good_from_bad_in_later_months(artefact) -> None:
    card = open_scorecard(artefact)
    assert len(card.characteristics) >= 40
    assert card.paper["holdout_auc_ppm"] > 650_000
    assert card.paper["holdout_ks_ppm"] > 200_000
    assert card.paper["train_until_us"] < card.paper["holdout_since_us"]
    assert "refused" in card.paper["reject_inference"]


def test_more_of_what_means_risk_never_gives_more_points(artefact) -> None:
    for item in open_scorecard(artefact).characteristics:
        sign = papers()[item.name].sign
        moves = [after - before for before, after in zip(item.points, item.points[1:], strict=False)]
        assert all(move * sign <= 0 for move in moves), item


def test_protected_variables_are_never_in_the_card(artefact) -> None:
    assert not any(papers()[item.name].is_protected for item in open_scorecard(artefact).characteristics)


def test_the_same_book_gives_the_same_bytes(read_cases, artefact) -> None:
    people, sha256 = read_cases
    assert fit_scorecard(list(reversed(people)), sha256) == artefact


def test_probabilities_are_calibrated_roughly_in_later_months(artefact) -> None:
    rows = json.loads(artefact)["paper"]["holdout_calibration"]
    expected = sum(row["expected_ppm"] * row["loans"] for row in rows)
    observed = sum(row["observed_ppm"] * row["loans"] for row in rows)
    assert 0.6 < expected / observed < 1.6


def test_missing_has_points_of_its_own(read_cases, artefact) -> None:
    card = open_scorecard(artefact)
    values = read_cases[0][0].vector.values
    item = card.characteristics[0]
    nothing = dict(values) | {item.name: Missing.NOT_FETCHED}
    assert card.score(nothing).points - card.score(values).points == item.missing_points - item.points_for(values[item.name])


def test_a_book_without_enough_bad_loans_is_refused(read_cases) -> None:
    people, sha256 = read_cases
    with pytest.raises(BookTooThin) as told:
        fit_scorecard(people[:80], sha256)
    assert told.value.code == "decisions.book-too-thin"


@pytest.mark.parametrize("name", ["applications.csv", "events.csv", "reports.jsonl", "months.csv"])
def test_a_damaged_book_is_refused_by_name(book, tmp_path, name) -> None:
    shutil.copytree(book, tmp_path / "b")
    (tmp_path / "b" / name).write_bytes(b"person_no,source\n0,\xff\xfe\n{")
    with pytest.raises(BookUnreadable, match=name):
        read_book(tmp_path / "b")
    (tmp_path / "b" / name).unlink()
    with pytest.raises(BookUnreadable, match="is not there"):
        read_book(tmp_path / "b")


@pytest.mark.parametrize("harm", [
    lambda c: c["probabilities_ppm"].reverse(),
    lambda c: c["characteristics"][0]["edges"].append(-1),
    lambda c: c.pop("base_points"),
    lambda c: c.update(kind="strategy"),
])  # fmt: skip
def test_a_damaged_card_is_refused_and_never_scores(artefact, harm) -> None:
    content = json.loads(artefact)
    harm(content)
    with pytest.raises(ArtefactDamaged):
        open_scorecard(canonical(content))
    for bytes_ in (b"", b"{}", b"\x00" * 50, artefact + b" ", b"[" * 100_000):
        with pytest.raises(ArtefactDamaged):
            open_scorecard(bytes_)
