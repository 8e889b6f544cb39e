"""The rows of the room. Personal fields are sealed on the way in and opened on the way out; nothing else touches these tables."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from puhui.foundation import sql
from puhui.foundation.crypto import FieldKeys, Sealed, fresh_keys
from puhui.foundation.refusals import NotFound
from puhui.foundation.work import Work
from puhui.rooms.customers.case import Case, Kind, State
from puhui.rooms.customers.consent import Consent
from puhui.rooms.customers.identity import IdNumber, Level
from puhui.rooms.customers.person import (
    AccountState,
    Card,
    Customer,
    FreezeReason,
    Identity,
    Papers,
    PersonStanding,
    Screening,
    Verdict,
)

SQL = sql.load(__file__)
SEALED = (
    Sealed("customers.customers", "phone_sealed", "phone"),
    Sealed("customers.identities", "name_sealed", "name"),
    Sealed("customers.identities", "id_number_sealed", "id_number"),
    Sealed("customers.checks", "result_sealed", "check"),
    Sealed("customers.bindings", "phone_sealed", "card_phone"),
    Sealed("customers.file_keys", "key_sealed", "file_key", "owner"),
    Sealed("customers.cases", "text_sealed", "case", "case_id"),
    Sealed("customers.cases", "answer_sealed", "case", "case_id"),
    Sealed("customers.copies", "sealed", "copy"),
)


# --- people -------------------------------------------------------------------------------------------------------------------------------


async def add_customer(work: Work, *, customer_id: str, session_id: str, entry_id: str, phone: str) -> bool:
    added = await SQL.add_customer.run(
        work,
        customer_id=customer_id,
        session_id=session_id,
        entry_id=entry_id,
        at=work.at,
        phone_sealed=work.keys.seal("phone", customer_id, phone),
        phone_blind=work.keys.blind("phone", phone),
    )
    return added == 1


async def lock_customer(work: Work, customer_id: str) -> Customer:
    row = await SQL.lock_customer.row(work, customer_id=customer_id)
    if row is None:
        raise NotFound(what="customer", which=customer_id)
    return _customer(work, row)


async def find_customer(work: Work, customer_id: str) -> Customer | None:
    row = await SQL.find_customer.row(work, customer_id=customer_id)
    return _customer(work, row) if row else None


async def people_of_phone(work: Work, phone: str) -> list[tuple[str, bytes | None]]:
    """Give who uses this phone now: customer id, and the blind index of the id number's last four (None if not known yet)."""
    rows = await SQL.people_of_phone.rows(work, phone_blind=work.keys.blind("phone", phone))
    return [(row["customer_id"], row["tail_blind"]) for row in rows]


def tail_blind(work: Work, tail: str) -> bytes:
    return work.keys.blind("id_tail", tail.upper())


async def set_phone(work: Work, customer_id: str, phone: str) -> None:
    await SQL.set_phone.run(
        work,
        customer_id=customer_id,
        phone_sealed=work.keys.seal("phone", customer_id, phone),
        phone_blind=work.keys.blind("phone", phone),
        at=work.at,
    )


async def set_living_place(work: Work, customer_id: str, *, code: str, kind: str, tier: int = 0) -> None:
    await SQL.set_living_place.run(work, customer_id=customer_id, code=code, kind=kind, tier=tier)


async def set_frozen(work: Work, customer_id: str, because: FreezeReason | None) -> None:
    await SQL.set_frozen.run(work, customer_id=customer_id, because=because.value if because else None, at=work.at if because else None)


async def set_contact_closed(work: Work, customer_id: str, because: str) -> None:
    await SQL.set_contact_closed.run(work, customer_id=customer_id, because=because)


async def set_thin_file(work: Work, customer_id: str, *, is_thin_file: bool) -> None:
    await SQL.set_thin_file.run(work, customer_id=customer_id, is_thin_file=is_thin_file, at=work.at)


async def set_state(work: Work, customer_id: str, state: AccountState, *, merged_into: str | None = None) -> None:
    closed_at = work.at if state is AccountState.CLOSED else None
    await SQL.set_state.run(work, customer_id=customer_id, state=state.value, closed_at=closed_at, merged_into=merged_into)


async def closing(work: Work) -> list[str]:
    """Give whose accounts wait to be closed."""
    return [row["customer_id"] for row in await SQL.closing.rows(work)]


async def forget_phone(work: Work, customer_id: str) -> None:
    await SQL.forget_phone.run(work, customer_id=customer_id)


async def standing(work: Work, customer_id: str) -> PersonStanding | None:
    row = await SQL.standing.row(work, customer_id=customer_id, at=work.at)
    if row is None:
        return None
    return PersonStanding(
        customer_id,
        _level(row, work.today),
        row["expires_on"],
        AccountState(row["state"]),
        FreezeReason(row["frozen_because"]) if row["frozen_because"] else None,
        frozenset(row["items"]),
        row["has_card"],
        row["is_thin_file"],
        row["living_place_kind"],
        row["living_place_tier"],
        (row["living_place_code"] or "")[:6],
        row["entry_id"],
    )


async def contact_row(work: Work, customer_id: str) -> sql.Row | None:
    return await SQL.standing.row(work, customer_id=customer_id, at=work.at)


def _level(row: sql.Row, today: date) -> Level:
    if row["expires_on"] is None:
        return Level.NONE
    if row["is_blocked"]:
        return Level.BLOCKED
    if row["expires_on"] < today:
        return Level.EXPIRED
    return Level.VERIFIED if row["four_factor_ok"] else Level.BASIC


def _customer(work: Work, row: sql.Row) -> Customer:
    customer_id = row["customer_id"]
    sealed = row["phone_sealed"]
    return Customer(
        customer_id,
        row["session_id"],
        row["entry_id"],
        row["registered_at"],
        AccountState(row["state"]),
        row["closed_at"],
        row["merged_into"],
        FreezeReason(row["frozen_because"]) if row["frozen_because"] else None,
        row["contact_closed"],
        work.keys.open_text("phone", customer_id, sealed) if sealed else None,
        row["living_place_code"],
        row["living_place_kind"],
        row["is_thin_file"],
    )


# --- identity -----------------------------------------------------------------------------------------------------------------------------


async def find_identity(work: Work, customer_id: str) -> Identity | None:
    row = await SQL.find_identity.row(work, customer_id=customer_id)
    if row is None:
        return None
    return Identity(
        customer_id,
        work.keys.open_text("name", customer_id, row["name_sealed"]),
        IdNumber(work.keys.open_text("id_number", customer_id, row["id_number_sealed"])),
        work.keys.open_text("phone", customer_id, row["phone_sealed"]) if row["phone_sealed"] else None,
        row["living_place_code"] or "",
        row["living_place_kind"] or "",
        row["home_place_code"],
        row["issuer"],
        row["expires_on"],
        row["face_check_id"],
        row["is_simulated"],
        row["checked_at"],
    )


async def lock_id(work: Work, number: IdNumber) -> None:
    await SQL.lock_id.value(work, id_blind=work.keys.blind("id_number", number.text))


async def who_has_id(work: Work, number: IdNumber) -> str | None:
    found: str | None = await SQL.who_has_id.value(work, id_blind=work.keys.blind("id_number", number.text))
    return found


async def put_identity(work: Work, customer_id: str, *, name: str, number: IdNumber, papers: Papers, is_blocked: bool) -> None:
    await SQL.put_identity.run(
        work,
        customer_id=customer_id,
        name_sealed=work.keys.seal("name", customer_id, name),
        name_blind=name_blind(work, name),
        id_number_sealed=work.keys.seal("id_number", customer_id, number.text),
        id_blind=work.keys.blind("id_number", number.text),
        tail_blind=tail_blind(work, number.tail),
        home_place_code=papers.home_place_code,
        address_code=papers.address_code,
        issuer=papers.issuer,
        expires_on=papers.expires_on,
        id_check_id=papers.id_check_id,
        face_check_id=papers.face_check_id,
        live_ppm=papers.live_ppm,
        same_ppm=papers.same_ppm,
        is_simulated=papers.is_simulated,
        is_blocked=is_blocked,
        at=work.at,
    )


def name_blind(work: Work, name: str) -> bytes:
    """Give the blind index of a name: spacing, width and case do not count."""
    return work.keys.blind("name", "".join(unicodedata.normalize("NFKC", name).split()).casefold())


async def found_by_name(work: Work, name: str, most: int) -> list[str]:
    """Give who bears this name, in order of id."""
    return [row["customer_id"] for row in await SQL.found_by_name.rows(work, name_blind=name_blind(work, name), most=most)]


async def found_by_phone(work: Work, phone: str, most: int) -> list[str]:
    """Give who uses this phone now."""
    return [row["customer_id"] for row in await SQL.found_by_phone.rows(work, phone_blind=work.keys.blind("phone", phone), most=most)]


async def cases_page(work: Work, *, kind: str | None, is_late: bool, most: int, skip: int) -> tuple[list[Case], int]:
    """Give a page of the cases that wait, the most urgent first, and how many there are; of one kind if named, only the late ones if asked."""
    wanted = {"kind": kind, "is_late": is_late, "today": work.today}
    rows = await SQL.cases_page.rows(work, most=most, skip=skip, **wanted)
    return [_case(work, row) for row in rows], int(await SQL.cases_page_count.value(work, **wanted))


async def set_face(work: Work, customer_id: str, *, face_check_id: str, live_ppm: int, same_ppm: int) -> None:
    await SQL.set_face.run(work, customer_id=customer_id, face_check_id=face_check_id, live_ppm=live_ppm, same_ppm=same_ppm)


async def set_four_factor(work: Work, customer_id: str, *, is_ok: bool) -> None:
    await SQL.set_four_factor.run(work, customer_id=customer_id, is_ok=is_ok)


async def set_blocked(work: Work, customer_id: str, *, is_blocked: bool) -> None:
    await SQL.set_blocked.run(work, customer_id=customer_id, is_blocked=is_blocked)


# --- checks and screenings ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """A question to the checks service, written before it is asked. `digest` tells whether a later question is the same one."""

    check_id: str
    kind: str
    k: int
    digest: bytes
    consent_id: str
    as_of: datetime
    answered_at: datetime | None
    result: Mapping[str, Any] | None


async def last_check(work: Work, customer_id: str, kind: str) -> Check | None:
    row = await SQL.last_check.row(work, customer_id=customer_id, kind=kind)
    if row is None:
        return None
    result = _open_result(work, customer_id, row["result_sealed"])
    return Check(
        row["check_id"], row["kind"], row["k"], bytes(row["digest"]), row["consent_id"], row["as_of"], row["answered_at"], result
    )


async def add_check(work: Work, customer_id: str, check: Check) -> None:
    await SQL.add_check.run(
        work,
        customer_id=customer_id,
        check_id=check.check_id,
        kind=check.kind,
        k=check.k,
        digest=check.digest,
        consent_id=check.consent_id,
        as_of=check.as_of,
    )


async def answer_check(work: Work, customer_id: str, check_id: str, result: Mapping[str, Any]) -> None:
    sealed = work.keys.seal("check", customer_id, msgspec.json.encode(result))
    await SQL.answer_check.run(work, customer_id=customer_id, check_id=check_id, at=work.at, result_sealed=sealed)


async def checks_of(work: Work, customer_id: str) -> list[dict[str, Any]]:
    rows = await SQL.checks_of.rows(work, customer_id=customer_id)
    return [
        {name: row[name] for name in ("check_id", "kind", "consent_id", "as_of", "answered_at")}
        | {"result": _open_result(work, customer_id, row["result_sealed"])}
        for row in rows
    ]


def _open_result(work: Work, customer_id: str, sealed: bytes | None) -> Mapping[str, Any] | None:
    if sealed is None:
        return None
    opened: Mapping[str, Any] = msgspec.json.decode(work.keys.open("check", customer_id, sealed))
    return opened


async def add_screening(work: Work, customer_id: str, screening: Screening) -> None:
    await SQL.add_screening.run(
        work,
        customer_id=customer_id,
        check_id=screening.check_id,
        at=screening.at,
        lists_version=screening.lists_version,
        verdict=screening.verdict.value,
        hits=list(screening.hits),
        recheck_on=screening.recheck_on,
        is_simulated=screening.is_simulated,
    )


async def screenings_of(work: Work, customer_id: str) -> list[Screening]:
    return [_screening(row) for row in await SQL.screenings_of.rows(work, customer_id=customer_id)]


async def last_screening(work: Work, customer_id: str) -> Screening | None:
    row = await SQL.last_screening.row(work, customer_id=customer_id)
    return _screening(row) if row else None


async def to_screen_again(work: Work, *, most: int) -> list[str]:
    return [row["customer_id"] for row in await SQL.to_screen_again.rows(work, today=work.today, most=most)]


async def postpone_screening(work: Work, customer_id: str, *, check_id: str, recheck_on: date) -> None:
    await SQL.postpone_screening.run(work, customer_id=customer_id, check_id=check_id, recheck_on=recheck_on)


def _screening(row: sql.Row) -> Screening:
    return Screening(
        row["check_id"],
        row["at"],
        row["lists_version"],
        Verdict(row["verdict"]),
        tuple(row["hits"]),
        row["recheck_on"],
        row["is_simulated"],
    )


# --- consents -----------------------------------------------------------------------------------------------------------------------------


async def add_consents(work: Work, consents: Iterable[Consent]) -> None:
    await SQL.add_consent.many(
        work,
        [
            {
                "customer_id": one.customer_id,
                "consent_id": one.consent_id,
                "item": one.item,
                "purpose": one.purpose,
                "recipient": one.recipient,
                "wording": one.wording,
                "session_id": one.session_id,
                "given_at": one.given_at,
                "until": one.until,
                "sha256": one.sha256,
            }
            for one in consents
        ],
    )


async def consent_counts(work: Work, customer_id: str) -> dict[str, int]:
    return {row["item"]: row["n"] for row in await SQL.count_consents.rows(work, customer_id=customer_id)}


async def live_consent(work: Work, customer_id: str, *, item: str, recipient: str) -> Consent | None:
    row = await SQL.live_consent.row(work, customer_id=customer_id, item=item, recipient=recipient, at=work.at)
    return _consent(row) if row else None


async def live_consents(work: Work, customer_id: str, items: Sequence[str]) -> list[Consent]:
    return [_consent(row) for row in await SQL.live_consents.rows(work, customer_id=customer_id, items=list(items), at=work.at)]


async def find_consent(work: Work, customer_id: str, consent_id: str) -> Consent | None:
    row = await SQL.find_consent.row(work, customer_id=customer_id, consent_id=consent_id)
    return _consent(row) if row else None


async def consents_of(work: Work, customer_id: str) -> list[Consent]:
    return [_consent(row) for row in await SQL.consents_of.rows(work, customer_id=customer_id)]


async def withdraw_consents(work: Work, customer_id: str, *, item: str, recipient: str) -> list[str]:
    rows = await SQL.withdraw_consents.rows(work, customer_id=customer_id, item=item, recipient=recipient, at=work.at)
    return sorted(row["consent_id"] for row in rows)


def _consent(row: sql.Row) -> Consent:
    return Consent(**row)


# --- cards, devices -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Binding:
    binding_id: str
    k: int
    state: str
    digest: bytes
    account: str | None
    bank_code: str | None
    tail: str | None


async def last_binding(work: Work, customer_id: str) -> Binding | None:
    row = await SQL.last_binding.row(work, customer_id=customer_id)
    return Binding(**row) if row else None


async def add_binding(work: Work, customer_id: str, *, binding_id: str, k: int, digest: bytes, card: str, phone: str) -> None:
    await SQL.add_binding.run(
        work,
        customer_id=customer_id,
        binding_id=binding_id,
        k=k,
        digest=digest,
        card_blind=work.keys.blind("card", card),
        phone_sealed=work.keys.seal("card_phone", customer_id, phone),
        at=work.at,
    )


async def card_phone(work: Work, customer_id: str) -> str | None:
    sealed: bytes | None = await SQL.active_card_phone.value(work, customer_id=customer_id)
    return work.keys.open_text("card_phone", customer_id, sealed) if sealed else None


async def activate_binding(work: Work, customer_id: str, card: Card) -> None:
    await SQL.end_active_binding.run(work, customer_id=customer_id, at=work.at)
    await SQL.activate_binding.run(
        work, customer_id=customer_id, binding_id=card.binding_id, account=card.account, bank_code=card.bank_code, tail=card.tail
    )


async def refuse_binding(work: Work, customer_id: str, *, binding_id: str, code: str) -> None:
    await SQL.refuse_binding.run(work, customer_id=customer_id, binding_id=binding_id, at=work.at, code=code)


async def active_card(work: Work, customer_id: str) -> Card | None:
    row = await SQL.active_binding.row(work, customer_id=customer_id)
    return Card(**row) if row else None


async def bindings_of(work: Work, customer_id: str) -> Sequence[sql.Row]:
    return await SQL.bindings_of.rows(work, customer_id=customer_id)


async def see_device(work: Work, customer_id: str, device_id: str) -> None:
    await SQL.see_device.run(work, customer_id=customer_id, device_id=device_id, at=work.at)


async def knows_device(work: Work, customer_id: str, device_id: str) -> bool:
    return bool(await SQL.knows_device.value(work, customer_id=customer_id, device_id=device_id))


async def forget_devices(work: Work, customer_id: str) -> None:
    await SQL.forget_devices.run(work, customer_id=customer_id)


async def devices_of(work: Work, customer_id: str) -> Sequence[sql.Row]:
    return await SQL.devices_of.rows(work, customer_id=customer_id)


async def people_of_device(work: Work, device_id: str) -> list[tuple[str, datetime]]:
    return [(row["customer_id"], row["first_seen"]) for row in await SQL.people_of_device.rows(work, device_id=device_id)]


# --- files --------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredFile:
    owner: str
    file_ref: str
    sha256: str
    media_type: str
    kind: str
    data: bytes


async def _file_keys(work: Work, owner: str) -> FieldKeys | None:
    """Open the owner's own key: dropped, it takes every file of that owner with it."""
    sealed = await SQL.find_file_key.value(work, owner=owner)
    if sealed is None:
        return None
    return FieldKeys({1: work.keys.open("file_key", owner, sealed)}, work.keys.index_key)


async def add_file(work: Work, *, owner: str, file_ref: str, sha256: str, media_type: str, data: bytes) -> None:
    key = fresh_keys().keys[1]
    await SQL.add_file_key.run(work, owner=owner, key_sealed=work.keys.seal("file_key", owner, key))
    keys = await _file_keys(work, owner)
    assert keys is not None, owner
    sealed = keys.seal("file", file_ref, data)
    await SQL.add_file.run(work, owner=owner, file_ref=file_ref, sha256=sha256, media_type=media_type, sealed=sealed, at=work.at)


async def find_file(work: Work, *, owners: Sequence[str], file_ref: str) -> StoredFile | None:
    row = await SQL.find_file.row(work, owners=list(owners), file_ref=file_ref)
    if row is None:
        return None
    keys = await _file_keys(work, row["owner"])
    if keys is None:
        return None
    return StoredFile(
        row["owner"], file_ref, row["sha256"], row["media_type"], row["kind"], keys.open("file", file_ref, row["sealed"])
    )


async def set_file_kind(work: Work, *, owners: Sequence[str], file_ref: str, kind: str, delete_at: datetime | None) -> None:
    await SQL.set_file_kind.run(work, owners=list(owners), file_ref=file_ref, kind=kind, delete_at=delete_at)


async def delete_due_files(work: Work) -> int:
    return await SQL.delete_due_files.run(work, at=work.at)


async def delete_files(work: Work, owner: str) -> None:
    await SQL.delete_files.run(work, owner=owner, at=work.at)
    await SQL.drop_file_key.run(work, owner=owner)


async def files_of(work: Work, owner: str) -> Sequence[sql.Row]:
    return await SQL.files_of.rows(work, owner=owner)


# --- cases --------------------------------------------------------------------------------------------------------------------------------


async def count_cases(work: Work, customer_id: str, kind: Kind) -> int:
    return int(await SQL.count_cases.value(work, customer_id=customer_id, kind=kind.value))


async def add_case(work: Work, case: Case, k: int) -> None:
    await SQL.add_case.run(
        work,
        customer_id=case.customer_id,
        case_id=case.case_id,
        kind=case.kind.value,
        k=k,
        subject=case.subject,
        text_sealed=work.keys.seal("case", case.case_id, case.text),
        proof_ref=case.proof_ref,
        at=case.opened_at,
        due=case.due,
        packs=list(case.packs),
    )


async def find_case(work: Work, customer_id: str, case_id: str) -> Case | None:
    row = await SQL.find_case.row(work, customer_id=customer_id, case_id=case_id)
    return _case(work, row) if row else None


async def open_case_of(work: Work, customer_id: str, kind: Kind, subject: str) -> Case | None:
    row = await SQL.open_case_of.row(work, customer_id=customer_id, kind=kind.value, subject=subject)
    return _case(work, row) if row else None


async def lock_case(work: Work, customer_id: str, case_id: str) -> Case | None:
    row = await SQL.lock_case.row(work, customer_id=customer_id, case_id=case_id)
    return _case(work, row) if row else None


async def cases_of(work: Work, customer_id: str) -> list[Case]:
    return [_case(work, row) for row in await SQL.cases_of.rows(work, customer_id=customer_id)]


async def cases_waiting(work: Work, *, most: int) -> list[Case]:
    return [_case(work, row) for row in await SQL.cases_waiting.rows(work, most=most)]


async def count_overdue(work: Work) -> int:
    return int(await SQL.count_overdue.value(work, today=work.today))


async def set_case_state(work: Work, case: Case, state: State) -> None:
    closed_at = work.at if state is State.CLOSED else None
    await SQL.set_case_state.run(work, customer_id=case.customer_id, case_id=case.case_id, state=state.value, closed_at=closed_at)


async def answer_case(work: Work, case: Case, *, outcome: str, answer: str) -> None:
    await SQL.answer_case.run(
        work,
        customer_id=case.customer_id,
        case_id=case.case_id,
        at=work.at,
        answered_by=work.actor.name,
        outcome=outcome,
        answer_sealed=work.keys.seal("case", case.case_id, answer),
    )


def _case(work: Work, row: sql.Row) -> Case:
    case_id = row["case_id"]
    text, answer = row["text_sealed"], row["answer_sealed"]
    return Case(
        row["customer_id"],
        case_id,
        Kind(row["kind"]),
        row["subject"],
        work.keys.open_text("case", case_id, text) if text else "",
        State(row["state"]),
        row["opened_at"],
        row["due"],
        tuple(row["packs"]),
        row["proof_ref"],
        row["answered_at"],
        row["answered_by"],
        row["outcome"],
        work.keys.open_text("case", case_id, answer) if answer else "",
        row["closed_at"],
    )


# --- copies and erasure -------------------------------------------------------------------------------------------------------------------


async def add_copy(work: Work, customer_id: str, *, sha256: str, data: bytes, expires_at: datetime) -> None:
    sealed = work.keys.seal("copy", customer_id, data)
    await SQL.add_copy.run(work, customer_id=customer_id, sha256=sha256, sealed=sealed, at=work.at, expires_at=expires_at)


async def take_copy(work: Work, customer_id: str, sha256: str) -> bytes | None:
    sealed = await SQL.take_copy.value(work, customer_id=customer_id, sha256=sha256, at=work.at)
    return None if sealed is None else work.keys.open("copy", customer_id, sealed)


async def drop_old_copies(work: Work) -> int:
    return await SQL.drop_old_copies.run(work, at=work.at)


async def erase_papers(work: Work, customer_id: str) -> None:
    """Take away everything that says who the person is; what remains names nobody."""
    await SQL.erase_identity.run(work, customer_id=customer_id)
    await SQL.erase_cases.run(work, customer_id=customer_id)
    await SQL.erase_checks.run(work, customer_id=customer_id)
    await SQL.erase_bindings.run(work, customer_id=customer_id)
    await SQL.forget_devices.run(work, customer_id=customer_id)
    await SQL.forget_phone.run(work, customer_id=customer_id)
    await delete_files(work, customer_id)
