"""`/metrics`: what a house counts of its work and what waits in it, under names of ours and never under anything of a person."""

import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from puhui.web import app


def read(house) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = house.session.get(house.url + "/metrics", timeout=10).text
    return {(s.name, frozenset(s.labels.items())): s.value for family in text_string_to_metric_families(text) for s in family.samples}


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_requests_are_counted_under_their_route_and_refusals_under_their_code(house):
    before = read(house)
    house.send("POST", "/borrower/v1/steps/quote", body=b'{"offer_id": "of-none", "amount_fen": 1, "months": 3}')
    house.send("GET", "/borrower/v1/documents/" + "0" * 64)
    after = read(house)
    more = {name: value - before.get(name, 0) for name, value in after.items()}
    assert more[key("puhui_request_seconds_count", method="POST", route="/borrower/v1/steps/{step}", status="404")] == 1
    assert more[key("puhui_request_seconds_count", method="GET", route="/borrower/v1/documents/{sha256}", status="404")] == 1
    assert sum(value for (name, _), value in more.items() if name == "puhui_refusals_total") == 2


def test_the_loop_has_counted_its_flows_events_callbacks_and_what_it_asked_outside(house):
    told = read(house)
    for name, labels in (
        ("puhui_flow_turn_seconds_count", {"step": "apply.gather", "end": "done"}),
        ("puhui_events_answered_total", {"kind": "LoanDisbursed"}),
        ("puhui_asked_seconds_count", {"service": "rail", "end": "2xx"}),
        ("puhui_asked_seconds_count", {"service": "checks", "end": "2xx"}),
    ):
        assert told[key(name, **labels)] > 0, name


def test_nothing_of_a_person_is_a_label(house):
    text = house.session.get(house.url + "/metrics", timeout=10).text
    for secret in (house.customer_id, house.loan_id, house.borrower.secret):
        assert secret not in text


def test_what_waits_is_told_and_its_age(house):
    before = read(house)

    async def plant() -> None:
        async with house.desk.work() as work:
            await work.connection.execute(
                "insert into foundation.flows (flow_id, customer_id, kind, subject, step, due, state, started_at) "
                "values ('fl-planted', 'cu-none', 'none', 'none', 'none', $1::timestamptz - interval '90 seconds', '{}', $1)",
                work.at,
            )

    async def remove() -> None:
        async with house.desk.work() as work:
            await work.connection.execute("delete from foundation.flows where flow_id = 'fl-planted'")

    house.run(plant())
    try:
        told = read(house)
        assert told[key("puhui_waiting", what="flows")] == before[key("puhui_waiting", what="flows")] + 1
        assert told[key("puhui_waiting_oldest_seconds")] == max(before[key("puhui_waiting_oldest_seconds")], 90)
    finally:
        house.run(remove())


def test_a_house_built_twice_counts_once(house):
    for _ in range(2000):
        app.build_worker(house.desk)
    app.build(house.desk)
    before = read(house)
    assert house.session.get(house.url + "/health", timeout=10).status_code == 200
    name = key("puhui_request_seconds_count", method="GET", route="/health", status="200")
    assert read(house)[name] == before.get(name, 0) + 1


def test_a_database_that_is_away_is_said_and_no_old_number_stands_for_it(house, monkeypatch):
    read(house)

    async def nobody() -> None:
        raise asyncpg.InterfaceError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr("puhui.foundation.desk.PATIENCE_S", 0)
        patch.setattr(house.desk.reading, "take", nobody)
        told = read(house)
    assert told[key("puhui_database_up")] == 0
    assert not [name for name, _ in told if name == "puhui_waiting"]
    assert read(house)[key("puhui_database_up")] == 1
