"""A body that is right but for one value: every field of every step and door gets what no honest page sends, and the answer is never a fault."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from puhui.journeys import steps

CODE = {"otp_id": "ot-none", "code": "123456"}
PHONE, CARD, SHA = "12000001234", "0000010000000017", "a" * 64
BODIES: dict[str, dict[str, Any]] = {
    "ask": {"text": "怎么提前还款"},
    "apply": {"amount_fen": 200_000, "months": 6, "purpose": "daily", "scene": "", "order_token": ""},
    "bind": {"card_number": CARD, "phone": PHONE, **CODE},
    "cancel": {"application_id": "ap-000-none"},
    "certificate": {"kind": "loan", "loan_id": "LOAN"},
    "change_card": {"card_number": CARD, "phone": PHONE, **CODE},
    "change_phone": {"phone": PHONE, **CODE, "selfie_ref": "fi-none"},
    "complain": {"text": "我想问一下"},
    "confirm_cost": {"table_sha256": SHA},
    "consent": {"items": ["identity"], "purpose": "identity", "until": "2028-09-01", "recipient": "checks"},
    "dispute": {"subject": "LOAN", "text": "不对"},
    "export": CODE,
    "hardship": {"loan_id": "LOAN", "reason": "illness", "proof_ref": ""},
    "identity": {
        "person": {"name": "张三", "id_type": "id_card", "id_number": "790101199003070018"},
        "front_ref": "fi-none", "back_ref": "fi-none", "selfie_ref": "fi-none", "living_place_code": "790101001001",
    },
    "login": {"phone": PHONE, **CODE, "id_tail": "0018", "selfie_ref": "fi-none"},
    "mandate": {"loan_id": "LOAN", "on": True},
    "payoff": {"loan_id": "LOAN", "day": "2026-10-01"},
    "proof": {"kind": "payslip", "file_ref": "fi-none", "fields": {"income_fen": 500_000}},
    "quote": {"offer_id": "OFFER", "amount_fen": 100_000, "months": 6},
    "accept": {"offer_id": "of-000-none", "amount_fen": 100_000, "months": 6},
    "read_cost": {"table_sha256": SHA},
    "repay": {"loan_id": "LOAN", "amount_fen": 10_000, "intent": "prepay", "payment_key": "pk-1", **CODE},
    "review_decision": {"decision_id": "de-000-none", "text": "再看一下"},
    "send_code": {"purpose": "login", "phone": PHONE, "subject": ""},
    "sign": {"contract_sha256": SHA, **CODE},
    "withdraw_consent": {"consent_id": "co-000-none"},
    "not_mine": {"loan_id": "ln-000-none", "text": "不是我"},
    "freeze": {"reason": "lost_phone", "proof_ref": "fi-none"},
    "close_account": {},
    "logout": {},
}
OWN_VISIT = {"not_mine", "freeze", "close_account", "logout", "login", "bind", "change_card", "change_phone", "identity"}
TEXTS = ["a\0b", "\ud800", "x" * 70_000, "", "１２３", "LOAN\n", "\u202e'; --😀", 7, None, {}]
WHOLE = [-1, 0, 2**31, 2**63, 10**400, 1.5, True, None]
DAYS = ["0001-01-01", "9999-12-31", "2026-02-30", "2026-1-1", "", "2026-09-01T00:00:00", 20260901, None]
LISTS = [[], [[]], ["x"] * 5000, ["identity"] * 2000, [None], ["\0"], "identity", {}]
DICTS = [[], {"\0": 1}, {"a": "\0"}, {"a": {"b": {"c": []}}}, {"n": 10**400}, {str(n): n for n in range(5000)}, None]


def nasty(value: Any) -> list[Any]:
    match value:
        case bool():
            return [0, "true", None, []]
        case int():
            return WHOLE
        case list():
            return LISTS
        case dict():
            return DICTS
        case str() if value[:4].isdigit() and value[4:5] == "-":
            return DAYS
    return TEXTS


def altered(body: Any) -> Iterator[Any]:
    """Give the body once for every nasty value of every place in it, and without each of its fields."""
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        for other in nasty(value):
            yield body | {name: other}
        yield {other: kept for other, kept in body.items() if other != name}
        for inner in altered(value):
            yield body | {name: inner}


def test_the_table_knows_every_step():
    assert set(BODIES) == set(steps.BORROWER)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_no_value_of_a_step_makes_a_fault(house, name):
    secret = house.visitor() if name in OWN_VISIT else house.asker.secret if name in {"quote", "accept", "apply", "cancel"} else house.borrower.secret
    for body in [BODIES[name], *altered(BODIES[name])]:
        sent = json.dumps(body).replace("LOAN", house.loan_id).replace("OFFER", house.asker.offers[0]["offer_id"]).encode()
        reply = house.send("POST", f"/borrower/v1/steps/{name}", body=sent, headers={"Puhui-Session": secret})
        assert reply.status_code < 500, f"{sent[:300]!r}: {reply.status_code} {reply.text[:500]}"
        if reply.status_code == 400:
            assert reply.json()["facts"]["field"], reply.text
        if name in {"freeze", "logout"} and reply.status_code == 200:
            secret = house.visitor()


SIGNED = {
    "/entry/v1/sessions": {"session_id": "se-v-1", "entry_id": "ENTRY", "kind": "app", "device": {"device_id": "dv-1", "memory_mb": 2000}, "scene": "", "code": ""},
    "/partner/v1/orders": {
        "order_id": "or-1", "merchant_id": "SHOP", "scene_id": "SCENE", "items": [{"title": "手机", "amount_fen": 100_000, "category": "phone"}],
        "amount_fen": 100_000, "buyer_ref": "b-1", "return_url": "http://127.0.0.1/back",
    },
    "/partner/v1/orders/or-1/deliver": {"delivered_at": "2026-09-01T09:00:00+08:00"},
    "/partner/v1/orders/or-1/refunds": {"refund_id": "rf-1", "amount_fen": 100, "reason": "returned"},
}  # fmt: skip


@pytest.mark.parametrize("path", SIGNED)
def test_no_value_of_a_partner_makes_a_fault(house, path):
    entry, shop = (key.key_id.removesuffix("-9") for key in house.partners)
    for body in [SIGNED[path], *altered(SIGNED[path])]:
        sent = json.dumps(body).replace("ENTRY", entry.removeprefix("entry-")).replace("SHOP", shop).encode()
        reply = house.signed("POST", path, sent, partner=house.partners["partner" in path])
        assert reply.status_code < 500, f"{sent[:300]!r}: {reply.status_code} {reply.text[:500]}"


OPERATIONS, FINANCE, COMPLIANCE = 0, 1, 2
STAFF = {
    "/staff/v1/cases/ca-1/answer": (COMPLIANCE, {"customer_id": "CUSTOMER", "outcome": "upheld", "text": "好"}),
    "/staff/v1/hardships/ca-1/ease": (OPERATIONS, {"customer_id": "CUSTOMER", "months": 12, "approval_id": ""}),
    "/staff/v1/hardships/ca-1/refuse": (OPERATIONS, {"customer_id": "CUSTOMER", "text": "不行"}),
    "/staff/v1/loans/LOAN/write-off": (FINANCE, {"customer_id": "CUSTOMER", "approval_id": ""}),
    "/staff/v1/approvals/ay-1/decline": (FINANCE, {"why": "不行"}),
    "/staff/v1/partners/shop-none/suspend": (COMPLIANCE, {"why": "不行"}),
    "/staff/v1/switches/sales": (COMPLIANCE, {"is_on": True}),
}


@pytest.mark.parametrize("path", STAFF)
def test_no_value_of_staff_makes_a_fault(house, path):
    member, right = STAFF[path]
    for body in [right, *altered(right)]:
        sent = json.dumps(body).replace("CUSTOMER", house.customer_id).encode()
        reply = house.send("POST", path.replace("LOAN", house.loan_id), body=sent, headers={"Authorization": f"Bearer {house.tokens[member]}"})
        assert reply.status_code < 500, f"{sent[:300]!r}: {reply.status_code} {reply.text[:500]}"


@pytest.mark.parametrize("field", ["login", "password", "code"])
def test_no_value_of_a_log_in_makes_a_fault(house, field):
    for given in ("\0", "\ud800", "x" * 70_000, 7):
        body = json.dumps({"login": "door.finance", "password": "wrong", "code": "", field: given}).encode()
        reply = house.send("POST", "/staff/v1/login", body=body)
        assert 400 <= reply.status_code < 500, f"{given!r}: {reply.status_code} {reply.text[:500]}"


QUERIES = ("", "x", "%00", "%ff", "9999-12-31", "0001-01-01", "2026-02-30", "1" * 30, "-1", "%27", "a" * 5000)


@pytest.mark.parametrize(
    "path",
    ["schedule?loan_id=", "statement?loan_id=", "statement?loan_id=LOAN&since=", "statement?loan_id=LOAN&since=2026-09-01&until=", "decisions?lang=", "documents/"],
)
def test_no_query_makes_a_fault(house, path):
    for given in QUERIES:
        reply = house.send("GET", f"/borrower/v1/{path.replace('LOAN', house.loan_id)}{given}")
        assert reply.status_code < 500, f"{path}{given}: {reply.status_code} {reply.text[:500]}"


@pytest.mark.parametrize("path", ["audit?after=", "trial-balance?on=", "boards/"])
def test_no_query_of_staff_makes_a_fault(house, path):
    for given in QUERIES:
        for token in house.tokens[FINANCE], house.tokens[-1]:
            reply = house.send("GET", f"/staff/v1/{path}{given}", headers={"Authorization": f"Bearer {token}"})
            assert reply.status_code < 500, f"{path}{given}: {reply.status_code} {reply.text[:500]}"
