"""The files of truth are for evaluation: the driver may have them, the lender never; and who lives in a town is the driver's to say."""

import csv
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import puhui_town.breaches
import puhui_town.checks
import puhui_town.people
import puhui_town.rail
import puhui_town.truth
from puhui_town.people.mind import Mind
from puhui_town.people.needs import CHINA
from puhui_town.wire import Clock, ClockMode, Config, PrivateKey, Town, open_town
from puhui_town.wire.server import Request, Response
from puhui_town.wire.signing import sign_request

START = datetime(2026, 9, 1, 9, 0, tzinfo=CHINA)
DRIVER = PrivateKey("driver-1", "driver", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
LENDER = PrivateKey("lender-1", "lender", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    installs = [m.install for m in (puhui_town.breaches, puhui_town.people, puhui_town.checks, puhui_town.rail, puhui_town.truth)]
    town = open_town(Config(people=30, truth=tmp_path / "truth"), Clock.begin(ClockMode.STEPPED, START), installs)
    for key in (DRIVER, LENDER):
        town.world.keys.know(key.public())
    await town.start()
    yield town
    await town.stop()


@pytest.fixture
def ask(town: Town) -> Ask:
    nonces = iter(range(1, 100))

    def send(who: PrivateKey, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        raw, nonce = json.dumps(body).encode(), f"{next(nonces):032x}"
        time_ms = town.world.clock.sign_ms()
        signed = sign_request(who, method="POST", path=path, body=raw, idempotency_key=f"k-{nonce}", time_ms=time_ms, nonce=nonce)
        response = town.gate.take(Request("POST", path, {name.lower(): value for name, value in signed}, raw))
        assert isinstance(response, Response)
        return response.status, json.loads(response.body) if response.body else {}

    return send


def test_every_resident_stands_in_the_truth_with_traits_and_probabilities(town: Town, tmp_path: Path) -> None:
    with (tmp_path / "truth" / "people.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert all(0 <= float(row["pd_3"]) <= float(row["pd_6"]) <= float(row["pd_12"]) <= 1 for row in rows)
    assert not any(town.world.parts["people"].person(int(row["n"])).id_number in row.values() for row in rows)


def test_the_driver_may_have_the_truth_written_and_the_lender_may_not(ask: Ask, tmp_path: Path) -> None:
    assert ask(DRIVER, "/town/truth/files", {})[0] == 200
    assert {path.name for path in (tmp_path / "truth").glob("*.csv")} == {"people.csv", "shocks.csv", "rings.csv", "uplift.csv", "faults.csv"}
    assert ask(LENDER, "/town/truth/files", {})[0] == 403


def test_more_people_move_in_and_others_only_while_nobody_has_acted(town: Town, ask: Ask) -> None:
    people = town.world.parts["people"]
    assert ask(DRIVER, "/town/people", {"seed": 7, "count": 40})[1]["count"] == 40
    assert ask(DRIVER, "/town/people", {"seed": 9, "count": 20})[1]["count"] == 20
    people.note(Mind(3, sessions=1))
    assert ask(DRIVER, "/town/people", {"seed": 7, "count": 40})[0] == 409
    assert ask(DRIVER, "/town/people", {"seed": 9, "count": 50})[1]["count"] == 50


@pytest.mark.parametrize("body", [{"seed": 7}, {"seed": 7, "count": -1}, {"seed": 7, "count": 3, "population": "[need]\nper_month = 1"}, {"count": "x"}])
def test_bad_orders_settle_nobody(ask: Ask, town: Town, body: dict[str, Any]) -> None:
    assert ask(DRIVER, "/town/people", body)[0] == 400
    assert town.world.parts["people"].count == 30


def test_the_lender_may_not_settle_people(ask: Ask) -> None:
    assert ask(LENDER, "/town/people", {"seed": 7, "count": 40})[0] == 403
