"""The rail's calls: binding a card, mandates, transfers, refunds, balances, and the truth for the driver."""

from collections.abc import Callable

import msgspec

from puhui_town.rail.accounts import OPENING, Leg, opening_total_fen
from puhui_town.rail.books import Books, rail_id
from puhui_town.rail.transfer import (
    PAID,
    BindingAsked,
    CancelAsked,
    Mandate,
    MandateAsked,
    RefundAsked,
    Transfer,
    TransferAsked,
)
from puhui_town.wire import (
    DRIVER,
    LENDER,
    Ask,
    CardFacts,
    Refused,
    Reply,
    Route,
    Service,
    World,
    bad_field,
    instant,
    json_bytes,
    not_found,
    run_day,
)

VerifyCode = Callable[[World, str, str, str, str, str], bool]
"""(world, purpose, phone, subject, otp_id, code): use a one-time code up; False if it is not right for exactly this."""
LENDER_MAY_DEBIT = ("lender", "funder-", "shop-")
RETURN_DAYS_MAX = 3


class Rail:
    """The payment rail on the wire."""

    def __init__(self, world: World, books: Books, verify: VerifyCode) -> None:
        self._world, self._books, self._verify = world, books, verify
        self._mandates = world.store.table("rail.mandates", Mandate)

    def service(self) -> Service:
        owners = LENDER | {account.owner for _, account in self._books.accounts.all() if account.owner.startswith(("funder-", "shop-"))}
        routes = (
            Route("POST", "/rail/v1/bindings", "bind", self.bind),
            Route("POST", "/rail/v1/mandates", "mandate", self.mandate),
            Route("POST", "/rail/v1/mandates/{mandate_id}/cancel", "cancel", self.cancel),
            Route("POST", "/rail/v1/transfers", "transfer", self.transfer),
            Route("GET", "/rail/v1/transfers/{order_id}", "get", self.get),
            Route("POST", "/rail/v1/refunds", "refund", self.refund),
            Route("GET", "/rail/v1/accounts/{account}", "account", self.account, who=owners),
            Route("GET", "/town/truth/rail", "truth", self.truth, who=DRIVER),
        )
        return Service("rail", "/rail", "rail-1", routes)

    def bind(self, ask: Ask) -> dict[str, object]:
        """Bind a person's card, with a code sent to the phone that the bank has of him."""
        body = ask.read(BindingAsked)
        facts = self._facts(body.card_number)
        if (facts.name, facts.id_number) != (body.person.name, body.person.id_number):
            raise Refused("rail.name-mismatch", "the card belongs to another person")
        if not self._is_code_right("bind", facts.phone, "", body.otp_id, body.code):
            raise Refused("rail.otp-wrong", "the code is wrong, used, too old, or for something else")
        account = self._books.account_of(body.card_number)
        return {"account": account, "bank_code": facts.bank_code, "tail": body.card_number[-4:], "kind": "debit"}

    def mandate(self, ask: Ask) -> dict[str, object]:
        """Take a mandate (代扣授权) on."""
        body = ask.read(MandateAsked)
        if self._books.bound.get(body.account) is None:
            raise not_found("account")
        if body.until < run_day(ask.at):
            raise bad_field("until", "lies in the past")
        if body.mandate_id in self._mandates:
            raise Refused("key-reused", "this mandate exists already", status=409)
        self._mandates.put(body.mandate_id, Mandate(body.account, body.max_each_fen, body.until, body.contract_sha256))
        return {"mandate_id": body.mandate_id, "state": "active"}

    def cancel(self, ask: Ask) -> dict[str, object]:
        ask.read(CancelAsked)
        mandate_id = ask.args["mandate_id"]
        mandate = self._mandates.get(mandate_id)
        if mandate is None:
            raise not_found("mandate")
        self._mandates.put(mandate_id, msgspec.structs.replace(mandate, is_active=False))
        return {"mandate_id": mandate_id, "state": "cancelled"}

    def transfer(self, ask: Ask) -> Reply:
        """Take an order on: 202, and the rest by callback."""
        body = ask.read(TransferAsked)
        legs = [Leg(source.account, source.amount_fen) for source in body.sources]
        if sum(leg.amount_fen for leg in legs) != body.amount_fen:
            raise bad_field("sources", "do not add up to amount_fen")
        if body.direction == "pay_out" and body.allow_partial:
            raise bad_field("allow_partial", "only a collect may be partial")
        if body.order_id in self._books.transfers:
            raise Refused("key-reused", "this order exists already", status=409)
        self._check_accounts(body)
        if any(self._books.bound.get(leg.account) for leg in legs):
            self._check_leave(body, ask)
        return self._accept(
            ask, body.order_id, body.direction, legs, [Leg(body.target, body.amount_fen)], allow_partial=body.allow_partial,
            purpose=body.purpose, loan_id=body.loan_id,
        )  # fmt: skip

    def refund(self, ask: Ask) -> Reply:
        """Give back what an order moved, in part or whole, to the accounts it came from."""
        body = ask.read(RefundAsked)
        order = self._books.transfers.get(body.order_id)
        if order is None:
            raise not_found("order")
        if body.refund_id in self._books.transfers:
            raise Refused("key-reused", "this refund exists already", status=409)
        if order.state != PAID or any(self._books.bound.get(leg.account) for leg in order.targets):
            raise Refused("wrong-state", "only a paid order that no person received can be given back", status=409)
        if body.amount_fen > order.done_fen - order.refunded_fen:
            raise Refused("rail.limit", "more than what is left of the order")
        self._books.transfers.put(order.order_id, msgspec.structs.replace(order, refunded_fen=order.refunded_fen + body.amount_fen))
        legs = _parts(order.targets, body.amount_fen)
        return self._accept(
            ask, body.refund_id, "refund", legs, _parts(order.moved, body.amount_fen), allow_partial=False, purpose=body.reason,
            loan_id=order.loan_id,
        )  # fmt: skip

    def get(self, ask: Ask) -> dict[str, object]:
        transfer = self._books.transfers.get(ask.args["order_id"])
        if transfer is None:
            raise not_found("order")
        return transfer.told()

    def account(self, ask: Ask) -> dict[str, object]:
        """Tell a balance, to the account's owner alone."""
        account = self._books.accounts.find(ask.args["account"])
        if account is None or account.owner != ask.sender:
            raise not_found("account")
        return {"account": ask.args["account"], "balance_fen": account.balance_fen, "as_of": instant(ask.at)}

    def truth(self, ask: Ask) -> Reply:
        """Every account and their sum, which never changes, and every transfer; for the driver."""
        accounts = self._books.accounts
        rows = [{"account": name, "owner": row.owner, "balance_fen": row.balance_fen} for name, row in accounts.all()]
        total_fen, opening_fen = accounts.total_fen(), opening_total_fen()
        body = {
            "as_of": instant(ask.at), "sum_fen": total_fen, "opening_sum_fen": opening_fen, "is_constant": total_fen == opening_fen,
            "accounts": rows,
            "transfers": [
                {"order_id": one.order_id, "direction": one.direction, "state": one.state, "done_fen": one.done_fen, "loan_id": one.loan_id, "purpose": one.purpose}
                for one in self._books.transfers.values()
            ],
        }  # fmt: skip
        return Reply(200, json_bytes(body))

    def _accept(self, ask: Ask, order_id: str, direction: str, legs: list[Leg], targets: list[Leg], *, allow_partial: bool, purpose: str,
                loan_id: str) -> Reply:  # fmt: skip
        transfer = Transfer(
            order_id=order_id,
            rail_id=rail_id(order_id),
            direction=direction,
            amount_fen=sum(leg.amount_fen for leg in legs),
            legs=legs,
            targets=targets,
            allow_partial=allow_partial,
            purpose=purpose,
            loan_id=loan_id,
            accepted_ms=self._world.clock.now_ms(),
            fee_fen=int(OPENING["fee_fen"]),
        )
        fault = ask.fault
        if fault is not None and fault.name == "returned" and direction == "pay_out":
            days = min(max(fault.whole("after_days", 1), 1), RETURN_DAYS_MAX)
            code = str(fault.args.get("code", "rail.account-closed"))
            transfer = msgspec.structs.replace(transfer, return_after_days=days, return_code=code)
        self._books.accept(transfer)
        return Reply.json({"rail_id": transfer.rail_id, "state": transfer.state}, status=202)

    def _check_accounts(self, body: TransferAsked) -> None:
        """The lender moves its own money, its funders' pools, its shops', and, with their leave, people's."""
        accounts, bound = self._books.accounts, self._books.bound
        for leg in body.sources:
            account = accounts.find(leg.account)
            if account is None or leg.account.startswith("own-"):
                raise Refused("rail.account-closed", "a source account is not open to this sender")
            is_person = bound.get(leg.account) is not None
            if not is_person and not account.owner.startswith(LENDER_MAY_DEBIT):
                raise Refused("rail.account-closed", "a source account is not open to this sender")
            if is_person and body.direction == "pay_out":
                raise Refused("rail.mandate-missing", "a pay-out never draws on a person's account")
        target = accounts.find(body.target)
        if target is None or target.owner in {"outside", "rail"} or body.target.startswith("own-"):
            raise Refused("rail.account-closed", "the target account is not open")
        touches_person = bound.get(body.target) is not None or any(bound.get(leg.account) for leg in body.sources)
        if touches_person and body.amount_fen > OPENING["transfer_max_fen"]:
            raise Refused("rail.limit", "more than the rail moves to or from a person at once")

    def _check_leave(self, body: TransferAsked, ask: Ask) -> None:
        """A person's account is drawn on by mandate, or with a code of purpose `pay` for this order."""
        if body.mandate_id is not None:
            mandate = self._mandates.get(body.mandate_id)
            is_theirs = mandate is not None and all(leg.account == mandate.account for leg in body.sources)
            if mandate is None or not mandate.is_active or not is_theirs or run_day(ask.at) > mandate.until:
                raise Refused("rail.mandate-missing", "there is no mandate in force for this account")
            if body.amount_fen > mandate.max_each_fen and body.otp_id is None:
                self._note_over_mandate(body, mandate)
                raise Refused("rail.mandate-missing", "the mandate does not reach so far")
            if body.amount_fen <= mandate.max_each_fen:
                return
        if body.otp_id is None or body.code is None:
            raise Refused("rail.mandate-missing", "a collect needs a mandate or a code")
        for leg in body.sources:
            bound = self._books.bound.get(leg.account)
            facts = self._books.facts(bound.card_number) if bound is not None else None
            phone = facts.phone if facts is not None else ""
            if not self._is_code_right("pay", phone, body.order_id, body.otp_id, body.code):
                raise Refused("rail.otp-wrong", "the code is wrong, used, too old, or for something else")

    def _note_over_mandate(self, body: TransferAsked, mandate: Mandate) -> None:
        bound = self._books.bound.get(mandate.account)
        person = bound.person if bound is not None else ""
        facts = {"order_id": body.order_id, "amount_fen": body.amount_fen, "max_each_fen": mandate.max_each_fen}
        self._world.breaches.note("collect-over-mandate", person, facts)

    def _facts(self, card_number: str) -> CardFacts:
        facts = self._books.facts(card_number)
        if facts is None:
            raise Refused("rail.card-unknown", "no bank issued this card")
        if not facts.is_usable:
            raise Refused("rail.account-closed", "the card's account is closed")
        return facts

    def _is_code_right(self, purpose: str, phone: str, subject: str, otp_id: str, code: str) -> bool:
        return self._verify(self._world, purpose, phone, subject, otp_id, code)


def _parts(legs: list[Leg], fen: int) -> list[Leg]:
    """Split a sum over legs in their proportion, the last taking the rest."""
    whole = sum(leg.amount_fen for leg in legs)
    parts = [leg.amount_fen * fen // whole for leg in legs]
    parts[-1] += fen - sum(parts)
    return [Leg(leg.account, part) for leg, part in zip(legs, parts, strict=True) if part > 0]
