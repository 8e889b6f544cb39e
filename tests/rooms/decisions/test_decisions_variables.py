"""Variables speak of the past only, and never take what is missing for zero."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from puhui.rooms.decisions.first_variables import all_variables, compute, names, variable
from puhui.rooms.decisions.known import (
    DAY_US,
    SOURCES,
    Asked,
    BureauReport,
    HistoryEvent,
    Known,
    Missing,
    read_events,
    read_report,
    work_of,
)
from puhui.vocabulary.reasons import SENTENCES

A = 1_790_000_000_000_000
ASKED = Asked(300_000, 6, 30)


def event(number: int, days_ago: float, kind: str, amount_fen: int = 0, *, known_days_ago: float | None = None, revision: int = 0) -> HistoryEvent:
    at = A - int(days_ago * DAY_US)
    known = at + 1 if known_days_ago is None else A - int(known_days_ago * DAY_US)
    return HistoryEvent(number, at, known, kind, {"amount_fen": amount_fen} if amount_fen else {}, revision)


def test_there_are_more_than_sixty_and_each_has_its_papers() -> None:
    assert len(all_variables()) >= 60
    for one in all_variables():
        assert one.zh, one.name
        assert one.en, one.name
        assert one.unit in {"count", "fen", "days", "months", "ppm", "years"}, one.name
        assert one.missing, one.name
        assert one.sign in {-1, 0, 1}
        assert one.reason in SENTENCES or one.is_protected, one.name


def test_a_source_not_fetched_one_without_record_and_one_without_event_are_three_things() -> None:
    values = compute(Known(A, ASKED, {"telco": (), "wallet": (event(1, 5, "pay", 100),)}))
    assert values.of("bank_flow.count.180d[kind=wage]") is Missing.NOT_FETCHED
    assert values.of("telco.count.90d[kind=overdue_bill]") is Missing.NO_RECORD
    assert values.of("wallet.amount.sum.90d[kind=receive]") == 0
    assert values.of("wallet.amount.mean.360d[kind=receive]") is Missing.NO_EVENT
    assert values.of("bureau.balance.sum") is Missing.NO_RECORD


def test_a_file_without_accounts_is_not_a_white_file() -> None:
    values = compute(Known(A, ASKED, {}, BureauReport((), ())))
    assert values.of("bureau.balance.sum") == 0
    assert values.of("bureau.worst.24m") is Missing.NO_EVENT


def test_the_window_is_half_open_and_an_event_at_the_instant_is_not_yet_history() -> None:
    rows = (event(1, 90, "pay", 1), event(2, 90.00001, "pay", 10), event(3, 0, "pay", 100, known_days_ago=0.1))
    assert compute(Known(A, ASKED, {"wallet": rows})).of("wallet.amount.sum.90d[kind=pay]") == 1


def test_the_newest_known_revision_speaks() -> None:
    rows = (event(1, 10, "wage", 500), event(1, 10, "wage", 450, known_days_ago=7, revision=1), event(1, 10, "wage", 1, known_days_ago=-1, revision=2))
    assert compute(Known(A, ASKED, {"bank_flow": rows})).of("bank_flow.amount.sum.90d[kind=wage]") == 450


events = st.lists(
    st.builds(
        lambda i, d, k, a, lag: HistoryEvent(i, A - d, A - d + lag, k, {"amount_fen": a}),
        st.integers(0, 10**6), st.integers(1, 800 * DAY_US), st.sampled_from(["pay", "receive", "wage", "", "odd"]), st.integers(0, 10**9), st.integers(0, 40 * DAY_US),
    ),
    max_size=30, unique_by=lambda row: row.event_id,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(events, events)
def test_what_is_not_known_yet_changes_nothing(past: list[HistoryEvent], future: list[HistoryEvent]) -> None:
    later = [replace(row, event_id=row.event_id + 2_000_000, known_us=max(row.known_us, A)) for row in future]
    plain = compute(Known(A, ASKED, dict.fromkeys(SOURCES, tuple(past))))
    shuffled = compute(Known(A, ASKED, dict.fromkeys(SOURCES, tuple(reversed([*past, *later])))))
    assert plain == shuffled
    assert all(isinstance(value, (int, Missing)) and not isinstance(value, bool) for value in plain.values)
    assert len(plain.values) == len(names())


def test_events_and_reports_read_as_they_stand_on_the_wire() -> None:
    row = {"event_id": 7, "at": "2026-09-01T08:30:00.123+08:00", "known_at": "2026-09-01T09:30:00.000+08:00", "kind": "pay", "data": {"amount_fen": 5}}
    assert read_events([json.dumps([row]).encode()])[0].at_us == 1_788_222_600_123_000
    account = {"account": "x", "kind": "R2", "lender_kind": "card", "opened": "2025-01-01", "credit_fen": 100, "balance_fen": 50, "statuses": "NN3N", "overdue_fen": 0, "class": 1}
    report = read_report({"report_id": "r", "as_of": row["at"], "accounts": [account], "queries": [{"at": "2026-08-20T00:00:00+08:00", "reason": "loan_application", "lender_kind": "bank"}], "notices": []})
    values = compute(Known(1_788_222_600_123_000, ASKED, {}, report))
    assert values.of("bureau.used_share") == 500_000
    assert values.of("bureau.worst.12m") == 3
    assert values.of("bureau.months_since_late") == 1
    assert values.of("bureau.count.30d[kind=inquiry&reason=loan_application]") == 1
    assert values.of("bureau.age.max") == 608


def test_age_is_kept_for_fairness_and_out_of_scores() -> None:
    assert variable("application.age").is_protected


@pytest.mark.parametrize("name", ["bank_flow.months.360d[kind=wage]", "wallet.night_share.180d[kind=pay]"])
def test_a_month_is_thirty_days_and_night_ends_at_five_in_china(name: str) -> None:
    rows = (*tuple(event(i, 5 + 30 * i, "wage", 1) for i in range(3)), event(9, 6, "wage", 1))
    pays = (HistoryEvent(1, A - 10 * DAY_US - A % DAY_US + 20 * 3_600_000_000, A - 9 * DAY_US, "pay", {}), event(2, 3 + (A % DAY_US - 4 * 3_600_000_000) / DAY_US, "pay"))
    values = compute(Known(A, ASKED, {"bank_flow": rows, "wallet": pays}))
    assert values.of(name) == {"bank_flow.months.360d[kind=wage]": 3, "wallet.night_share.180d[kind=pay]": 500_000}[name]


def test_a_campus_tariff_makes_a_student() -> None:
    bill = HistoryEvent(1, A - 20 * DAY_US, A - 19 * DAY_US, "bill", {"plan": "campus"})
    young = Asked(300_000, 6, 20)
    assert work_of(Known(A, young, {"telco": (bill,)})) == "student"
    assert work_of(Known(A, Asked(300_000, 6, 40), {"telco": (bill,)})) == ""
    assert work_of(Known(A, young, {"telco": (replace(bill, at_us=A - 300 * DAY_US),)})) == ""
    assert work_of(Known(A, ASKED, {})) == ""
