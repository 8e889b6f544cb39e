"""The simulated telephones: whoever tries the product finds codes, card and pictures there, and cannot mistake them for real."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

import puhui_town.breaches
import puhui_town.checks
import puhui_town.people
import puhui_town.phones
import puhui_town.rail
from puhui_town.checks.pictures import read
from puhui_town.checks.population import Sms
from puhui_town.people.needs import CHINA
from puhui_town.wire import Clock, ClockMode, Config, Town, open_town
from puhui_town.wire.server import Request, Response

START = datetime(2026, 9, 1, 9, 0, tzinfo=CHINA)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    installs = [m.install for m in (puhui_town.breaches, puhui_town.people, puhui_town.checks, puhui_town.rail, puhui_town.phones)]
    town = open_town(Config(people=60), Clock.begin(ClockMode.STEPPED, START), installs)
    await town.start()
    yield town
    await town.stop()


async def ask(town: Town, target: str, body: bytes | None = None, **headers: str) -> Response:
    answer = town.gate.take(Request("GET" if body is None else "POST", target, headers, body or b""))
    return answer if isinstance(answer, Response) else await answer


async def test_every_screen_says_that_it_is_simulated(town: Town) -> None:
    for target in ("/town/phones", "/town/phones/3"):
        page = (await ask(town, target)).body.decode()
        assert "模拟手机" in page
        assert "width=device-width" in page


async def test_a_code_can_be_read_on_the_page_of_the_phone_it_came_to(town: Town) -> None:
    people = town.world.parts["people"]
    people.read_sms(Sms("m-1", people.phone(3), "otp", {"code": "482913"}, "【模拟】验证码 482913", "otp", "checks-1", START, "otp-1"))
    assert "482913" in (await ask(town, "/town/phones/3")).body.decode()
    assert "482913" not in (await ask(town, "/town/phones/59")).body.decode()


async def test_the_pictures_are_those_the_checks_know(town: Town) -> None:
    face = read((await ask(town, "/town/phones/3/pictures/face")).body)
    assert face is not None
    assert face.number == town.world.parts["people"].identity("n3").face


async def test_money_is_sent_by_hand(town: Town) -> None:
    people = town.world.parts["people"]
    before = people.books.card_balance(people.card_number(3))
    reply = await ask(town, "/town/phones/3/send", b"yuan=1.50&memo=ln-1")
    assert reply.status == 303
    assert people.books.card_balance(people.card_number(3)) == before - 150


@pytest.mark.parametrize("target", ["/town/phones/60", "/town/phones/x", "/town/phones/3/pictures/none"])
async def test_what_is_not_there_is_said_to_be_not_there(town: Town, target: str) -> None:
    assert (await ask(town, target)).status == 404


async def test_bad_sums_move_nothing(town: Town) -> None:
    people = town.world.parts["people"]
    before = people.books.card_balance(people.card_number(3))
    for text in (b"yuan=", b"yuan=abc", b"yuan=-5", b"yuan=99999999999", b"yuan=nan", b"yuan=inf"):
        assert (await ask(town, "/town/phones/3/send", text)).status == 303
    assert people.books.card_balance(people.card_number(3)) == before
