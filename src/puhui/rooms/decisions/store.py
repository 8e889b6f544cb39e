"""The rows of the room. Inputs, outcomes and proofs are sealed on the way in and opened on the way out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from puhui.foundation import sql
from puhui.foundation.crypto import Sealed
from puhui.foundation.work import Work
from puhui.rooms.decisions.application import Application, ApplicationState, Exposure, Hold, Offer, Proof, Record
from puhui.rooms.decisions.outcome import OfferTerms
from puhui.vocabulary.products import read_product

SQL = sql.load(__file__)
SEALED = (
    Sealed("decisions.proofs", "fields_sealed", "proof_fields"),
    Sealed("decisions.records", "inputs_sealed", "decision_inputs"),
    Sealed("decisions.records", "outcome_sealed", "decision_outcome"),
)

# -- applications --------------------------------------------------------------------------------------------------------


async def lock_person(work: Work, customer_id: str) -> None:
    await SQL.lock_person.value(work, customer_id=customer_id)


async def add_application(work: Work, application: Application) -> None:
    row = asdict(application)
    del row["state"], row["why"], row["tapped_at"]
    await SQL.add_application.run(work, at=application.tapped_at, **row)


async def find_application(work: Work, customer_id: str, application_id: str) -> Application | None:
    row = await SQL.find_application.row(work, customer_id=customer_id, application_id=application_id)
    return _application(row) if row else None


async def open_application(work: Work, customer_id: str) -> Application | None:
    row = await SQL.open_application.row(work, customer_id=customer_id)
    return _application(row) if row else None


async def last_application(work: Work, customer_id: str) -> Application | None:
    row = await SQL.last_application.row(work, customer_id=customer_id)
    return _application(row) if row else None


async def applications_of(work: Work, customer_id: str) -> list[Application]:
    return [_application(row) for row in await SQL.applications_of.rows(work, customer_id=customer_id)]


async def set_application_state(work: Work, application: Application, state: ApplicationState, why: str = "") -> None:
    await SQL.set_application_state.run(
        work,
        customer_id=application.customer_id,
        application_id=application.application_id,
        state=state.value,
        why=why,
        ended_at=None if state.is_open else work.at,
    )


async def count_applications(work: Work, customer_id: str, since: datetime, application_id: str) -> int:
    return int(await SQL.count_applications.value(work, customer_id=customer_id, since=since, application_id=application_id))


async def count_device_persons(work: Work, device_id: str, since: datetime) -> int:
    return int(await SQL.count_device_persons.value(work, device_id=device_id, since=since))


async def applications_to_expire(work: Work, proof_since: datetime, most: int) -> list[tuple[str, str]]:
    rows = await SQL.applications_to_expire.rows(work, at=work.at, proof_since=proof_since, most=most)
    return [(row["customer_id"], row["application_id"]) for row in rows]


async def add_proof(work: Work, customer_id: str, application_id: str, kind: str, file_ref: str, fields: Mapping[str, Any]) -> None:
    await SQL.add_proof.run(
        work,
        customer_id=customer_id,
        application_id=application_id,
        kind=kind,
        file_ref=file_ref,
        fields_sealed=work.keys.seal("proof_fields", customer_id, msgspec.json.encode(fields)),
        at=work.at,
    )


async def proofs_of(work: Work, customer_id: str, application_id: str) -> list[Proof]:
    rows = await SQL.proofs_of.rows(work, customer_id=customer_id, application_id=application_id)
    return [
        Proof(row["kind"], row["file_ref"], msgspec.json.decode(work.keys.open("proof_fields", customer_id, row["fields_sealed"])), row["at"])
        for row in rows
    ]


async def add_card(work: Work, customer_id: str, binding_id: str, at: datetime) -> None:
    await SQL.add_card.run(work, customer_id=customer_id, binding_id=binding_id, at=at)


async def newest_card(work: Work, customer_id: str, at: datetime) -> datetime | None:
    """Give when a person changed to his present card, or None for a first card."""
    since: datetime | None = await SQL.newest_card.value(work, customer_id=customer_id, at=at)
    return since


# -- records and offers --------------------------------------------------------------------------------------------------


async def count_records(work: Work, customer_id: str, application_id: str) -> int:
    return int(await SQL.count_records.value(work, customer_id=customer_id, application_id=application_id))


async def add_record(work: Work, record: Record) -> None:
    row = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    inputs, outcome = row.pop("inputs"), row.pop("outcome")
    row["inputs_sealed"] = work.keys.seal("decision_inputs", record.customer_id, inputs)
    row["outcome_sealed"] = work.keys.seal("decision_outcome", record.customer_id, outcome)
    for name in ("packs", "shadows", "fired"):
        row[name] = list(row[name])
    await SQL.add_record.run(work, **row)


async def find_record(work: Work, customer_id: str, decision_id: str) -> Record | None:
    row = await SQL.find_record.row(work, customer_id=customer_id, decision_id=decision_id)
    return _record(work, row) if row else None


async def find_record_by_id(work: Work, decision_id: str) -> Record | None:
    row = await SQL.find_record_by_id.row(work, decision_id=decision_id)
    return _record(work, row) if row else None


async def last_record(work: Work, customer_id: str, application_id: str) -> Record | None:
    row = await SQL.last_record.row(work, customer_id=customer_id, application_id=application_id)
    return _record(work, row) if row else None


async def records_of(work: Work, customer_id: str) -> list[Record]:
    return [_record(work, row) for row in await SQL.records_of.rows(work, customer_id=customer_id)]


async def records_after(work: Work, at: datetime, decision_id: str, most: int) -> list[Record]:
    return [_record(work, row) for row in await SQL.records_after.rows(work, at=at, decision_id=decision_id, most=most)]


async def recent_inputs(work: Work, most: int) -> list[tuple[datetime, bytes]]:
    """Give (at, inputs) of the newest decisions that read the log, newest first."""
    rows = await SQL.recent_inputs.rows(work, most=most)
    return [(row["at"], work.keys.open("decision_inputs", row["customer_id"], row["inputs_sealed"])) for row in rows]


async def newest_record_of(work: Work, customer_id: str) -> Record | None:
    row = await SQL.newest_record_of.row(work, customer_id=customer_id)
    return _record(work, row) if row else None


async def newest_scorecard(work: Work) -> str | None:
    """Give the name of the card that decided last; None before the first decision."""
    found = await SQL.newest_scorecard.value(work)
    return str(found) if found else None


async def count_by_answer(work: Work) -> Sequence[sql.Row]:
    return await SQL.count_by_answer.rows(work)


async def add_offers(work: Work, record: Record, offers: Sequence[tuple[str, OfferTerms]], expires_at: datetime) -> None:
    await SQL.add_offer.many(
        work,
        [
            {
                "customer_id": record.customer_id,
                "offer_id": offer_id,
                "application_id": record.application_id,
                "decision_id": record.decision_id,
                "method": terms.method,
                "amount_min_fen": terms.amount_min_fen,
                "amount_max_fen": terms.amount_max_fen,
                "step_fen": terms.step_fen,
                "months": list(terms.months),
                "rate_ppm": terms.rate_ppm,
                "all_in_max_ppm": terms.all_in_max_ppm,
                "expires_at": expires_at,
            }
            for offer_id, terms in offers
        ],
    )


async def find_offer(work: Work, customer_id: str, offer_id: str) -> tuple[Offer, ApplicationState] | None:
    """Give an offer and where its application stands, or None."""
    row = await SQL.find_offer.row(work, customer_id=customer_id, offer_id=offer_id)
    if row is None:
        return None
    sold = read_product(await artefact(work, row["product_sha256"]))
    offer = Offer(
        customer_id=customer_id,
        offer_id=offer_id,
        application_id=row["application_id"],
        decision_id=row["decision_id"],
        method=row["method"],
        amount_min_fen=row["amount_min_fen"],
        amount_max_fen=row["amount_max_fen"],
        step_fen=row["step_fen"],
        months=tuple(row["months"]),
        rate_ppm=row["rate_ppm"],
        all_in_max_ppm=row["all_in_max_ppm"],
        expires_at=row["expires_at"],
        band=row["band"],
        is_thin_file=row["is_thin_file"],
        product=sold.id,
        convention=sold.convention,
    )
    return offer, ApplicationState(row["application_state"])


async def offers_of(work: Work, customer_id: str, decision_id: str) -> Sequence[sql.Row]:
    return await SQL.offers_of.rows(work, customer_id=customer_id, decision_id=decision_id)


# -- artefacts and strategies --------------------------------------------------------------------------------------------

_HELD: dict[str, bytes] = {}  # bytes by their own hash never change, so they are read once


async def add_artefact(work: Work, sha256: str, kind: str, content: bytes) -> None:
    await SQL.add_artefact.run(work, sha256=sha256, kind=kind, content=content, at=work.at)


async def artefact(work: Work, sha256: str) -> bytes:
    """Give an artefact's bytes. Raises KeyError if nobody published it here."""
    if sha256 not in _HELD:
        content = await SQL.find_artefact.value(work, sha256=sha256)
        if content is None:
            raise KeyError(sha256)
        _HELD[sha256] = content
    return _HELD[sha256]


async def live_strategies(work: Work, product_id: str) -> Sequence[sql.Row]:
    return await SQL.live_strategies.rows(work, product_id=product_id)


# -- exposure ------------------------------------------------------------------------------------------------------------


async def lock_exposure(work: Work, customer_id: str, cap_fen: int) -> Exposure:
    await SQL.open_exposure.run(work, customer_id=customer_id, cap_fen=cap_fen)
    row = await SQL.lock_exposure.row(work, customer_id=customer_id)
    assert row is not None, customer_id
    return Exposure(row["owed_fen"], row["held_fen"], row["cap_fen"])


async def find_exposure(work: Work, customer_id: str) -> Exposure:
    row = await SQL.find_exposure.row(work, customer_id=customer_id)
    return Exposure(row["owed_fen"], row["held_fen"], row["cap_fen"]) if row else Exposure(0, 0, 0)


async def set_exposure(work: Work, customer_id: str, exposure: Exposure) -> None:
    await SQL.set_exposure.run(
        work, customer_id=customer_id, owed_fen=exposure.owed_fen, held_fen=exposure.held_fen, cap_fen=exposure.cap_fen
    )


async def exposures_after(work: Work, after: str, most: int) -> Sequence[sql.Row]:
    return await SQL.exposures_after.rows(work, after=after, most=most)


async def add_hold(work: Work, hold: Hold) -> None:
    row = asdict(hold)
    del row["state"]
    await SQL.add_hold.run(work, at=work.at, **row)


async def find_hold(work: Work, customer_id: str, loan_id: str) -> Hold | None:
    row = await SQL.find_hold.row(work, customer_id=customer_id, loan_id=loan_id)
    return Hold(**row) if row else None


async def holds_of(work: Work, customer_id: str) -> list[Hold]:
    return [Hold(customer_id=customer_id, **row) for row in await SQL.holds_of.rows(work, customer_id=customer_id)]


async def set_hold_state(work: Work, hold: Hold, state: str) -> bool:
    """Move a hold on from `held`; False if somebody already did."""
    moved = await SQL.set_hold_state.run(work, customer_id=hold.customer_id, loan_id=hold.loan_id, state=state, before=hold.state)
    return moved == 1


async def unequal_holds(work: Work, most: int = 100) -> Sequence[sql.Row]:
    return await SQL.unequal_holds.rows(work, most=most)


def _application(row: sql.Row) -> Application:
    return Application(**{**row, "state": ApplicationState(row["state"])})


def _record(work: Work, row: sql.Row) -> Record:
    values = dict(row)
    customer_id = values["customer_id"]
    values["inputs"] = work.keys.open("decision_inputs", customer_id, values.pop("inputs_sealed"))
    values["outcome"] = work.keys.open("decision_outcome", customer_id, values.pop("outcome_sealed"))
    for name in ("packs", "shadows", "fired"):
        values[name] = tuple(values[name])
    return Record(**values)
