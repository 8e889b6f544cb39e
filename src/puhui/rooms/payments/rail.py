"""The rail's interface, signed: bindings, mandates, transfers, refunds, balances, files. Called between transactions only.

A transfer is never sent under a new key because an answer is missing: it is asked about, and only when the rail says twice that it does not
know it, the settle time apart, does the same request go out again under the same key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from puhui.foundation.money import Money
from puhui.foundation.services import Answer, Service, Unknown
from puhui.rooms.payments.mandate import Mandate
from puhui.rooms.payments.order import PaymentOrder, RailSays, RailState

SETTLE_S = 120
_FILE = re.compile(r"^rail-transfers-lender-\d{8}-p(\d+)-r(\d+)\.csv$")


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code of purpose `pay` for one order; never stored in clear."""

    otp_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A signed no: nothing was done, nor will be under this key. `is_kept` False: the same key may be sent again later."""

    code: str
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class NotThere:
    """The rail says it does not know the transfer."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Nobody answered. It is not known whether anything was done."""

    why: str


async def transfer(service: Service, order: PaymentOrder, code: OneTimeCode | None = None) -> RailSays | Refused | Silent:
    """Send an order under its own key."""
    body: dict[str, Any] = {
        "order_id": order.payment_order_id,
        "direction": order.direction.value,
        "amount_fen": order.amount.fen,
        "sources": [{"account": source.account, "amount_fen": source.amount.fen} for source in order.sources],
        "target": order.target,
        "allow_partial": order.allow_partial,
        "purpose": order.note,
        "loan_id": order.loan_id or "none",
    }
    if order.mandate_id:
        body["mandate_id"] = order.mandate_id
    if code:
        body |= {"otp_id": code.otp_id, "code": code.code}
    return _told(await service.post("/rail/v1/transfers", body, key=order.payment_order_id))


async def ask(service: Service, order: PaymentOrder) -> RailSays | NotThere | Silent:
    """Ask how a transfer stands."""
    answer = await service.get(f"/rail/v1/transfers/{order.payment_order_id}")
    if isinstance(answer, Answer) and answer.status == 404:
        return NotThere()
    told = _told(answer)
    return Silent(f"answered {told.code}") if isinstance(told, Refused) else told


async def set_up_mandate(service: Service, mandate: Mandate) -> str | Refused | Silent:
    """Put a signed mandate at the rail; gives its state there."""
    body = {
        "mandate_id": mandate.mandate_id,
        "account": mandate.account,
        "max_each_fen": mandate.terms.max_each.fen,
        "until": mandate.terms.until.isoformat(),
        "contract_sha256": mandate.contract_sha256,
    }
    answer = await service.settle("/rail/v1/mandates", body, key=mandate.mandate_id)
    if isinstance(answer, Unknown):
        return Silent(answer.why)
    return str(answer.body.get("state", "")) if answer.is_good else _refused(answer)


async def balance(service: Service, account: str) -> Money | Silent:
    """Ask the balance of one of our own accounts."""
    answer = await service.get(f"/rail/v1/accounts/{quote(account, safe='')}")
    if isinstance(answer, Unknown) or not answer.is_good or not isinstance(answer.body.get("balance_fen"), int):
        return Silent(answer.why if isinstance(answer, Unknown) else f"answered {answer.status}")
    return Money(answer.body["balance_fen"])


async def files_of(service: Service, day: str) -> dict[str, bytes] | Silent:
    """Fetch the transfer files of a day: of each part the newest revision. Empty if there is none yet."""
    listed = await service.get(f"/rail/v1/files?date={day}")
    if isinstance(listed, Unknown) or not listed.is_good:
        return Silent(listed.why if isinstance(listed, Unknown) else f"answered {listed.status}")
    newest: dict[int, tuple[int, str]] = {}
    files = listed.body.get("files")
    for one in files if isinstance(files, list) else []:
        match = _FILE.fullmatch(str(one.get("name", ""))) if isinstance(one, dict) else None
        if match:
            part, revision = int(match.group(1)), int(match.group(2))
            newest[part] = max(newest.get(part, (0, "")), (revision, str(one["name"])))
    found: dict[str, bytes] = {}
    for _, name in newest.values():
        answer = await service.get(f"/rail/v1/files/{name}")
        if isinstance(answer, Unknown) or not answer.is_good:
            return Silent(answer.why if isinstance(answer, Unknown) else f"answered {answer.status}")
        found[name] = answer.raw
    return found


def says(data: Mapping[str, Any]) -> RailSays | None:
    """Read what a GET or a callback says of a transfer; None if it is not in the protocol."""
    try:
        return RailSays(
            rail_id=str(data["rail_id"]),
            state=RailState(data["state"]),
            done=Money(data.get("done_fen", 0)),
            fee=Money(data.get("fee_fen", 0)),
            seq=int(data.get("seq", 0)),
            ended_at=datetime.fromisoformat(data["ended_at"]) if data.get("ended_at") else None,
            code=str(data["code"]) if data.get("code") else None,
        )
    except (KeyError, ValueError, TypeError, AssertionError):
        return None


def event_cursor(cursor: str) -> str:
    """Give a cursor as it stands in a query."""
    return quote(cursor, safe="")


def _told(answer: Answer | Unknown) -> RailSays | Refused | Silent:
    if isinstance(answer, Unknown):
        return Silent(answer.why)
    if not answer.is_good:
        return _refused(answer)
    told = says(answer.body)
    return told or Silent("answered something that is not in the protocol")


def _refused(answer: Answer) -> Refused:
    return Refused(answer.code or str(answer.status), is_kept=answer.status in {400, 404, 409, 422})


