"""The vector speaks of the past only, never takes what is missing for zero, and means the same live and in a book."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines.variables import Fetch, History
from puhui.engines.variables.origination import bare, origination
from puhui.engines.variables.sources import Event, rows_of_book, rows_of_report, rows_told
from puhui.engines.variables.telling import with_news
from puhui.rooms.decisions.candidates import candidates
from puhui.rooms.decisions.known import DAY_US, SOURCES, Asked, BureauReport, Missing, read_report
from puhui.rooms.decisions.measures import monthly_income_fen, work_of
from puhui.rooms.decisions.vector import compute, names, papers
from puhui.vocabulary.reasons import SENTENCES

A = 1_790_000_000_000_000
ASKED = Asked(300_000, 6, 30)
OURS = History.read(bare(), {"app": {}, "repayment": {}})
ACCOUNT = {"account": "x", "kind": "R2", "lender_kind": "card", "opened": "2025-01-01", "credit_fen": 100, "balance_fen": 50, "statuses": "NN3N", "overdue_fen": 0, "class": 1}
QUERY = {"at": "2026-08-20T00:00:00+08:00", "reason": "loan_application", "lender_kind": "bank"}
REPORT = {"report_id": "r", "as_of": "2026-09-01T08:30:00.123+08:00", "accounts": [ACCOUNT], "queries": [QUERY], "notices": []}


def event(number: int, days_ago: float, kind: str, amount_fen: int = 0, *, known_days_ago: float | None = None, revision: int = 0) -> Event:
    at = A - int(days_ago * DAY_US)
    known = at + 1 if known_days_ago is None else A - int(known_days_ago * DAY_US)
    return Event(number, at, known, kind, {"amount_fen": amount_fen} if amount_fen else {}, revision)


def history_of(told, *, until=None) -> History:
    """Rows as a book tells them, each source fetched at A."""
    rows = {source: with_news(bare().table(source), None, rows_of_book(source, some)) for source, some in told.items()}
    return OURS.beside(History(bare(), rows, {source: (Fetch(A, f"co-{source}", until),) for source in told}))


def values_of(told, report=None, ended=None, asked=ASKED):
    return compute(history_of(told), A, asked, report, dict.fromkeys(told, "full") | (ended or {})).values


def test_every_value_has_its_papers_and_every_one_that_a_card_may_choose_a_kind_sentence() -> None:
    assert len(candidates()) >= 150
    assert set(names()) == set(papers())
    for one in papers().values():
        assert one.zh, one.name
        assert one.en, one.name
        assert one.missing, one.name
        assert one.sign in {-1, 0, 1}
        if not one.is_protected and one.reason:
            assert "{" not in SENTENCES[one.reason]["zh"] + SENTENCES[one.reason]["en"], f"{one.name}: a score fills no slots"


def test_what_a_card_may_choose_is_declared_or_at_least_a_name_of_the_grammar() -> None:
    declared = [name for name in candidates() if name in origination()]
    assert len(declared) >= 130
    assert all(str(bare().parse(name)) == name for name in candidates())


def test_a_source_not_fetched_one_without_record_and_one_without_event_are_three_things() -> None:
    values = values_of({"wallet": [event(1, 5, "pay", 100)]}, ended={"telco": "no_record", "bureau": "white"})
    assert values["bank_flow.count.180d[kind=wage]"] is Missing.NOT_FETCHED
    assert values["telco.count.90d[kind=overdue_bill]"] is Missing.NO_RECORD
    assert values["wallet.amount.sum.90d[kind=receive]"] == 0
    assert values["wallet.amount.mean.360d[kind=receive]"] is Missing.NO_EVENT
    assert values["bureau.balance.sum"] is Missing.NO_RECORD
    assert values["bureau.count.90d[kind=inquiry]"] is Missing.NO_RECORD


def test_a_consent_that_has_ended_takes_its_source_away_and_no_other() -> None:
    told = {"wallet": [event(1, 5, "pay", 100)]}
    values = compute(history_of(told, until=A), A, ASKED, None, {"wallet": "full"}).values
    assert values["wallet.amount.sum.90d[kind=pay]"] is Missing.NOT_FETCHED
    assert values_of(told)["wallet.amount.sum.90d[kind=pay]"] == 100


def test_a_file_without_accounts_is_not_a_white_file() -> None:
    values = values_of({}, BureauReport((), ()))
    assert values["bureau.balance.sum"] == 0
    assert values["bureau.worst.24m"] is Missing.NO_EVENT


def test_the_window_is_half_open_and_an_event_at_the_instant_is_not_yet_history() -> None:
    rows = [event(1, 90, "pay", 1), event(2, 90.00001, "pay", 10), event(3, 0, "pay", 100, known_days_ago=0.1)]
    assert values_of({"wallet": rows})["wallet.amount.sum.90d[kind=pay]"] == 1


def test_the_newest_known_revision_speaks() -> None:
    rows = [event(1, 10, "wage", 500), event(1, 10, "wage", 450, known_days_ago=7, revision=1), event(1, 10, "wage", 1, known_days_ago=-1, revision=2)]
    assert values_of({"bank_flow": rows})["bank_flow.amount.sum.90d[kind=wage]"] == 450


events = st.lists(
    st.builds(
        lambda i, d, k, a, lag: Event(i, A - d, A - d + lag, k, {"amount_fen": a}),
        st.integers(0, 10**6), st.integers(1, 800 * DAY_US), st.sampled_from(["pay", "receive", "wage", "", "odd"]), st.integers(0, 10**9), st.integers(0, 40 * DAY_US),
    ),
    max_size=20, unique_by=lambda row: row.event_id,
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(events, events)
def test_what_is_not_known_yet_changes_no_bit(past: list[Event], future: list[Event]) -> None:
    later = [Event(row.event_id + 2_000_000, row.at_us, max(row.known_us, A + 1), row.kind, row.data) for row in future]
    plain = compute(history_of(dict.fromkeys(SOURCES, past)), A, ASKED, None, {})
    shuffled = compute(history_of(dict.fromkeys(SOURCES, [*past, *later][::-1])), A, ASKED, None, {})
    assert plain == shuffled
    assert all(isinstance(value, (int, Missing)) and not isinstance(value, bool) for value in plain.values.values())


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_as_a_source_tells_it_and_a_book_of_the_same_events_give_the_same_bits(source) -> None:
    kinds = bare().table(source).category["kind"]
    rows = [
        {"event_id": n, "at": (datetime.fromtimestamp(A / 1e6, UTC) - timedelta(days=3 * n)).isoformat(), "known_at": (datetime.fromtimestamp(A / 1e6, UTC) - timedelta(days=3 * n - 1)).isoformat(),
         "kind": kinds[n % len(kinds)], "data": {"amount_fen": 100 * n, "balance_fen": 7 * n, "counterparty": f"cp-{n % 3}", "plan": "basic"}}
        for n in range(1, 60)
    ]  # fmt: skip
    told = [
        Event(row["event_id"], *((datetime.fromisoformat(row[word]) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for word in ("at", "known_at")), row["kind"], row["data"])
        for row in rows
    ]
    rows_live = with_news(bare().table(source), None, rows_told(source, [json.dumps(rows).encode()], A))
    live = OURS.beside(History(bare(), {source: rows_live}, {source: (Fetch(A, "co"),)}))
    assert compute(live, A, ASKED, None, {}).bits_sha256 == compute(history_of({source: told}), A, ASKED, None, {}).bits_sha256


def test_what_a_source_says_wrongly_is_left_out_and_never_a_wrong_number() -> None:
    at = "2026-09-01T08:30:00+08:00"
    page = [
        {"event_id": -1, "at": at, "known_at": at, "kind": "pay", "data": {"amount_fen": 1}},
        {"event_id": 1 << 70, "at": at, "known_at": at, "kind": "pay", "data": {"amount_fen": 1}},
        {"event_id": 1, "at": at, "known_at": "2036-09-01T08:30:00+08:00", "kind": "pay", "data": {"amount_fen": 1}},
        {"event_id": 2, "at": at, "known_at": at, "kind": "pay", "data": {"amount_fen": 1.5, "channel": 7}},
        {"event_id": 3, "at": at, "known_at": at, "kind": "pay", "data": {"amount_fen": 1 << 50}},
        {"event_id": 4, "at": at, "known_at": at, "kind": "pay", "data": "none", "revision": "x"},
        {"event_id": 5, "at": at, "known_at": at, "kind": "pay", "data": None},
        {"event_id": 5, "at": at, "known_at": at, "kind": "pay", "data": {"amount_fen": 40}},
    ]
    rows = rows_told("wallet", [json.dumps(page).encode()], A)
    assert rows.event_id.tolist() == [2, 3, 5]
    assert (rows.values.tolist(), rows.ok.tolist()) == ([[0, 0, 40]], [[False, False, True]])


def test_an_instant_is_the_same_however_a_source_writes_its_offset() -> None:
    ways = ["2026-09-01T08:30:00.5+08:00", "2026-09-01T00:30:00.500Z", "2026-08-31T19:00:00.500000-05:30"]
    pages = [json.dumps([{"event_id": n, "at": at, "known_at": at, "kind": "pay", "data": {}}]).encode() for n, at in enumerate(ways)]
    together = rows_told("wallet", pages, A).event_time.tolist()
    assert [rows_told("wallet", [page], A).event_time.tolist() for page in pages] == [[at] for at in together]
    assert set(together) == {1_788_222_600_500_000}


def test_a_report_reads_as_it_stands_on_the_wire() -> None:
    at = 1_788_222_600_123_000
    report = read_report(REPORT)
    history = History.read(bare(), {"bureau": rows_of_report(REPORT, at), "app": {}, "repayment": {}}, fetches={"bureau": [Fetch(at, "co")]})
    values = compute(history, at, ASKED, report, {}).values
    assert values["bureau.used_share"] == 500_000
    assert values["bureau.worst.12m"] == 3
    assert values["bureau.count.30d[kind=inquiry&reason=loan_application]"] == values["bureau.count.30d[kind=inquiry]"] == 1
    assert values["bureau.age.max"] == 608
    assert values["bureau.overdue_days.max.180d[kind=status]"] == 90, "the third of four months, the last of which is August"
    assert values["bureau.recency[class=doubtful|loss|special_mention|substandard]"] == 31


def test_age_is_kept_for_fairness_and_out_of_scores() -> None:
    assert papers()["application.age"].is_protected


def test_income_is_what_the_bank_shows_the_farm_sells_or_contributions_imply() -> None:
    rows = [event(n, 30 * n, "wage", 300_000) for n in range(1, 6)]
    assert monthly_income_fen(values_of({"bank_flow": rows})) == 5 * 300_000 * 30 // 180
    assert monthly_income_fen(values_of({"wallet": [event(1, 5, "receive", 900_000)]})) is Missing.NO_RECORD
    paid = [event(n, 30 * n, "contribution", 10_500) for n in range(1, 6)]
    assert monthly_income_fen(values_of({"social_insurance": paid})) == 100_000


def test_a_campus_tariff_makes_a_student() -> None:
    def bill(days_ago):
        return {"telco": [Event(1, A - days_ago * DAY_US, A - days_ago * DAY_US + 1, "bill", {"plan": "campus"})]}

    assert work_of(20, values_of(bill(20))) == "student"
    assert work_of(40, values_of(bill(20))) == ""
    assert work_of(20, values_of(bill(300))) == ""
    assert work_of(20, values_of({})) == ""
