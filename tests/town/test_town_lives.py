"""Lives, records and conduct: the same however they are asked for, at the rates agreed, and never quite predictable."""

import json
from collections import Counter
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from puhui_town.people import ceiling
from puhui_town.people.assumptions import default_population
from puhui_town.people.conduct import Keeps, Rule, chance, keeps, will
from puhui_town.people.debtor import Debtor
from puhui_town.people.lives import MONTHS, SHOCKS, day_index, live, lives_of, month_index
from puhui_town.people.needs import CHINA, Needs
from puhui_town.people.outside import outside_debt
from puhui_town.people.person import SOURCES, draw_person
from puhui_town.people.purse import Purse
from puhui_town.people.records import SOURCE_KINDS, Records

A = default_population()
NOW = datetime(2026, 9, 1, 9, tzinfo=CHINA)
BEFORE = NOW - timedelta(days=730)
PEOPLE = [draw_person("7", n) for n in range(700)]
LIVES = lives_of(PEOPLE, A)


def test_a_life_is_the_same_alone_and_among_others() -> None:
    alone = live(PEOPLE[5], A)
    assert np.array_equal(alone.months.income, LIVES[5].months.income)
    assert np.array_equal(alone.months.shocks, LIVES[5].months.shocks)


def test_shocks_come_at_the_rates_of_the_population_file() -> None:
    rates = np.mean([life.months.shocks.mean(axis=0) for life in LIVES], axis=0)
    for k, kind in enumerate(SHOCKS):
        if kind not in {"harvest_lost", "job_lost"}:  # these strike only some works
            assert rates[k] == pytest.approx(A.number(f"shocks.per_month.{kind}"), rel=0.12), kind


def test_a_farmer_earns_most_of_the_year_in_two_months_yet_lives_all_year() -> None:
    farmer = next(life for life in LIVES if life.person.work == "farmer")
    assert farmer.months.income[24:].min() > 0.2 * farmer.months.income[24:].mean()


def test_events_are_the_same_whatever_was_asked_before() -> None:
    all_at_once = Records(LIVES[4]).page("wallet", BEFORE, NOW, NOW, None)[0]
    records = Records(LIVES[4])
    records.page("wallet", NOW - timedelta(days=10), NOW, NOW, None)
    middle = NOW - timedelta(days=300)
    halves = records.page("wallet", BEFORE, middle, NOW, None)[0] + records.page("wallet", middle, NOW, NOW, None)[0]
    assert all_at_once == halves


def test_what_a_source_did_not_yet_know_is_not_told() -> None:
    life = next(life for life in LIVES if "social_insurance" in life.person.sources)
    for text in Records(life).page("social_insurance", BEFORE, NOW, NOW, None)[0]:
        event = json.loads(text)
        assert datetime.fromisoformat(event["known_at"]) <= NOW
        assert datetime.fromisoformat(event["at"]) < datetime.fromisoformat(event["known_at"])


def test_a_late_answer_is_the_same_answer() -> None:
    early = Records(LIVES[4]).page("bank_flow", BEFORE, NOW, NOW, None)
    late = Records(LIVES[4])
    late.page("bank_flow", BEFORE, NOW + timedelta(days=90), NOW + timedelta(days=90), None)
    assert late.page("bank_flow", BEFORE, NOW, NOW, None) == early


def test_two_years_of_any_source_fit_on_one_page() -> None:
    for life in LIVES[:60]:
        records = Records(life)
        assert all(records.page(source, BEFORE, NOW, NOW, None)[1] is None for source in ("wallet", "device") if records.has(source))


def test_a_page_is_the_same_made_at_once_or_kept_ready() -> None:
    for source in ("telco", "bank_flow", "utility"):
        cold, warm = Records(LIVES[4]), Records(LIVES[4])
        for year in warm.years(BEFORE, NOW):
            warm.year(source, year).warm()
        as_of = NOW - timedelta(days=1)
        first = cold.page_json(source, BEFORE, NOW, as_of, None)
        assert warm.page_json(source, BEFORE, NOW, as_of, None) == first
        assert [json.dumps(e) for e in json.loads(first[0])] == [json.dumps(json.loads(t)) for t in cold.page(source, BEFORE, NOW, as_of, None)[0]]


def test_a_page_holds_a_thousand_events_and_the_next_goes_on() -> None:
    life = next(life for life in LIVES if "wallet" in life.person.sources)
    records, since = Records(life), NOW - timedelta(days=1500)
    first, cursor = records.page("wallet", since, NOW, NOW, None)
    assert len(first) == 1000
    assert cursor == "1000"
    second, _ = records.page("wallet", since, NOW, NOW, cursor)
    assert not set(first) & set(second)


def test_sources_record_at_the_rates_of_the_contract() -> None:
    found: Counter[tuple[str, str]] = Counter()
    having: Counter[str] = Counter()
    for life in LIVES[:80]:
        records = Records(life)
        for source in SOURCES:
            if records.has(source):
                having[source] += 1
                for text in records.page(source, BEFORE, NOW, NOW, None)[0]:
                    found[source, json.loads(text)["kind"]] += 1
    for source, what in SOURCE_KINDS.items():
        for kind in what.kinds:
            if having[source] > 30 and kind.rate >= 1.0:
                mean = found[source, kind.name] / having[source] / 24
                assert mean == pytest.approx(kind.rate, rel=0.25), (source, kind.name)


def test_traits_drive_what_is_recorded() -> None:
    careful = [life for life in LIVES[:300] if life.person.traits.prudence > 0.7 and "bank_flow" in life.person.sources]
    careless = [life for life in LIVES[:300] if life.person.traits.prudence < -0.7 and "bank_flow" in life.person.sources]

    def failed(lives: list[object]) -> float:
        texts = [t for life in lives for t in Records(life).page("bank_flow", BEFORE, NOW, NOW, None)[0]]  # type: ignore[arg-type]
        return sum('"failed_debit"' in t for t in texts) / len(lives)

    assert failed(list(careless)) > 1.5 * failed(list(careful))


def test_only_white_residents_have_no_file_at_the_bureau() -> None:
    for life in LIVES[:200]:
        assert (outside_debt(life, A) is None) == life.person.is_white


def test_statuses_are_of_months_that_are_over() -> None:
    for life in LIVES[:120]:
        debt = outside_debt(life, A)
        if debt is None:
            continue
        for seen in debt.as_of(NOW)[0]:
            months = (NOW.year - seen.account.opened.year) * 12 + NOW.month - seen.account.opened.month
            assert 1 <= len(seen.statuses) <= min(60, months)
            assert set(seen.statuses) <= set("N1234567BC")
            assert (seen.statuses[-1] == "C") == (seen.closed is not None)


def test_needs_come_at_their_rate_and_in_the_day() -> None:
    needs = [need for life in LIVES[:400] for m in range(60, 84) if (need := Needs.of(life, A).in_month(m))]
    assert len(needs) / 400 / 24 == pytest.approx(0.18, rel=0.15)
    assert all(6 <= need.at.hour < 22 for need in needs)
    assert np.median([need.amount_fen for need in needs]) == pytest.approx(300_000, rel=0.15)


def test_the_next_need_is_the_first_of_all() -> None:
    needs = Needs.of(LIVES[3], A)
    after = datetime(2026, 9, 1, tzinfo=CHINA)
    following = needs.next(after)
    assert following is not None
    assert following.at > after
    assert all(needs.in_month(m) is None or needs.in_month(m).at <= after for m in range(month_index(after.date()), following.k))  # type: ignore[union-attr]


@pytest.mark.parametrize("slack", [10.0, 99.0, 100.0, 101.0, 500.0, 5000.0])
@pytest.mark.parametrize("late", [0, 91])
def test_one_person_and_many_decide_alike(slack: float, late: int) -> None:
    rule = Rule.of(A)
    mind = float(will(rule, np.array(0.3), np.array(-0.2)))
    whole = float(chance(rule, np.array(slack), np.array(100.0), np.array(mind), np.array(late)))
    below = keeps(rule, slack=slack, due=100.0, mind=mind, days_late=late, is_halved=False, u=whole - 1e-9, forgets=0.5, reminded=False)
    above = keeps(rule, slack=slack, due=100.0, mind=mind, days_late=late, is_halved=False, u=whole + 1e-9, forgets=0.5, reminded=False)
    if slack >= 100.0:
        assert (below, above) == (Keeps.WHOLE, Keeps.NOTHING)
    else:
        assert Keeps.WHOLE not in {below, above}


def test_a_purse_is_the_same_looked_into_daily_or_once() -> None:
    begin, end = date(2026, 9, 1), date(2026, 12, 1)
    once, daily = Purse.opened(LIVES[6], begin, A), Purse.opened(LIVES[6], begin, A)
    for k in range((end - begin).days + 1):
        daily.on(begin + timedelta(days=k))
    assert once.on(end) == daily.cash


def test_what_a_debtor_leaves_does_not_depend_on_how_often_he_is_asked() -> None:
    day = date(2026, 10, 5)
    debtor = Debtor.of(LIVES[6], day, A)
    assert debtor.leaves(day, 300.0, 0) == debtor.leaves(day, 300.0, 0)


def test_even_who_knows_all_but_the_future_ranks_no_better_than_the_ceiling() -> None:
    rng = np.random.default_rng(3)
    loans = []
    for life in LIVES[:520]:
        if life.person.work == "student":
            continue
        start = date(2024, 1 + int(rng.integers(0, 12)), 1 + int(rng.integers(0, 28)))
        amount, months = 3000 * float(np.exp(0.6 * rng.standard_normal())), int(rng.choice([3, 6, 9, 12]))
        while amount / months > 0.25 * life.person.usual_income and months < 12:
            months += 3
        loans.append(ceiling.Loan(life, start, amount * (1 + 0.1 * months / 12) / months, months, Purse.opened(life, start, A).cash, f"t-{life.person.n}"))
    bad = ceiling.futures(loans, A, each=24).worst_12 >= ceiling.LATE
    aucs = [ceiling.auc(np.delete(bad, k, 1).mean(axis=1), bad[:, k]) for k in range(24)]
    assert 0.76 < float(np.mean(aucs)) < 0.86
    assert 0.03 < bad.mean() < 0.16


def test_ties_count_one_half_in_the_auc() -> None:
    assert ceiling.auc(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    assert ceiling.auc(np.array([0.2, 0.9]), np.array([False, True])) == 1.0


def test_days_and_months_count_from_the_first_of_a_life() -> None:
    assert month_index(date(2021, 1, 31)) == 0
    assert day_index(date(2021, 1, 2)) == 1
    assert len(LIVES[0].months.income) == MONTHS
