"""A person's data are his: one file with everything, to him alone; closing the account; erasing what no law makes us keep.

This is the list of every room that holds data of customers: a room that is not here is found by the tests.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from puhui.engines import law
from puhui.foundation.desk import Desk
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Actor, Work
from puhui.journeys import home
from puhui.journeys.enter import demand_code
from puhui.journeys.onboard import screen_again
from puhui.rooms import agreements, arrears, bureau, channels, contacts, customers, decisions, funding, histories, ledger, payments, staff
from puhui.rooms.customers import AccountState
from puhui.vocabulary.ids import CustomerId
from puhui.vocabulary.steps import BorrowerStep, Session, StepAnswer


class StillOwed(Refusal):
    """The account cannot be closed yet: {owed_fen} fen are owed on {loans}. Pay them off, then close it."""

    code = "privacy.still-owed"
    zh = "还有 {owed} 元没有还清（借据 {loans}），还清后才能注销账户。"


class StillUnderWay(Refusal):
    """The account cannot be closed while the application {application_id} is open. Cancel it first."""

    code = "privacy.still-under-way"
    zh = "您还有一笔申请正在办理，请先取消申请，再注销账户。"


class Export(msgspec.Struct):
    """Body of step `export`: a code of purpose `unmask`."""

    otp_id: str
    code: str


class CloseAccount(msgspec.Struct):
    """Body of step `close_account`: nothing."""


# --- one's own copy -----------------------------------------------------------------------------------------------------------------------


async def export(desk: Desk, *, session: Session, body: Export, key: str) -> StepAnswer:
    """Make the file of everything we know of the person, for one download within the day. Raises WrongCode, ServiceAway."""
    await demand_code(desk, session=session, otp_id=body.otp_id, code=body.code, purpose="unmask", key=key)
    async with desk.work(Actor("customer", session.who)) as work:
        data = await everything(work, CustomerId(session.who))
        sha256 = hashlib.sha256(data).hexdigest()
        rules = law.shipped().ask(law.PrivacyRules, on=work.today)
        expires_at = work.at + timedelta(hours=rules.copy_to_self_h)
        await customers.add_copy(work, session.who, sha256=sha256, data=data, expires_at=expires_at)
        stands = await home.where(work, session.who)
    return StepAnswer(stands.state, stands.next, {"sha256": sha256, "expires_at": expires_at.isoformat()}, stands.poll_s)


async def everything(work: Work, customer_id: CustomerId) -> bytes:
    """Gather what every room knows of a person, as JSON that he can read."""
    told = {
        "made_at": work.at,
        "about": "这是我们持有的关于您的全部信息，只提供给您本人。 / Everything we hold about you, for you alone.",
        "kept_by_law": customers.kept_by_law(work.today),
        "customers": await customers.export(work, customer_id=customer_id),
        "histories": await histories.export(work, customer_id=customer_id),
        "channels": await channels.export(work, customer_id=customer_id),
        "decisions": await decisions.export(work, customer_id),
        "agreements": await agreements.export(work, customer_id=customer_id),
        "funding": await funding.export(work, customer_id=customer_id),
        "payments": await payments.export(work, customer_id=customer_id),
        "ledger": await ledger.export(work, customer_id),
        "arrears": await arrears.export(work, customer_id),
        "contacts": await contacts.export(work, customer_id),
        "bureau": await bureau.export(work, customer_id),
        "staff": await staff.export(work, customer_id=customer_id),
    }
    return msgspec.json.format(msgspec.json.encode(_plain(told)), indent=1)


def _plain(value: Any) -> Any:
    """Give values that JSON knows: bytes as hex, instants and days as text."""
    match value:
        case Mapping():
            return {str(name): _plain(one) for name, one in value.items()}
        case str() | int() | float() | bool() | None:
            return value
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case datetime() | date():
            return value.isoformat()
        case Sequence() | frozenset() | set():
            return [_plain(one) for one in value]
        case _:
            return str(value)


# --- closing and erasing ------------------------------------------------------------------------------------------------------------------


async def close_account(desk: Desk, *, session: Session, body: CloseAccount, key: str) -> StepAnswer:
    """Close the account: at once, or `closing` while money of his is still with us. Raises StillOwed, StillUnderWay."""
    del body, key
    async with desk.work(Actor("customer", session.who)) as work:
        await _demand_nothing_owed(work, session.who)
        application = await decisions.open_application(work, session.who)
        if application is not None:
            raise StillUnderWay(application_id=application.application_id)
        state = await customers.close(work, customer_id=session.who, owes_something=await _we_owe(work, session.who))
        stands = await home.where(work, session.who)
    return StepAnswer(stands.state, (), {"state": state.value})


async def _demand_nothing_owed(work: Work, customer_id: str) -> None:
    owed_fen = await ledger.owed_by(work, customer_id)
    loans = [loan.loan_id for loan in await ledger.loans_of(work, customer_id, work.today) if loan.standing.value in {"active", "written_off"}]
    if owed_fen or loans:
        yuan = f"{owed_fen // 100}.{owed_fen % 100:02d}"
        raise StillOwed(owed_fen=owed_fen, owed=yuan, loans=", ".join(loans))


async def _we_owe(work: Work, customer_id: str) -> bool:
    """Say whether a credit balance of the person still waits to be paid back."""
    return any(one.customer_id == customer_id for one in await ledger.credit_balances(work))


async def finish_closing(work: Work, customer_id: str) -> bool:
    """Close an account that waited, once nothing is owed either way; give whether it is closed now."""
    person = await customers.find_customer(work, customer_id)
    if person is None or person.state is not AccountState.CLOSING:
        return False
    if await ledger.owed_by(work, customer_id) or await _we_owe(work, customer_id):
        return False
    return await customers.close(work, customer_id=customer_id, owes_something=False) is AccountState.CLOSED


async def on_account_closed(work: Work, event: Stored) -> None:
    """Erase who never borrowed at once; of who did, what law lets go of. Who has come back meanwhile keeps everything."""
    person = await customers.find_customer(work, event.customer_id)
    if person is not None and person.state is AccountState.CLOSED:
        await erase_person(work, event.customer_id)


async def erase_person(work: Work, customer_id: str) -> Mapping[str, Any]:
    """Erase a person in every room, and give what each keeps, by which law. Who borrowed stays known by name until the records' years are over."""
    whose = CustomerId(customer_id)
    has_borrowed = bool(await ledger.loans_of(work, customer_id, work.today))
    kept: dict[str, Any] = {
        "histories": await histories.erase(work, customer_id=customer_id),
        "decisions": await decisions.erase(work, customer_id),
        "agreements": await agreements.erase(work, customer_id=whose),
        "funding": await funding.erase(work, customer_id=whose),
        "payments": await payments.erase(work, customer_id=whose),
        "ledger": await ledger.erase(work, customer_id),
        "arrears": await arrears.erase(work, customer_id),
        "contacts": await contacts.erase(work, customer_id),
        "bureau": await bureau.erase(work, customer_id),
        "staff": await staff.erase(work, customer_id=customer_id),
    }
    await channels.erase(work, customer_id=customer_id)
    keep_until = await customers.erase(work, customer_id=customer_id, has_borrowed=has_borrowed)
    return kept | {"customers": keep_until.isoformat() if keep_until else "erased"}


async def tidy(desk: Desk) -> int:
    """Let go of what has had its time (faces, copies nobody fetched, old counts), finish the closing of accounts, and compare with the lists
    whoever is due. Called every night.
    """
    async with desk.work() as work:
        gone = await customers.tidy(work) + await channels.tidy(work)
        await histories.fold_arrivals(work)
        closing = await customers.closing(work)
    for customer_id in closing:
        async with desk.work() as work:
            gone += await finish_closing(work, customer_id)
    return gone + await screen_again(desk)


REACTIONS: Mapping[str, Sequence[Reaction]] = {"AccountClosed": (on_account_closed,)}

BORROWER: Mapping[str, BorrowerStep] = {
    "export": BorrowerStep(Export, export),
    "close_account": BorrowerStep(CloseAccount, close_account),
}
