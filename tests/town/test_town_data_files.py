"""What the town takes for right stands in data files, each entry with its label."""

import tomllib
from importlib.resources import files
from typing import Any

from puhui_town.breaches.watch import rules
from puhui_town.bureau.codes import codes
from puhui_town.checks.spelling import unreadable
from puhui_town.message.service import limits
from puhui_town.people.papers import _EITHER, _MEN, _WOMEN, SURNAMES

LABELS = {"solid", "verify", "ours"}


def read(package: str, name: str) -> dict[str, Any]:
    return tomllib.loads(files(package).joinpath(name).read_text(encoding="utf-8"))


def unlabelled(rows: dict[str, Any]) -> list[str]:
    return [name for name, row in rows.items() if not isinstance(row, dict) or row.get("label") not in LABELS]


def test_every_code_of_the_bureau_has_its_label():
    data = read("puhui_town.bureau", "codes.toml")
    assert unlabelled(data["codes"]) == unlabelled(data["elements"]) == unlabelled(data["feedback"]) == []
    assert sum(field.width for field in codes().header) == codes().header_length == 50


def test_every_figure_of_the_watch_has_its_label():
    data = read("puhui_town.breaches", "rules.toml")
    for part in ("contact", "contract", "exposure", "bad_mark"):
        assert unlabelled(data[part]) == []
    assert rules().night_until < rules().marketing_from < rules().marketing_until < rules().night_from


def test_every_use_of_outside_data_has_an_item():
    sources = {"telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device", "farm"}
    uses = {"bureau-query", "four-factor", "id-card", "face", "aml", *(f"records-{source}" for source in sources)}
    assert set(rules().items) == uses
    assert all(source in rules().items[f"records-{source}"] for source in sources)


def test_every_resident_can_be_spelled():
    assert unreadable(SURNAMES + _WOMEN + _MEN + _EITHER) == ""
    assert limits().turns_max > 0
