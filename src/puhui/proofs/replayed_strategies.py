"""Whole strategies in `golden/`: card, rules and product decide drawn applicants; later builds must give the same outcome to the last byte.

The file of a strategy holds its policy and product; the card and the rules lie beside it under their own hashes, in whichever build brought them.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from puhui.rooms import decisions
from puhui.rooms.decisions import Bundle, Inputs, Missing, Scorecard

APPLICANTS = 150


def make() -> Iterator[tuple[bytes, list[str]]]:
    """The shipped strategy, and the first policy with the same card, each over people near every bound."""
    shipped = decisions.shipped()
    for bundle in (shipped, replace(shipped, policy=decisions.shipped_policy(), rules=b"")):
        content = _canonical(
            {
                "scorecard": hashlib.sha256(bundle.scorecard).hexdigest(),
                "rules": hashlib.sha256(bundle.rules).hexdigest() if bundle.rules else "",
                "policy": bundle.policy.decode(),
                "product": bundle.product.decode(),
            }
        )
        records = []
        for inputs in _applicants(bundle):
            outcome = decisions.decide(inputs, _opened(bundle)).to_bytes()
            records.append(_canonical({"given": json.loads(inputs.to_bytes()), "answer": json.loads(outcome)}))
        yield content.encode(), records


def replay(file: Path, records: list[dict[str, Any]]) -> tuple[int, int]:
    """Give how many there are, and how many are decided otherwise."""
    told = json.loads(file.read_bytes())
    root = file.parents[1]
    bundle = Bundle(_beside(root, told["scorecard"]), told["policy"].encode(), _beside(root, told["rules"]), told["product"].encode())
    opened = _opened(bundle)
    return len(records), sum(_differs(one, opened) for one in records)


def _differs(record: Mapping[str, Any], opened: decisions.Artefacts) -> bool:
    inputs = decisions.read_inputs(_canonical(record["given"]).encode())
    return decisions.decide(inputs, opened).to_bytes() != _canonical(record["answer"]).encode()


def _beside(root: Path, sha256: str) -> bytes:
    """An artefact of any build, by its hash; nothing where none is named."""
    if not sha256:
        return b""
    (file,) = [one for one in root.glob(f"*/{sha256}.*") if not one.name.endswith(".gz")]
    return file.read_bytes()


def _opened(bundle: Bundle) -> decisions.Artefacts:
    return decisions.open_artefacts(bundle.scorecard, bundle.policy, bundle.product, bundle.rules)


def _applicants(bundle: Bundle) -> Iterator[Inputs]:
    """People drawn from a seed: values at the edges of the card or missing, facts on both sides of every bound of policy."""
    draw = random.Random(13)  # noqa: S311  (a seed, so that every run draws the same)
    card, usual = decisions.open_scorecard(bundle.scorecard), decisions.ordinary()
    read = {item.name for item in card.characteristics} | {name for name in usual.values if name.startswith(("bureau.", "application.", "telco.", "utility."))}
    for _ in range(APPLICANTS):
        values = {name: value for name, value in usual.values.items() if name in read} | _values(draw, card)
        facts = replace(
            usual.facts, age=draw.choice((17, 25, 35, 45, 65, 66)), amount_fen=draw.choice((50_000, 300_000, 2_000_000)), is_white=draw.random() < 1 / 3,
            work=draw.choice(("", "", "", "", "student")), purpose=draw.choice(("daily", "farm_inputs", "education", "phone", "car")),
            device_persons_30d=draw.choice((1, 1, 1, 3, 5, 7)), applications_30d=draw.choice((0, 0, 0, 6, 9)), loans_settled=draw.choice((0, 0, 1, 4, 7)),
            months_clean=draw.choice((0, 3, 7, 14)), owed_fen=draw.choice((0, 0, 0, 0, 19_970_000)), days_late_with_us=draw.choice((0, 0, 0, 0, 2)),
            hours_since_new_device=draw.choice((None, None, 3, 50)), hours_since_new_card=draw.choice((None, None, 3, 50)),
            is_purchase=draw.random() < 1 / 5, proven_income_fen=draw.choice((None, None, 400_000)),
        )  # fmt: skip
        yield replace(usual, facts=facts, values=values)


def _values(draw: random.Random, card: Scorecard) -> dict[str, int | Missing]:
    told: dict[str, int | Missing] = {}
    for item in card.characteristics:
        place = draw.choices(range(len(item.points)), [max(points + 60, 1) for points in item.points])[0]
        told[item.name] = item.edges[place] if place < len(item.edges) else item.edges[-1] + 1
    return told | {
        "application.income": draw.choice((Missing.NO_RECORD, 90_000, 150_000, 300_000, 500_000, 900_000, 1_600_000)),
        "application.debt_service": draw.choice((0, 0, 30_000, 300_000)),
        "bureau.overdue.sum": draw.choice((0, 0, 0, 0, 20_000, 50_000)),
        "bureau.worst.24m": draw.choice((0, 0, 0, 1, 3, 4, Missing.NO_RECORD)),
        "bureau.age.max": draw.choice((90, 400, 1_500)),
        "bureau.count.ever[kind=account]": draw.choice((1, 3, 6)),
        "bureau.count.30d[kind=inquiry&reason=loan_application]": draw.choice((0, 0, 1, 5, 9)),
        "bureau.count.90d[kind=inquiry&reason=loan_application]": draw.choice((0, 0, 2, 3, 9, 11)),
        "telco.tenure": draw.choice((90, 400, 1_500)),
    }


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
