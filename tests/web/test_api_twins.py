"""The same request at two web processes at once: one effect, one answer, whichever process the network chose."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
import uvicorn
from whole_loop import Resident

from puhui.foundation.desk import open_desk
from puhui.foundation.services import learn_keys
from puhui.journeys.wiring import wiring
from puhui.web import app


@asynccontextmanager
async def another_process(house):
    """A second web process on the same books and clock: its own desk, its own doors, nothing shared in memory."""
    first = house.desk
    desk = await open_desk(first.config, wiring(), owner="twin", clock=first.clock)
    with socket.create_server(("127.0.0.1", 0)) as door:
        await learn_keys(desk.session, desk.keyring, desk.config.url_of("checks"))
        server = uvicorn.Server(uvicorn.Config(app.build(desk), lifespan="off", access_log=False, log_level="warning", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            await desk.close()


async def at_both(house, path, body, key, secret):
    """Send one request to both processes at the same moment, twice each; give every (status, body)."""
    return await together(house, path, [(body, key)] * 4, secret)


async def together(house, path, requests, secret):
    """Send (body, key) after (body, key) at the same moment, to the two processes in turn; give every (status, body)."""

    async def send(client, url, body, key):
        headers = {"Puhui-Session": secret, "Idempotency-Key": key}
        async with client.post(url + path, data=msgspec.json.encode(body), headers=headers) as reply:
            return reply.status, msgspec.json.decode(await reply.read())

    async with another_process(house) as other, aiohttp.ClientSession() as client:
        return await asyncio.gather(*(send(client, (house.url, other)[n % 2], body, key) for n, (body, key) in enumerate(requests)))


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("complain", {"text": "催收电话太多了"}),
        ("ask", {"text": "怎么改还款日？"}),
        ("dispute", {"subject": "2026-09", "text": "不对"}),
        ("consent", {"items": ["marketing"], "purpose": "marketing", "until": "2027-03-01"}),
        ("send_code", {"purpose": "unmask"}),
        ("payoff", {"loan_id": "LOAN", "day": "2026-09-20"}),
        ("certificate", {"kind": "loan", "loan_id": "LOAN"}),
        ("mandate", {"loan_id": "LOAN", "on": True}),
        ("repay", {"loan_id": "LOAN", "amount_fen": 1_000, "payment_key": "twin-1", "intent": "prepay"}),
    ],
)
def test_the_same_step_at_two_processes_at_once_is_one_step(house, step, body):
    body = {name: house.loan_id if value == "LOAN" else value for name, value in body.items()}
    if step == "repay":
        house.run(house.loop.pass_time(minutes=5))  # what another test has paid is told by now
    before = house.run(house.borrower.home())
    answers = house.run(at_both(house, f"/borrower/v1/steps/{step}", body, f"twin-{step}", house.borrower.secret))
    after = house.run(house.borrower.home())
    assert {status for status, _ in answers} == {200}, answers
    assert all(answer == answers[0] for answer in answers), answers
    for kept in ("cases", "consents", "messages"):
        assert len(after[kept]) - len(before[kept]) <= 1, kept


def test_of_two_repayments_ordered_at_once_only_one_begins(house):
    house.run(house.loop.pass_time(minutes=5))
    asked = [({"loan_id": house.loan_id, "amount_fen": 1_000, "payment_key": f"rival-{n}", "intent": "prepay"}, f"rival-{n}") for n in range(6)]
    answers = house.run(together(house, "/borrower/v1/steps/repay", asked, house.borrower.secret))
    assert sorted(status for status, _ in answers) == [200] + [409] * 5, answers
    assert {body["code"] for status, body in answers if status == 409} == {"collect.repayment-on-its-way"}


class Twice(Resident):
    """A resident whose every request reaches two processes at the same moment."""

    other = ""

    async def send(self, path, body, key):
        async def once(url):
            headers = {"Puhui-Session": self.secret, "Idempotency-Key": key}
            async with self.loop.client.post(url + path, data=body, headers=headers) as reply:
                raw = await reply.read()
                return reply.status, msgspec.json.decode(raw) if raw else None

        first, second = await asyncio.gather(once(self.loop.url), once(self.other))
        assert told_the_same(first, second), (path, first, second)
        return first


def told_the_same(first, second):
    """Both processes say the same; or one of them says that the very application is still under way, which was true when it looked."""
    waiting = [body for status, body in (first, second) if status == 200 and body.get("state") == "waiting"]
    ids = {body["show"].get("application_id") for _, body in (first, second)} if waiting else set()
    return first == second or (first[0] == second[0] and len(waiting) == 1 and len(ids) == 1)


def test_a_person_whose_every_tap_arrives_twice_gets_one_loan(bare_house):
    """From the log-in to the money: each step at both processes at once, and still one of everything."""

    async def story():
        async with another_process(bare_house) as other:
            for n in range(10, 20):
                person = Twice(bare_house.loop, n)
                person.other = other
                await person.settle_in()
                if await person.apply() == "offered":
                    loan_id = await person.borrow()
                    return loan_id, await person.home()
        raise AssertionError("nobody was offered anything")

    loan_id, home = bare_house.run(story())
    assert [loan["loan_id"] for loan in home["loans"]] == [loan_id]
    assert len(home["consents"]) == len({one["item"] for one in home["consents"]})
    assert bare_house.loop.breaches == []
