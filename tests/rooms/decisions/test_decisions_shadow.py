"""The rulebook beside the first policy on the same applicants: where they part, a rule of the rulebook says why."""

import random
from collections import Counter
from dataclasses import replace

from puhui.rooms import decisions
from puhui.rooms.decisions import ruling
from puhui.rooms.decisions.deciding import decide
from puhui.rooms.decisions.opening import open_artefacts
from puhui.rooms.decisions.outcome import Answer
from puhui.rooms.decisions.policy import ordinary, shipped_policy

APPLICANTS = 300
MEANS = {"exposure-full", "income-low", "debt-heavy"}
LEAST_RATE, LOYALTY = 9_000, 8_000


def applicants(card):
    """People near every bound: most with good values, each with a few that stand in the way."""
    draw = random.Random(7)
    for _ in range(APPLICANTS):
        inputs = ordinary()
        values = dict(inputs.values)
        for item in card.characteristics:
            place = draw.choices(range(len(item.points)), [max(point + 60, 1) for point in item.points])[0]
            values[item.name] = item.edges[place] if place < len(item.edges) else item.edges[-1] + 1
        values |= {
            "application.income": draw.choice([None, 90_000, 150_000, 300_000, 450_000, 900_000, 260_000, 450_000, 700_000, 1_600_000]) or values["telco.tenure"],
            "application.debt_service": draw.choice([0, 0, 30_000, 300_000]),
            "bureau.overdue.sum": draw.choice([0, 0, 0, 0, 0, 0, 0, 9_000, 20_000, 50_000]),
            "bureau.worst.24m": draw.choice([0, 0, 0, 0, 0, 0, 0, 1, 3, 4]),
            "bureau.age.max": draw.choice([90, 400, 1_500]),
            "bureau.count.ever[kind=account]": draw.choice([1, 3, 6]),
            "bureau.count.30d[kind=inquiry&reason=loan_application]": draw.choice([0, 0, 0, 0, 1, 1, 1, 5, 9]),
            "bureau.count.90d[kind=inquiry&reason=loan_application]": draw.choice([0, 0, 1, 2, 3, 3, 3, 9, 11]),
        }
        facts = replace(
            inputs.facts, age=draw.choice([17, 20, 25, 30, 35, 40, 50, 60, 65, 66]), amount_fen=draw.choice([50_000, 300_000, 2_000_000]), is_white=draw.random() < 0.3,
            work=draw.choice(["", "", "", "", "", "", "", "student"]), purpose=draw.choice(["daily", "daily", "education", "medical", "phone", "wedding", "farm_inputs", "car"]),
            device_persons_30d=draw.choice([1, 1, 1, 1, 1, 3, 5, 7]), applications_30d=draw.choice([0, 0, 0, 0, 1, 2, 6, 9]), loans_settled=draw.choice([0, 0, 1, 4]),
            months_clean=draw.choice([0, 3, 14]), owed_fen=draw.choice([0, 0, 0, 0, 0, 19_970_000]), days_late_with_us=draw.choice([0, 0, 0, 0, 0, 0, 0, 2]),
        )  # fmt: skip
        yield replace(inputs, facts=facts, values=values)


def test_beside_the_first_policy_the_rulebook_differs_only_where_it_is_more_careful():
    bundle = decisions.shipped()
    book = open_artefacts(bundle.scorecard, bundle.policy, bundle.product, bundle.rules)
    first = open_artefacts(bundle.scorecard, shipped_policy(), bundle.product)
    answers: Counter[tuple[Answer, Answer]] = Counter()
    seen: dict[str, set[int]] = {}
    for inputs in applicants(book.card):
        before, after = decide(inputs, first), decide(inputs, book)
        answers[before.answer, after.answer] += 1
        assert (before.kernel, after.kernel, before.score) == (1, ruling.KERNEL, after.score)
        for table, rules in after.tables.items():
            seen.setdefault(table, set()).update(rules)
        if before.answer is not after.answer:
            assert (after.answer, after.tables["Bureau inquiries"]) == (Answer.DECLINED, (2,)), "nine inquiries in a month are new as a decline"
        elif after.answer is Answer.DECLINED:
            known = set(before.fired) | {"many-inquiries"} | (MEANS if MEANS & set(before.fired) else set())
            assert set(after.fired) <= known
        elif after.answer is Answer.OFFER:
            assert after.limit_fen <= before.limit_fen * 102 // 100 + 10_000, "a lower rate lets a little more be borne"
            assert before.offers[0].rate_ppm - LEAST_RATE - LOYALTY <= after.offers[0].rate_ppm <= before.offers[0].rate_ppm
    assert sum(count for (before, after), count in answers.items() if before is after) >= APPLICANTS * 9 // 10
    assert min(answers[one, one] for one in Answer) > 0
    assert len(seen) >= 20
    assert sum(len(rules) for rules in seen.values()) >= 100
