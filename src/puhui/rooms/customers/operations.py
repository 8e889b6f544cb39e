"""What the room does: register, identify, let consent and withdraw, bind, freeze, close."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from puhui.engines import law
from puhui.engines.law import Laws
from puhui.foundation.days import DAY, age_on, instant
from puhui.foundation.refusals import NotFound, Refusal, WrongState
from puhui.foundation.work import Work
from puhui.rooms.customers import store
from puhui.rooms.customers.consent import Consent, NoConsent, check_item, items, with_receipt, wording_version
from puhui.rooms.customers.identity import IdNumber, Level, phone_number
from puhui.rooms.customers.person import (
    AccountState,
    Card,
    ContactStanding,
    Customer,
    FreezeReason,
    Identity,
    Papers,
    PersonStanding,
    PhonePeople,
    Screening,
    Verdict,
    face_policy,
    judge_hits,
)
from puhui.rooms.customers.store import Binding, Check
from puhui.vocabulary import ids
from puhui.vocabulary.events import (
    AccountClosed,
    AccountFrozen,
    CardBound,
    ConsentGiven,
    ConsentWithdrawn,
    CustomerRegistered,
    IdentityVerified,
)
from puhui.vocabulary.permits import Permit


class NotIdentified(Refusal):
    """The person {customer_id} has not shown who he is yet; the step `identity` does that."""

    code = "customers.not-identified"
    zh = "请先完成实名认证。"
    status = 409


class AnotherPerson(Refusal):
    """This account belongs to another id number. Log in again with the last four signs of your own id number (`id_tail`)."""

    code = "customers.another-person"
    zh = "这个账户已经绑定了另一个身份证号。请重新登录，并填写您本人身份证号的后四位。"


class PapersRunOut(Refusal):
    """The id card ran out on {expires_on}; a valid one is needed."""

    code = "customers.papers-run-out"
    zh = "您的身份证已于 {expires_on} 到期，请换用有效的身份证。"


class FaceDoesNotFit(Refusal):
    """The face was not found to be living and the card's own; please take the picture again in good light."""

    code = "customers.face-does-not-fit"
    zh = "没有认出是您本人，请在光线好的地方再拍一次。"


class PapersDoNotFit(Refusal):
    """The picture of the id card does not fit what was written; please compare and take it again."""

    code = "customers.papers-do-not-fit"
    zh = "身份证照片和填写的信息对不上，请核对后再拍一次。"


class FourFactorDiffers(Refusal):
    """Name, id number, card and phone do not belong together ({differs}); the bank knows them otherwise."""

    code = "customers.four-factor-differs"
    zh = "姓名、身份证、银行卡和预留手机号对不上，请检查后再试。"


class AccountFrozenNow(Refusal):
    """This account is frozen ({because}); nothing can be drawn, changed or bound until a person has looked at it."""

    code = "customers.frozen"
    zh = "账户已冻结，我们的同事会尽快与您联系处理。"
    status = 409


# --- coming in ----------------------------------------------------------------------------------------------------------------------------


async def register(work: Work, *, session_id: str, entry_id: str, phone: str) -> str:
    """Take in a newcomer, known by his session and phone only; the same session again gives the same person."""
    customer_id = ids.customer_id(session_id)
    if await store.add_customer(work, customer_id=customer_id, session_id=session_id, entry_id=entry_id, phone=phone_number(phone)):
        work.emit(CustomerRegistered(customer_id, entry_id))
    return customer_id


async def people_by_phone(work: Work, *, phone: str, id_tail: str = "") -> PhonePeople:
    """Say who logs in with this phone: the person we know, the one the last four signs of the id number name, or a newcomer.

    On a shared phone, whose tail names nobody known is a newcomer of his own; he is given again until he says who he is.
    """
    people = await store.people_of_phone(work, phone)
    known = [one for one, tail in people if tail is not None]
    newcomer = next((one for one, tail in people if tail is None), None)
    if id_tail:
        wanted = store.tail_blind(work, id_tail)
        named = [one for one, tail in people if tail == wanted]
        return PhonePeople(named[0] if len(named) == 1 else None, newcomer, needs_tail=False)
    return PhonePeople(known[0] if len(known) == 1 else None, newcomer, needs_tail=len(known) > 1)


async def is_new_device(work: Work, *, customer_id: str, device_id: str) -> bool:
    """Say whether a person with known papers comes by a phone we have not seen him with."""
    has_papers = await store.find_identity(work, customer_id) is not None
    return has_papers and not await store.knows_device(work, customer_id, device_id)


async def see_device(work: Work, *, customer_id: str, device_id: str) -> None:
    await store.see_device(work, customer_id, device_id)


async def demand_usable(work: Work, customer_id: str) -> Customer:
    """Lock the person's row and give it. Raises AccountFrozenNow, WrongState (closing or closed)."""
    customer = await store.lock_customer(work, customer_id)
    if customer.frozen_because:
        raise AccountFrozenNow(because=customer.frozen_because.value)
    if customer.state is not AccountState.OPEN:
        raise WrongState(what="the account", state=customer.state.value, possible="none")
    return customer


# --- consents -----------------------------------------------------------------------------------------------------------------------------


async def consent(
    work: Work, *, customer_id: str, session_id: str, wanted: Sequence[str], purpose: str, recipient: str, until: date
) -> list[Consent]:
    """Take consents, one for each item, each with its own receipt. The day `until` is in. Raises BadField; then none is taken.

    What was consented to in the same words in this visit already, and still stands, is that consent again: a request whose answer was lost
    makes no second one that its sender never hears of.
    """
    checked = [check_item(code, purpose=purpose, recipient=recipient, until=until, today=work.today) for code in dict.fromkeys(wanted)]
    await store.lock_customer(work, customer_id)
    counts = await store.consent_counts(work, customer_id)
    stands = {one.item: one for one in await _given_in(work, customer_id, session_id, purpose, until)} if counts else {}
    given, fresh = [], []
    for item, to in checked:
        if item.code in stands and stands[item.code].recipient == to:
            given.append(stands[item.code])
            continue
        consent_id = ids.derive("co", customer_id, customer_id, f"consent-{item.code}", counts.get(item.code, 0) + 1)
        draft = Consent(
            customer_id, consent_id, item.code, purpose, to, wording_version(), session_id, work.at, instant(until + DAY), ""
        )
        given.append(with_receipt(draft))
        fresh.append(given[-1])
    await store.add_consents(work, fresh)
    for one in fresh:
        work.emit(ConsentGiven(customer_id, one.consent_id, one.item, one.purpose, one.recipient))
    return given


async def _given_in(work: Work, customer_id: str, session_id: str, purpose: str, until: date) -> list[Consent]:
    """Give the consents of one visit for a purpose and until a day, as far as they still stand and their wording is the one of now."""
    same = (session_id, purpose, wording_version(), instant(until + DAY))
    return [
        one
        for one in await store.consents_of(work, customer_id)
        if (one.session_id, one.purpose, one.wording, one.until) == same and one.withdrawn_at is None
    ]


async def withdraw(work: Work, *, customer_id: str, consent_id: str) -> Consent:
    """End a consent, and every other live one for the same item and recipient: from this transaction on no permit is given for it.

    Withdrawn already, it stays so. Raises NotFound.
    """
    await store.lock_customer(work, customer_id)
    found = await store.find_consent(work, customer_id, consent_id)
    if found is None:
        raise NotFound(what="consent", which=consent_id)
    for ended in await store.withdraw_consents(work, customer_id, item=found.item, recipient=found.recipient):
        work.emit(ConsentWithdrawn(customer_id, ended, found.item))
    return found


async def permit(work: Work, *, customer_id: str, item: str, purpose: str, recipient: str = "", laws: Laws | None = None) -> Permit:
    """Prove that the person allows this item's use for this purpose now. Raises NoConsent.

    The permit may be used for `withdraw_effect_s` of the pack in force, and never past the consent's own end.
    """
    kind = items()[item]
    to = kind.recipient or recipient
    found = await store.live_consent(work, customer_id, item=item, recipient=to)
    if found is None or purpose not in kind.purposes:
        raise NoConsent(item=item, what=kind.zh)
    rules = (laws or law.shipped()).ask(law.PrivacyRules, on=work.today)
    return Permit(customer_id, found.consent_id, found.sha256, item, purpose, to, work.at, found.until, rules.withdraw_effect_s)


async def permits(
    work: Work, *, customer_id: str, wanted: Iterable[str], purpose: str, laws: Laws | None = None
) -> dict[str, Permit]:
    """Give a permit for each of these items that the person allows for this purpose now; the others are left out. Not for partners' items."""
    codes = [code for code in wanted if items()[code].recipient and purpose in items()[code].purposes]
    rules = (laws or law.shipped()).ask(law.PrivacyRules, on=work.today)
    return {
        one.item: Permit(
            customer_id, one.consent_id, one.sha256, one.item, purpose, one.recipient, work.at, one.until, rules.withdraw_effect_s
        )
        for one in await store.live_consents(work, customer_id, codes)
    }


async def live_items(work: Work, customer_id: str) -> frozenset[str]:
    """Give the items that the person allows now."""
    known = await store.standing(work, customer_id)
    return known.items if known else frozenset()


# --- identity -----------------------------------------------------------------------------------------------------------------------------


async def ask_check(work: Work, *, customer_id: str, kind: str, digest: bytes, consent_id: str) -> Check:
    """Write down a question before it is asked. The same question under the same consent is the same check again, unless it came to nothing."""
    await store.lock_customer(work, customer_id)
    last = await store.last_check(work, customer_id, kind)
    if last and last.digest == digest and last.consent_id == consent_id and (last.answered_at is None or last.result):
        return last
    k = last.k + 1 if last else 1
    check = Check(ids.derive("ck", customer_id, customer_id, kind, k), kind, k, digest, consent_id, work.at, None, None)
    await store.add_check(work, customer_id, check)
    return check


async def note_check(work: Work, *, customer_id: str, check_id: str, result: Mapping[str, Any]) -> None:
    await store.answer_check(work, customer_id, check_id, result)


async def note_screening(
    work: Work, *, customer_id: str, check_id: str, hits: list[Mapping[str, Any]], lists_version: str, is_simulated: bool, laws: Laws | None = None
) -> Screening:
    """Judge and keep what the lists told. A barring hit blocks the person from here on."""
    rules = (laws or law.shipped()).ask(law.LaunderingRules, on=work.today)
    verdict, near = judge_hits(hits, similarity_min_ppm=rules.hit_similarity_ppm)
    screening = Screening(check_id, work.at, lists_version, verdict, near, rules.recheck_on(work.today), is_simulated)
    await store.add_screening(work, customer_id, screening)
    await store.set_blocked(work, customer_id, is_blocked=verdict is Verdict.BLOCKED)
    return screening


async def postpone_screening(work: Work, *, customer_id: str, until: date) -> None:
    """Look again later: the person allows no check now."""
    last = await store.last_screening(work, customer_id)
    if last is not None:
        await store.postpone_screening(work, customer_id, check_id=last.check_id, recheck_on=until)


def demand_fitting_face(*, live_ppm: int, same_ppm: int, attack: str = "") -> None:
    """Raises FaceDoesNotFit unless the face is living, the card's own, and no attack was seen."""
    policy = face_policy()
    if attack or live_ppm < policy.live_min_ppm or same_ppm < policy.same_min_ppm:
        raise FaceDoesNotFit


async def lock_id_number(work: Work, number: IdNumber) -> None:
    """Wait for whoever else is just showing papers with this number. Taken before any row is locked, so that nobody waits in a ring."""
    await store.lock_id(work, number)


async def identify(
    work: Work,
    *,
    customer_id: str,
    device_id: str,
    name: str,
    number: IdNumber,
    papers: Papers,
    screening: Screening,
    place: str,
    place_kind: str,
    place_tier: int = 0,
) -> str:
    """Write down who the person is, and give the customer he is: one person per id number.

    A newcomer whose id number is known already becomes that customer; his consents, phone and device go along. An account he had closed opens
    anew: a person has one customer id for life. The same check of the same person again changes nothing and is told once.
    Raises: AnotherPerson (this account has another id number), PapersRunOut, AccountFrozenNow, WrongState.
    """
    if papers.expires_on < work.today:
        raise PapersRunOut(expires_on=papers.expires_on.isoformat())
    await lock_id_number(work, number)
    await demand_usable(work, customer_id)
    mine = await store.find_identity(work, customer_id)
    if mine is not None and mine.id_number != number:
        raise AnotherPerson
    known = await store.who_has_id(work, number)
    if known is not None and known != customer_id:
        await _become(work, newcomer=customer_id, known=known)
        customer_id = known
    is_blocked = screening.verdict is Verdict.BLOCKED
    await store.put_identity(work, customer_id, name=name, number=number, papers=papers, is_blocked=is_blocked)
    await store.add_screening(work, customer_id, screening)
    await store.set_living_place(work, customer_id, code=place, kind=place_kind, tier=place_tier)
    await store.see_device(work, customer_id, device_id)
    level = Level.BLOCKED if is_blocked else Level.BASIC
    if mine is None or mine.face_check_id != papers.face_check_id:
        work.emit(IdentityVerified(customer_id, level.value, papers.expires_on))
    return customer_id


async def _become(work: Work, *, newcomer: str, known: str) -> None:
    """Let a newcomer be the customer he turned out to be. Locks both, the smaller id first, so that two sessions of one person never wait in a ring."""
    for one in sorted((newcomer, known)):
        await store.lock_customer(work, one)
    customer = await store.lock_customer(work, newcomer)
    if (await store.lock_customer(work, known)).state is AccountState.CLOSED:
        await store.set_state(work, known, AccountState.OPEN)
    moved = [
        with_receipt(replace(one, customer_id=known, consent_id=ids.derive("co", known, one.consent_id, "moved")))
        for one in await store.consents_of(work, newcomer)
        if one.withdrawn_at is None
    ]
    there = {one.consent_id for one in await store.consents_of(work, known)}
    await store.add_consents(work, [one for one in moved if one.consent_id not in there])
    await store.set_state(work, newcomer, AccountState.CLOSED, merged_into=known)
    await store.erase_papers(work, newcomer)
    if customer.phone:
        await store.set_phone(work, known, customer.phone)


async def set_living_place(work: Work, *, customer_id: str, code: str, kind: str, tier: int = 0) -> None:
    await store.set_living_place(work, customer_id, code=code, kind=kind, tier=tier)


async def change_face(work: Work, *, customer_id: str, face_check_id: str, live_ppm: int, same_ppm: int) -> None:
    """Note a newer check of the face, for the certificate. Raises FaceDoesNotFit."""
    demand_fitting_face(live_ppm=live_ppm, same_ppm=same_ppm)
    await store.set_face(work, customer_id, face_check_id=face_check_id, live_ppm=live_ppm, same_ppm=same_ppm)


async def change_phone(work: Work, *, customer_id: str, phone: str) -> None:
    """Give the person another phone. The caller has proven the phone by a code and the person by his face. Raises AccountFrozenNow."""
    await demand_usable(work, customer_id)
    await store.set_phone(work, customer_id, phone_number(phone))


async def note_thin_file(work: Work, *, customer_id: str, is_thin_file: bool) -> None:
    """Note whether the bureau knew the person at the decision (`found: false` is a thin file)."""
    await store.set_thin_file(work, customer_id, is_thin_file=is_thin_file)


# --- cards --------------------------------------------------------------------------------------------------------------------------------


async def ask_binding(work: Work, *, customer_id: str, digest: bytes, card: str, phone: str) -> Binding:
    """Write down that a card is to be bound, before rail and bank are asked. The same request again gives the same binding.

    Raises: NotIdentified, AccountFrozenNow, WrongState.
    """
    await demand_usable(work, customer_id)
    if await store.find_identity(work, customer_id) is None:
        raise NotIdentified(customer_id=customer_id)
    last = await store.last_binding(work, customer_id)
    if last and last.digest == digest and last.state in {"asked", "active"}:
        return last
    k = last.k + 1 if last else 1
    binding_id = ids.derive("bd", customer_id, customer_id, "bind", k)
    await store.add_binding(work, customer_id, binding_id=binding_id, k=k, digest=digest, card=card, phone=phone)
    return Binding(binding_id, k, "asked", digest, None, None, None)


async def refuse_binding(work: Work, *, customer_id: str, binding_id: str, code: str) -> None:
    await store.refuse_binding(work, customer_id, binding_id=binding_id, code=code)


async def note_four_factor(work: Work, *, customer_id: str, match: Mapping[str, bool]) -> None:
    """Raises FourFactorDiffers unless all four belong together."""
    differs = sorted(name for name, is_same in match.items() if not is_same)
    if differs or set(match) != {"name", "id", "card", "phone"}:
        raise FourFactorDiffers(differs=", ".join(differs) or "unclear")
    await store.set_four_factor(work, customer_id, is_ok=True)


async def bind(work: Work, *, customer_id: str, card: Card) -> None:
    """Put a card in force; the one before it is replaced. Done already, nothing more happens."""
    await store.lock_customer(work, customer_id)
    now = await store.active_card(work, customer_id)
    if now and now.binding_id == card.binding_id:
        return
    await store.activate_binding(work, customer_id, card)
    work.emit(CardBound(customer_id, card.binding_id))


# --- standing -----------------------------------------------------------------------------------------------------------------------------


async def standing(work: Work, customer_id: str) -> PersonStanding:
    """Give where a person stands. Raises NotFound."""
    found = await store.standing(work, customer_id)
    if found is None:
        raise NotFound(what="customer", which=customer_id)
    return found


async def identity(work: Work, customer_id: str) -> Identity:
    """Give who the person is. Raises NotIdentified."""
    found = await store.find_identity(work, customer_id)
    if found is None:
        raise NotIdentified(customer_id=customer_id)
    return found


async def phone_of(work: Work, customer_id: str) -> str | None:
    customer = await store.find_customer(work, customer_id)
    return customer.phone if customer else None


async def card_phone_of(work: Work, customer_id: str) -> str | None:
    """Give the phone that the bank knows with the card in use: it may be another than the person's own by now. None without a card."""
    return await store.card_phone(work, customer_id)


async def is_frozen(work: Work, customer_id: str) -> bool:
    customer = await store.find_customer(work, customer_id)
    return customer is not None and customer.frozen_because is not None


async def contact_standing(work: Work, customer_id: str) -> ContactStanding:
    """Say whether, and why not, the person may be contacted at all; minors never for more than service."""
    known = await store.standing(work, customer_id)
    if known is None or known.state is AccountState.CLOSED:
        return ContactStanding("closed", may_market=False)
    customer = await store.find_customer(work, customer_id)
    assert customer is not None, customer_id
    papers = await store.find_identity(work, customer_id)
    because = customer.contact_closed
    if known.frozen_because is FreezeReason.DECEASED:
        because = "deceased"
    elif known.frozen_because is FreezeReason.NOT_MINE:
        because = "not_mine"
    elif not because and papers is not None and _is_minor(papers.born, work.today):
        because = "minor"
    may_market = not because and "marketing" in known.items and not known.is_frozen
    return ContactStanding(because, may_market)


def _is_minor(born: date, today: date) -> bool:
    return age_on(born, today) < law.shipped().ask(law.BorrowerRules, on=today).age_min_years


async def close_contact(work: Work, *, customer_id: str, because: str) -> None:
    """Close contact for a reason (disputed, hardship, not_mine), or open it again with ""."""
    await store.set_contact_closed(work, customer_id, because)


async def reopen_contact(work: Work, *, customer_id: str, after: str) -> None:
    """Open contact again if it was closed for this reason; another reason stays."""
    customer = await store.lock_customer(work, customer_id)
    if customer.contact_closed == after:
        await store.set_contact_closed(work, customer_id, "")


async def freeze(work: Work, *, customer_id: str, because: FreezeReason) -> None:
    """Freeze the account at once; one that is frozen already keeps its first reason, except that a death counts over all."""
    customer = await store.lock_customer(work, customer_id)
    if customer.frozen_because is not None and because is not FreezeReason.DECEASED:
        return
    await store.set_frozen(work, customer_id, because)
    work.emit(AccountFrozen(customer_id, because.value))


async def thaw(work: Work, *, customer_id: str) -> None:
    """Take a freeze away; whoever calls has had two people look at it. Devices must be proven anew."""
    await store.lock_customer(work, customer_id)
    await store.set_frozen(work, customer_id, None)
    await store.set_contact_closed(work, customer_id, "")
    await store.forget_devices(work, customer_id)


async def close(work: Work, *, customer_id: str, owes_something: bool) -> AccountState:
    """Close the account, or put it at closing while anything is still owed or held. Closing takes back every consent but what is owed needs.

    Closed stays closed, until the same person shows his papers again (`identify`).
    """
    customer = await store.lock_customer(work, customer_id)
    if customer.state is AccountState.CLOSED:
        return AccountState.CLOSED
    if owes_something:
        await store.set_state(work, customer_id, AccountState.CLOSING)
        return AccountState.CLOSING
    for one in await store.consents_of(work, customer_id):
        if one.withdrawn_at is None and one.until > work.at:
            await withdraw(work, customer_id=customer_id, consent_id=one.consent_id)
    await store.set_state(work, customer_id, AccountState.CLOSED)
    work.emit(AccountClosed(customer_id))
    return AccountState.CLOSED


async def reopen(work: Work, *, customer_id: str) -> None:
    """Take back a wish to close while it is still pending."""
    customer = await store.lock_customer(work, customer_id)
    if customer.state is AccountState.CLOSING:
        await store.set_state(work, customer_id, AccountState.OPEN)


# --- housekeeping, export, erasure --------------------------------------------------------------------------------------------------------


async def tidy(work: Work) -> int:
    """Delete faces whose hours are over, and copies nobody fetched; give how many."""
    return await store.delete_due_files(work) + await store.drop_old_copies(work)


def kept_by_law(today: date, laws: Laws | None = None) -> tuple[str, ...]:
    """Tell the person, in his language, what must be kept whatever he withdraws, and how long."""
    rules = laws or law.shipped()
    laundering = rules.ask(law.LaunderingRules, on=today)
    lender = rules.ask(law.LenderRules, on=today)
    record = rules.ask(law.CreditRecordRules, on=today)
    return (
        f"身份资料和交易记录：业务结束后保存 {laundering.records_keep_years} 年（反洗钱法）",
        f"催收记录：保存 {lender.collection_record_years} 年（消费金融公司管理办法）",
        f"不良信用信息：自不良行为终止之日起保存 {record.bad_mark_years} 年（征信业管理条例）",
        "已经作出的决定及其依据：在可以查询和异议的期间内保存（个人信息保护法第二十四条）",
    )


async def export(work: Work, *, customer_id: str) -> dict[str, Any]:
    """Give all that the room knows of the person, for the person alone."""
    customer = await store.find_customer(work, customer_id)
    papers = await store.find_identity(work, customer_id)
    return {
        "account": customer and {
            "customer_id": customer_id,
            "registered_at": customer.registered_at,
            "entry_id": customer.entry_id,
            "state": customer.state.value,
            "phone": customer.phone,
            "living_place_code": customer.living_place_code,
            "is_thin_file": customer.is_thin_file,
            "frozen_because": customer.frozen_because and customer.frozen_because.value,
        },
        "identity": papers and {
            "name": papers.name,
            "id_number": papers.id_number.text,
            "home_place_code": papers.home_place_code,
            "issuer": papers.issuer,
            "expires_on": papers.expires_on,
            "checked_at": papers.checked_at,
            "is_simulated": papers.is_simulated,
        },
        "checks": await store.checks_of(work, customer_id),
        "screenings": [
            {"at": one.at, "verdict": one.verdict.value, "lists_version": one.lists_version, "recheck_on": one.recheck_on}
            for one in await store.screenings_of(work, customer_id)
        ],
        "consents": [
            {
                "consent_id": one.consent_id, "item": one.item, "purpose": one.purpose, "recipient": one.recipient, "given_at": one.given_at,
                "until": one.until, "withdrawn_at": one.withdrawn_at, "sha256": one.sha256,
            }
            for one in await store.consents_of(work, customer_id)
        ],
        "cards": [dict(row) for row in await store.bindings_of(work, customer_id)],
        "devices": [dict(row) for row in await store.devices_of(work, customer_id)],
        "files": [dict(row) for row in await store.files_of(work, customer_id)],
        "cases": [
            {
                "case_id": one.case_id, "kind": one.kind.value, "subject": one.subject, "text": one.text, "state": one.state.value,
                "opened_at": one.opened_at, "due": one.due, "outcome": one.outcome, "answer": one.answer,
            }
            for one in await store.cases_of(work, customer_id)
        ],
    }  # fmt: skip


async def erase(work: Work, *, customer_id: str, has_borrowed: bool, laws: Laws | None = None) -> date | None:
    """Erase who the person was, and give None; or, while law makes us keep it, the day from which it may be erased.

    Who never borrowed is erased at once; who did, after the records' years. Raises WrongState while the account is not closed.
    """
    customer = await store.lock_customer(work, customer_id)
    if customer.state is not AccountState.CLOSED:
        raise WrongState(what="the account", state=customer.state.value, possible="close_account")
    assert customer.closed_at is not None, customer_id
    rules = (laws or law.shipped()).ask(law.LaunderingRules, on=work.today)
    keep_until = rules.keep_until(customer.closed_at.date()) if has_borrowed else work.today
    if keep_until > work.today:
        return keep_until
    await store.erase_papers(work, customer_id)
    return None


def file_life(work: Work, kind: str, laws: Laws | None = None) -> timedelta | None:
    """Give how long an uploaded file of a kind lives after its use; None: as long as the decision it belongs to."""
    rules = (laws or law.shipped()).ask(law.PrivacyRules, on=work.today)
    return timedelta(hours=rules.face_keep_h) if kind in {"face", "id_card"} else None
