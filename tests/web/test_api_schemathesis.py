"""Whatever is sent to a door, it answers: with what was asked for, with a refusal that says why, or with "come again", never with a fault.

The inputs are made from the very document the API publishes, the right ones and the wrong ones; every second one is led deeper by the ids
of a loan, an offer and a person that exist. Senders: nobody, a borrower who has a loan, staff and partners with good credentials.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case, GenerationMode

from puhui.web import openapi

ENDING = {"logout", "freeze", "not_mine", "close_account"}
"""Steps that end a visit or close a person's account: a newcomer takes them."""
ASKING = {"quote", "proof", "review_decision", "sign", "read_cost"}
"""Steps of one who has an offer."""
PLACES = {"/staff/v1/boards/{name}": {"name": "funnel"}, "/staff/v1/switches/{name}": {"name": "sales"}}

SCHEMA = schemathesis.openapi.from_dict(openapi.build())
SCHEMA.config.generation.update(modes=list(GenerationMode))
SCHEMA.config.phases.coverage.enabled = False
GENTLY = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
NUMBERS: Iterator[int] = count(1)


def refuses_or_answers(reply: requests.Response, told: str) -> None:
    """A reply is no fault, and what refuses says its code, both sentences, and whether to come again."""
    assert reply.status_code < 500 or reply.status_code == 503, f"{told}\n{reply.status_code} {reply.text[:500]}"
    if reply.status_code < 400:
        return
    refusal = msgspec.json.decode(reply.content)
    assert set(refusal) >= {"code", "text", "text_zh", "retry"}, told


def sent(house: Any, case: Case, headers: dict[str, str], *, signed: bool = False) -> None:
    """Send a generated case under a key of its own and judge the answer."""
    n = next(NUMBERS)
    if n % 2:
        case.path_parameters = {**(case.path_parameters or {}), **PLACES.get(case.operation.path, {})}
        if isinstance(case.body, dict):
            case.body |= {name: known for name, known in known_ids(house, n).items() if isinstance(case.body.get(name), str)}
    case.headers = {**(case.headers or {}), **headers, "Idempotency-Key": house.key()}
    ready = case.as_transport_kwargs(base_url=house.url)
    names = ("method", "url", "params", "headers", "data", "json")
    request = house.session.prepare_request(requests.Request(**{name: ready.get(name) for name in names}))
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    path = "/" + str(request.url).split("/", 3)[3]
    if signed:
        reply = house.signed(request.method, path, body, partner=house.partners["partner/v1" in path])
    else:
        reply = house.session.send(request, timeout=60)
    refuses_or_answers(reply, f"{request.method} {request.url} {body!r}")


def known_ids(house: Any, n: int) -> dict[str, str]:
    entry, shop = (key.key_id.removesuffix("-9") for key in house.partners)
    return {
        "loan_id": house.loan_id,
        "customer_id": house.customer_id,
        "offer_id": house.asker.offers[0]["offer_id"],
        "session_id": f"se-x-{n}",
        "entry_id": entry.removeprefix("entry-"),
        "kind": "app",
        "merchant_id": shop,
    }


@SCHEMA.parametrize()
@settings(GENTLY, max_examples=2)
def test_nobody_gets_a_fault_out_of_a_door(house: Any, case: Case) -> None:
    sent(house, case, {})


@SCHEMA.include(path_regex="^/borrower/").parametrize()
@GENTLY
def test_a_borrower_gets_no_fault_out_of_a_door(house: Any, case: Case) -> None:
    step = case.operation.path.rsplit("/", 1)[-1]
    secret = house.visitor() if step in ENDING else house.asker.secret if step in ASKING else house.borrower.secret
    sent(house, case, {"Puhui-Session": secret})


@SCHEMA.include(path_regex="^/staff/").exclude(path_regex="/log").parametrize()
@GENTLY
def test_staff_gets_no_fault_out_of_a_door(house: Any, case: Case) -> None:
    token = house.tokens[(next(NUMBERS) // 2) % len(house.tokens)]
    sent(house, case, {"Authorization": f"Bearer {token}"})


@SCHEMA.include(path_regex="^/(entry|partner)/").parametrize()
@GENTLY
def test_a_partner_gets_no_fault_out_of_a_door(house: Any, case: Case) -> None:
    sent(house, case, {}, signed=True)


def test_a_person_whose_account_ends_gets_no_fault(house: Any) -> None:
    """The steps that end something, taken one after the other by one person: he is refused, or heard, and the house stands."""
    secret = house.visitor()
    for name, body in (
        ("close_account", {}),
        ("not_mine", {"loan_id": house.loan_id, "text": "不是我借的"}),
        ("freeze", {"reason": "lost_phone"}),
        ("close_account", {}),
        ("logout", {}),
        ("logout", {}),
    ):
        reply = house.send("POST", f"/borrower/v1/steps/{name}", body=msgspec.json.encode(body), headers={"Puhui-Session": secret})
        refuses_or_answers(reply, name)
