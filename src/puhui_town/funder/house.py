"""One funder: its terms, its reservations, its quota, its books, and the files it exchanges with the lender."""

import heapq
from collections.abc import Mapping, Sequence
from datetime import date, time

import msgspec

from puhui_town.funder import terms as wants
from puhui_town.funder.arithmetic import CONVENTIONS, METHODS
from puhui_town.funder.bank import Bank
from puhui_town.funder.mirror import BALANCE_COLUMNS, EVENTS, LOAN_COLUMNS, Legs, Told
from puhui_town.funder.reservation import (
    BINDING,
    CONFIRMED,
    EXPIRED,
    HELD,
    RELEASED,
    USED,
    Asked,
    Confirmed,
    Released,
    Reservation,
    out_of_terms,
)
from puhui_town.funder.terms import WHOLE_PPM, Terms
from puhui_town.rail.transfer import PoolMove
from puhui_town.wire import (
    Ask,
    DayFileName,
    LineError,
    Offer,
    Refused,
    Timer,
    Wanted,
    World,
    day_of,
    from_ms,
    instant,
    not_found,
    run_day,
    to_ms,
    wrong_state,
)

MIRROR_READY = time(8)
FOR_ITSELF = ("settlement:", "fee:", "own")
"""Purposes of money in a pool that belongs to no single loan."""


class PaidOut(msgspec.Struct, frozen=True):
    """What the pool's statement says of a loan's pay-out: the day it left, and the day it came back, if it did."""

    on: date
    returned_on: date | None = None


class House:
    """A funding partner. Its channel is `funder/{partner}`."""

    def __init__(self, world: World, partner: str, bank: Bank) -> None:
        self._world, self._bank, self.partner = world, bank, partner
        self._channel = f"funder/{partner}"
        store = world.store
        self._terms = store.table("funder.terms", Terms)
        self._reservations = store.table(f"funder.reservations.{partner}", Reservation)
        self._read_to = store.table("funder.read-to", int)
        self._paid_out = store.table(f"funder.paid-out.{partner}", PaidOut)
        self._told = store.table(f"funder.told.{partner}", list[Told])
        self._legs = Legs()
        self._by_order: dict[str, str] = {}
        self._by_loan: dict[str, str] = {}
        self._used_of_day: dict[str, int] = {}
        self._given_fen = 0
        self._by_region: dict[str, int] = {}
        self._by_band: dict[str, int] = {}
        self._ends: list[tuple[int, str]] = []
        self._begin()

    # -- calls ----------------------------------------------------------------------------------------------------------

    def terms(self, ask: Ask) -> dict[str, object]:
        terms = self._now()
        self._let_expire()
        day_left = max(terms.day_quota_fen - self._used_of_day.get(run_day(ask.at).isoformat(), 0), 0)
        return terms.told(
            ask.at, since=from_ms(terms.since_ms), day_left_fen=day_left, total_left_fen=max(terms.total_fen - self._given_fen, 0)
        )

    def reserve(self, ask: Ask) -> dict[str, object]:
        """Hold a share for a loan, if it fits the terms and the quota."""
        body = ask.read(Asked)
        if body.reservation_id in self._reservations:
            raise Refused("key-reused", "this reservation exists already", status=409)
        if ask.fault is not None and ask.fault.name == "terms_changed":
            self._change(wants.cut(self._now(), ask.fault.whole("cut_ppm", 500_000), self._world.clock.now_ms()))
        self._let_expire()
        self._judge(body, ask)
        now_ms = self._world.clock.now_ms()
        reservation = Reservation(self.partner, body, run_day(ask.at).isoformat(), now_ms, to_ms(self._world.clock.later(body.hold_s)))
        self._put(reservation)
        self._bind(reservation, 1)
        heapq.heappush(self._ends, (reservation.expires_ms, body.reservation_id))
        return {"state": HELD, "expires_at": instant(from_ms(reservation.expires_ms))}

    def confirm(self, ask: Ask) -> dict[str, object]:
        """The contract is signed: the share goes into the pool."""
        body = ask.read(Confirmed)
        reservation = self._find(ask)
        if reservation.state != HELD:
            raise wrong_state(f"the reservation is {reservation.state}", state=reservation.state)
        if not self._bank.fund(self.partner, f"{reservation.asked.reservation_id}-in", reservation.share_fen):
            raise Refused("funder.quota", "the funder is out of money", retry="later")
        confirmed = msgspec.structs.replace(
            reservation, state=CONFIRMED, order_id=body.order_id, contract_sha256=body.contract_sha256
        )
        self._put(confirmed)
        return {"state": CONFIRMED}

    def release(self, ask: Ask) -> dict[str, object]:
        """Let a hold go, or a confirmed share that was not paid out. One that ran out, or was let go, is free already."""
        ask.read(Released)
        reservation = self._find(ask)
        if reservation.state in {RELEASED, EXPIRED}:
            return {"state": reservation.state}
        if reservation.state == USED:
            raise wrong_state("the reservation is used: the loan was paid out", state=USED)
        if reservation.state == CONFIRMED:
            self._bank.fund(self.partner, f"{reservation.asked.reservation_id}-out", -reservation.share_fen)
        self._put(msgspec.structs.replace(reservation, state=RELEASED))
        self._bind(reservation, -1)
        return {"state": RELEASED}

    def get(self, ask: Ask) -> dict[str, object]:
        return self._find(ask).told()

    # -- the pool ---------------------------------------------------------------------------------------------------------

    def read_statement(self) -> None:
        """Read what is new on the pool's statement: pay-outs use reservations, returns undo it."""
        read_to = self._read_to.get(self.partner) or 0
        moves = self._bank.moves(self.partner, read_to)
        for move in moves:
            self._note(move)
        if moves:
            self._read_to.put(self.partner, moves[-1].n)

    def _note(self, move: PoolMove) -> None:
        if move.purpose.startswith(FOR_ITSELF) or not move.loan_id:
            return
        key = self._by_order.get(move.ref)
        reservation = self._reservations.get(key) if key else None
        day = run_day(from_ms(move.at_ms))
        if move.state == "returned":
            if reservation is not None:
                paid = self._paid_out[reservation.asked.loan_id]
                self._paid_out.put(reservation.asked.loan_id, PaidOut(paid.on, day))
                self._put(msgspec.structs.replace(reservation, state=CONFIRMED))
            return
        if move.fen > 0:
            return
        if reservation is None or reservation.share_fen != -move.fen or reservation.asked.loan_id != move.loan_id:
            facts = {"order_id": move.ref, "partner": self.partner, "amount_fen": -move.fen}
            self._world.breaches.note("outside-funder-terms", "", facts)
            return
        self._paid_out.put(move.loan_id, PaidOut(day))
        self._put(msgspec.structs.replace(reservation, state=USED))

    # -- files -------------------------------------------------------------------------------------------------------------

    def offer_files(self) -> None:
        files = self._world.files
        files.offer(self._channel, Offer("mirror", self.partner, BALANCE_COLUMNS, self.mirror, MIRROR_READY))
        files.want(self._channel, Wanted("loans", LOAN_COLUMNS, self.take_loans))
        files.want(self._channel, Wanted("balances", BALANCE_COLUMNS, self.take_balances))

    def mirror(self, day: date) -> list[tuple[object, ...]]:
        """Give our own view of every loan of ours at the end of a day, in order of loan."""
        self.read_statement()
        rows = []
        for loan_id, paid_out in sorted(self._paid_out.items()):
            if paid_out.on > day or (paid_out.returned_on is not None and paid_out.returned_on <= day):
                continue
            reservation = self._reservations[self._by_loan[loan_id]]
            told = [event for event in self._told.get(loan_id) or () if event.business_date <= day]
            row = self._legs.leg(reservation, paid_out.on, told).row(day)
            if row is not None:
                rows.append(row)
        return rows

    def take_loans(self, name: DayFileName, rows: Sequence[Mapping[str, str]]) -> list[LineError]:
        """Keep what happened to our loans; give the lines that cannot be right. A higher revision replaces its day."""
        errors: list[LineError] = []
        fresh: dict[str, list[Told]] = {}
        for line, row in enumerate(rows, start=2):
            try:
                told = self._read_line(row, name.part)
            except Refused as refusal:
                errors.append(LineError(line, refusal.code, refusal.text))
                continue
            fresh.setdefault(row["loan_id"], []).append(told)
        for loan_id in {*self._told, *fresh}:
            had = self._told.get(loan_id) or []
            kept = [event for event in had if (event.business_date, event.part) != (name.day, name.part)] + fresh.get(loan_id, [])
            if kept != had:
                self._told.put(loan_id, kept)
        return errors

    def take_balances(self, name: DayFileName, rows: Sequence[Mapping[str, str]]) -> list[LineError]:
        """Look the lender's balances over; they are kept and never copied into our own."""
        errors = []
        for line, row in enumerate(rows, start=2):
            if row["loan_id"] not in self._by_loan:
                errors.append(LineError(line, "funder.unknown-loan", "we have no reservation for this loan"))
            elif row["business_date"] != name.day.isoformat():
                errors.append(LineError(line, "funder.wrong-day", "the row is of another day"))
        return errors

    def _read_line(self, row: Mapping[str, str], part: int) -> Told:
        if row["loan_id"] not in self._by_loan:
            raise Refused("funder.unknown-loan", "we have no reservation for this loan")
        if row["event"] not in EVENTS:
            raise Refused("funder.unknown-event", "this event is not in the protocol")
        try:
            principal, interest, penalty = (int(row[name]) for name in ("principal_fen", "interest_fen", "penalty_fen"))
            amount, share_ppm = int(row["amount_fen"]), int(row["share_ppm"])
        except ValueError:
            raise Refused("file.amount", "a sum is no whole number") from None
        reservation = self._reservations[self._by_loan[row["loan_id"]]]
        if principal + interest + penalty != amount:
            raise Refused("funder.wrong-sum", "amount_fen is not the sum of its parts")
        if abs(share_ppm - reservation.share_ppm) > 1:
            raise Refused("funder.wrong-share", "the share is not the one that was reserved")
        if row["event"] == "disbursed" and principal != reservation.share_fen:
            raise Refused("funder.wrong-amount", "the pay-out is not the sum that was reserved")
        days = day_of(row["business_date"]), day_of(row["value_date"])
        return Told(row["event_id"], row["event"], *days, principal, interest, penalty, part)

    # -- terms and quota ---------------------------------------------------------------------------------------------------

    def change_by_itself(self, timer: Timer) -> None:
        """The funder changes its terms, as it does every few days."""
        self._change(wants.changed(self._world.config.seed, self.partner, self._now(), timer.due_ms))

    def _change(self, terms: Terms) -> None:
        self._terms.put(self.partner, terms)
        self._set_timer(terms)
        data = {"partner": self.partner, "version": terms.name}
        self._world.callbacks.send(self._channel, "funder.terms_changed", self.partner, data, key_id=self.partner)

    def _set_timer(self, terms: Terms) -> None:
        due = wants.next_change(self._world.config.seed, self.partner, terms, from_ms(terms.since_ms))
        self._world.scheduler.at(due, f"funder-terms|{self.partner}", "funder.terms", {"partner": self.partner})

    def _now(self) -> Terms:
        return self._terms[self.partner]

    def _judge(self, body: Asked, ask: Ask) -> None:
        """Refuse what does not fit, the first thing that does not."""
        terms = self._now()
        if body.terms_version != terms.name:
            raise Refused("funder.terms-changed", "the terms have changed", retry="ask", version=terms.name)
        if not terms.is_open(ask.at):
            raise Refused("funder.closed", "outside the opening hours", retry="later", opens_at=instant(terms.next_opening(ask.at)))
        field = self._misfit(terms, body)
        if field:
            raise out_of_terms(field)
        used = self._used_of_day.get(run_day(ask.at).isoformat(), 0)
        if used + body.share_fen > terms.day_quota_fen or self._given_fen + body.share_fen > terms.total_fen:
            raise Refused("funder.quota", "no quota is left for this share", retry="later")
        if wants.is_declined(self._world.config.seed, self.partner, body.loan_id):
            raise Refused("funder.declined", "declined")

    def _misfit(self, terms: Terms, body: Asked) -> str:
        share = body.share_fen * WHOLE_PPM
        after = self._given_fen + body.share_fen
        is_judged = after > int(wants.DATA["concentration_from_fen"])
        checks = (
            ("terms_months", body.months in terms.terms_months),
            ("rate_ppm", terms.rate_min_ppm <= body.rate_ppm <= terms.rate_max_ppm),
            ("regions_allowed", not terms.regions_allowed or body.region.startswith(tuple(terms.regions_allowed))),
            ("age", terms.age_min <= body.age <= terms.age_max),
            ("bands", body.band in terms.bands),
            ("method", body.method in METHODS),
            ("convention", body.convention in CONVENTIONS),
            ("share_fen", (terms.share_min_ppm - 1) * body.loan_fen <= share <= (terms.share_max_ppm + 1) * body.loan_fen),
            (
                "region_share_max_ppm",
                not is_judged or (self._by_region.get(body.region, 0) + body.share_fen) * WHOLE_PPM <= terms.region_share_max_ppm * after,
            ),
            (
                "band_share_max_ppm",
                not is_judged or (self._by_band.get(body.band, 0) + body.share_fen) * WHOLE_PPM <= terms.band_share_max_ppm * after,
            ),
        )
        return next((field for field, fits in checks if not fits), "")

    def _find(self, ask: Ask) -> Reservation:
        self._let_expire()
        reservation = self._reservations.get(ask.args["reservation_id"])
        if reservation is None:
            raise not_found("reservation")
        if reservation.state == CONFIRMED:
            self.read_statement()
            return self._reservations[ask.args["reservation_id"]]
        return reservation

    def _let_expire(self) -> None:
        now_ms = self._world.clock.now_ms()
        while self._ends and self._ends[0][0] <= now_ms:
            _, key = heapq.heappop(self._ends)
            reservation = self._reservations[key]
            if reservation.state == HELD:
                self._put(msgspec.structs.replace(reservation, state=EXPIRED))
                self._bind(reservation, -1)

    def _put(self, reservation: Reservation) -> None:
        self._reservations.put(reservation.asked.reservation_id, reservation)
        self._index(reservation)

    def _index(self, reservation: Reservation) -> None:
        if reservation.order_id:
            self._by_order[reservation.order_id] = reservation.asked.reservation_id
        if reservation.state in BINDING:
            self._by_loan[reservation.asked.loan_id] = reservation.asked.reservation_id

    def _bind(self, reservation: Reservation, sign: int) -> None:
        """Count a share into the quotas and the book, or out of them."""
        fen, asked = sign * reservation.share_fen, reservation.asked
        self._used_of_day[reservation.day] = self._used_of_day.get(reservation.day, 0) + fen
        self._given_fen += fen
        self._by_region[asked.region] = self._by_region.get(asked.region, 0) + fen
        self._by_band[asked.band] = self._by_band.get(asked.band, 0) + fen

    def _begin(self) -> None:
        """Go on where an earlier process stood, or begin the run."""
        if self.partner not in self._terms:
            first = wants.first_terms(self._world.config.seed, self.partner, self._world.clock.now_ms())
            self._terms.put(self.partner, first)
            self._set_timer(first)
        for reservation in self._reservations.values():
            self._index(reservation)
            if reservation.state in BINDING:
                self._bind(reservation, 1)
            if reservation.state == HELD:
                heapq.heappush(self._ends, (reservation.expires_ms, reservation.asked.reservation_id))
