"""The town sees each thing the lender may not do, and nothing where the lender did right."""

from datetime import date, datetime, timedelta

import pytest

from puhui_town.breaches import Breaches, Standing
from puhui_town.wire.clock import Clock, ClockMode
from puhui_town.wire.store import Store
from puhui_town.wire.words import SHANGHAI

NOON = datetime(2026, 9, 1, 12, 0, tzinfo=SHANGHAI)
CLOCK = Clock.begin(ClockMode.STEPPED, NOON)
LI, PHONE = "p-1", "12000000001"


@pytest.fixture
def watch() -> Breaches:
    return Breaches(Store(None), CLOCK)


def kinds(watch: Breaches) -> list[str]:
    return [seen.kind for seen in watch.all_seen()]


def consented(watch: Breaches, *items: str) -> None:
    watch.consent_given(person=LI, consent_id="co-1", items=items, purpose="loan", until=date(2026, 9, 30))


def use(watch: Breaches, consent_id: str = "co-1", *, use: str = "bureau-query", at: datetime = NOON, subject: str = "q-1", **more: object) -> Standing:
    return watch.use_consent(person=LI, consent_id=consent_id, use=use, at=at, subject=subject, **more)  # type: ignore[arg-type]


def test_a_use_under_a_live_consent_is_no_breach(watch: Breaches):
    consented(watch, "bureau")
    assert use(watch, sha256="ab") is Standing.LIVE
    assert use(watch, at=datetime(2026, 9, 30, 23, 59, tzinfo=SHANGHAI), sha256="ab") is Standing.LIVE
    assert kinds(watch) == []


def test_a_use_that_nobody_consented_to_is_seen(watch: Breaches):
    consented(watch, "bureau")
    standings = [
        use(watch, "co-9", subject="q-1"),
        use(watch, use="face", subject="q-2"),
        use(watch, at=datetime(2026, 10, 1, tzinfo=SHANGHAI), subject="q-3"),
    ]
    watch.consent_withdrawn(person=LI, consent_id="co-1", at=NOON)
    assert use(watch, at=NOON + timedelta(seconds=1), subject="q-4") is Standing.LIVE
    standings.append(use(watch, at=NOON + timedelta(seconds=1, milliseconds=1), subject="q-5"))
    assert standings == [Standing.UNKNOWN, Standing.OTHER_ITEM, Standing.EXPIRED, Standing.WITHDRAWN]
    assert kinds(watch) == ["use-without-consent"] * 4


def test_a_consent_is_good_for_its_number_of_uses_and_its_own_text(watch: Breaches):
    consented(watch, "bureau")
    assert use(watch, subject="q-1", uses_max=1, sha256="ab") is Standing.LIVE
    assert use(watch, subject="q-1", uses_max=1, sha256="ab") is Standing.LIVE, "the same question asked again"
    assert use(watch, subject="q-2", uses_max=1, sha256="ab") is Standing.USED_UP
    assert use(watch, subject="q-1", uses_max=2, sha256="cd") is Standing.ALTERED


def test_whom_the_town_never_saw_consent_is_counted_apart(watch: Breaches):
    assert use(watch) is Standing.UNWITNESSED
    assert watch.unwitnessed_uses == 1
    watch.strict = True
    assert use(watch) is Standing.UNKNOWN
    assert kinds(watch) == ["use-without-consent"]


def contact(watch: Breaches, at: datetime, purpose: str = "collection", *, subject: str = "m-1", answered: bool | None = None, template: str = "x") -> None:
    watch.contacted(phone=PHONE, users=[LI], purpose=purpose, at=at, subject=subject, call_answered=answered, template=template)


def debtor(watch: Breaches) -> None:
    watch.paid_out(person=LI, loan_id="ln-1", amount_fen=300_000, at=NOON)


@pytest.mark.parametrize(
    ("hour", "purpose", "seen"),
    [
        ("07:59:59", "collection", True), ("08:00:00", "collection", False), ("21:59:59", "reminder", False), ("22:00:00", "reminder", True),
        ("23:00:00", "otp", False), ("23:00:00", "service", False), ("08:59:59", "marketing", True), ("09:00:00", "marketing", False),
        ("19:59:59", "marketing", False), ("20:00:00", "marketing", True),
    ],
)  # fmt: skip
def test_the_night_begins_and_ends_to_the_second(watch: Breaches, hour: str, purpose: str, seen: bool):
    debtor(watch)
    contact(watch, datetime.fromisoformat(f"2026-09-01T{hour}+08:00"), purpose)
    assert kinds(watch) == (["contact-at-night"] if seen else [])


def test_the_fourth_answered_call_and_the_seventh_unanswered_one_of_a_day_are_too_many(watch: Breaches):
    debtor(watch)
    for n in range(4):
        contact(watch, NOON + timedelta(minutes=n), subject=f"c-{n}", answered=True)
        assert len(kinds(watch)) == (n == 3)
    for n in range(7):
        contact(watch, NOON + timedelta(days=1, minutes=n), subject=f"d-{n}", answered=False)
    assert [seen.subject for seen in watch.all_seen()] == ["c-3", "d-6"]
    assert set(kinds(watch)) == {"contact-too-often"}


def test_marketing_comes_once_a_day_twice_a_week_and_never_after_td(watch: Breaches):
    contact(watch, NOON, "marketing", subject="a")
    contact(watch, NOON + timedelta(days=1), "marketing", subject="b")
    assert kinds(watch) == []
    contact(watch, NOON + timedelta(days=2), "marketing", subject="c")
    assert kinds(watch) == ["contact-too-often"]
    assert watch.is_opt_out(" td ")
    watch.opted_out(users=[LI], at=NOON + timedelta(days=29))
    contact(watch, NOON + timedelta(days=29, hours=1), "marketing", subject="d0")
    assert len(kinds(watch)) == 1, "the lender may not have heard of it yet"
    watch.opted_out(users=[LI], at=NOON + timedelta(days=31))
    contact(watch, NOON + timedelta(days=30), "marketing", subject="d")
    contact(watch, NOON + timedelta(days=30), "service", subject="e")
    assert kinds(watch)[-1] == "contact-after-opt-out"
    assert len(kinds(watch)) == 2


def test_a_debt_is_spoken_of_with_the_debtor_alone(watch: Breaches):
    contact(watch, NOON, "collection")
    assert kinds(watch) == ["contact-third-party"]
    debtor(watch)
    watch.contacted(phone=PHONE, users=["p-2", LI], purpose="collection", at=NOON, subject="m-2")
    watch.contacted(phone="12000000009", users=[], purpose="collection", at=NOON, subject="m-3")
    assert len(kinds(watch)) == 1, "a shared phone is the debtor's, and a dead number is nobody's"


def test_who_signs_has_read_for_ten_seconds(watch: Breaches):
    watch.signed(person="p-9", contract_sha256="c", at=NOON, now_ms=0)
    assert kinds(watch) == [], "nobody watched this person read"
    watch.cost_shown(person=LI, table_sha256="t", now_ms=0)
    watch.cost_confirmed(person=LI, table_sha256="t", contract_sha256="c")
    watch.signed(person=LI, contract_sha256="c", at=NOON, now_ms=10_000)
    assert kinds(watch) == []
    watch.signed(person=LI, contract_sha256="other", at=NOON, now_ms=60_000)
    watch.cost_shown(person=LI, table_sha256="t2", now_ms=0)
    watch.cost_confirmed(person=LI, table_sha256="t2", contract_sha256="c2")
    watch.signed(person=LI, contract_sha256="c2", at=NOON, now_ms=9_999)
    assert kinds(watch) == ["signed-before-reading"] * 2


def test_a_person_never_owes_more_than_the_cap(watch: Breaches):
    watch.paid_out(person=LI, loan_id="a", amount_fen=20_000_000, at=NOON)
    assert kinds(watch) == []
    watch.paid_back(person=LI, loan_id="a", amount_fen=100)
    watch.paid_out(person=LI, loan_id="b", amount_fen=100, at=NOON)
    assert kinds(watch) == []
    watch.paid_out(person=LI, loan_id="c", amount_fen=1, at=NOON)
    assert kinds(watch) == ["over-person-cap"]


def test_a_first_bad_mark_waits_for_its_notice(watch: Breaches):
    watch.bad_mark_sent(person=LI, account="a", month="2026-09", status="N", at=NOON)
    contact(watch, NOON, "service", template="bureau_first_bad_mark")
    watch.bad_mark_sent(person=LI, account="a", month="2026-09", status="1", at=NOON + timedelta(hours=1))
    assert kinds(watch) == []
    watch.bad_mark_sent(person="p-2", account="b", month="2026-09", status="1", at=NOON)
    watch.bad_mark_sent(person=LI, account="c", month="2026-09", status="1", at=NOON - timedelta(hours=1))
    assert kinds(watch) == ["bad-mark-before-notice"] * 2


def test_the_watch_survives_a_restart(tmp_path):
    store = Store(tmp_path / "town.sqlite")
    consented(Breaches(store, CLOCK), "bureau")
    Breaches(store, CLOCK).note("collect_over_mandate", LI, {"order_id": "po-1", "over_fen": 5})
    store.close()
    again = Breaches(Store(tmp_path / "town.sqlite"), CLOCK)
    assert kinds(again) == ["collect-over-mandate"]
    assert (again.all_seen()[0].subject, again.all_seen()[0].facts) == ("po-1", {"order_id": "po-1", "over_fen": 5})
    assert use(again) is Standing.LIVE
