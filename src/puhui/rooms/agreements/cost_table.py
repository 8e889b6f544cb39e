"""The cost table (综合融资成本明示表): every charge of every payee, annualized, before anybody signs.

Built after the shares are held, so it names the funders. What is not in it is never charged: `allows` is what the ledger asks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from puhui.engines import schedules
from puhui.foundation.rates import PPM, YearRate
from puhui.foundation.refusals import Refusal
from puhui.rooms.agreements.document import canonical, sha256
from puhui.vocabulary.ids import ApplicationId, LoanId, PartnerId


class CostOverCap(Refusal):
    """The whole cost of {all_in_ppm} ppm a year is over the cap of {cap_ppm} ppm; this loan cannot be offered (pack {pack})."""

    code = "agreements.cost-over-cap"
    zh = "这笔借款的综合成本超过了规定的上限，不能办理。"


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee of some payee beside the interest. Due with the pay-out if `due` is its day; `code` is what the ledger books it by."""

    code: str
    payee: str
    what_zh: str
    method_zh: str
    standard_zh: str
    due: date
    amount_fen: int


@dataclass(frozen=True, slots=True)
class FunderLine:
    """A funder of the loan and its part of it; the lender is one of them."""

    partner_id: PartnerId
    name: str
    share_ppm: int
    share_fen: int


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """What was accepted. `paid_out_on` is the day on which the money is expected, the first day of the loan; `product` is pinned by its hash."""

    loan_id: LoanId
    application_id: ApplicationId
    principal_fen: int
    rate_ppm: int
    method: str
    months: int
    convention: str
    paid_out_on: date
    product: str
    product_sha256: str


@dataclass(frozen=True, slots=True)
class CostRow:
    """An installment as the borrower pays it; `fees_fen` are the charges due that day."""

    number: int
    due: date
    principal_fen: int
    interest_fen: int
    fees_fen: int

    @property
    def total_fen(self) -> int:
        return self.principal_fen + self.interest_fen + self.fees_fen


@dataclass(frozen=True, slots=True)
class CostItem:
    """One line of cost: who gets it, for what, how and by what standard, and what it alone costs a year. `amount_fen` is the sum over the loan."""

    code: str
    payee: str
    what_zh: str
    method_zh: str
    standard_zh: str
    amount_fen: int
    annual_ppm: int


@dataclass(frozen=True, slots=True)
class DefaultItem:
    """A cost that arises only when the borrower breaks the contract."""

    code: str
    payee: str
    what_zh: str
    method_zh: str
    standard_zh: str
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class CostTable:
    """The whole cost of one loan. Two figures a year: `all_in_ppm` (compound, actual days / 365) and `simple_ppm`, shown with the word."""

    terms: LoanTerms
    lender: str
    funders: tuple[FunderLine, ...]
    rows: tuple[CostRow, ...]
    items: tuple[CostItem, ...]
    in_default: tuple[DefaultItem, ...]
    charges: tuple[Charge, ...]
    all_in_ppm: int
    simple_ppm: int
    reading_time_s: int
    packs: tuple[tuple[str, str], ...]
    convention_sha256: str

    @property
    def total_fen(self) -> int:
        """All that the borrower pays if he pays on time, fees taken with the pay-out included."""
        return sum(row.total_fen for row in self.rows) + self.taken_at_once_fen

    @property
    def taken_at_once_fen(self) -> int:
        """Charges due on the day of the pay-out."""
        return sum(charge.amount_fen for charge in self.charges if charge.due <= self.terms.paid_out_on)

    @property
    def largest_installment_fen(self) -> int:
        return max(row.total_fen for row in self.rows)

    @property
    def maturity(self) -> date:
        return self.rows[-1].due

    def allows(self, code: str) -> bool:
        """Say whether a charge of this code stands in the table; nothing else may ever be charged."""
        return code in {item.code for item in self.items} | {item.code for item in self.in_default}

    def facts(self) -> dict[str, Any]:
        """Give the table as a page shows it and as its hash is taken from."""
        return {
            "kind": "cost-table",
            "title_zh": "个人贷款综合融资成本明示表",
            "loan_id": self.terms.loan_id,
            "application_id": self.terms.application_id,
            "lender": self.lender,
            "principal_fen": self.terms.principal_fen,
            "rate_ppm": self.terms.rate_ppm,
            "method": self.terms.method,
            "months": self.terms.months,
            "convention": self.terms.convention,
            "convention_sha256": self.convention_sha256,
            "product": self.terms.product,
            "product_sha256": self.terms.product_sha256,
            "paid_out_on": self.terms.paid_out_on.isoformat(),
            "maturity": self.maturity.isoformat(),
            "funders": [
                {"partner_id": one.partner_id, "name": one.name, "share_ppm": one.share_ppm, "share_fen": one.share_fen} for one in self.funders
            ],
            "rows": [_row_facts(row) for row in self.rows],
            "items": [_item_facts(item) | {"amount_fen": item.amount_fen, "annual_ppm": item.annual_ppm} for item in self.items],
            "charges": [_charge_facts(charge) for charge in self.charges],
            "in_default": [_item_facts(item) | {"rate_ppm": item.rate_ppm} for item in self.in_default],
            "total_fen": self.total_fen,
            "cost_fen": self.total_fen - self.terms.principal_fen,
            "all_in_ppm": self.all_in_ppm,
            "simple_ppm": self.simple_ppm,
            "nothing_else": True,
            "nothing_else_zh": "除本表所列各项外，不再向您收取任何其他费用。",
            "reading_time_s": self.reading_time_s,
            "packs": [{"id": pack, "version": version} for pack, version in self.packs],
        }

    def document(self) -> bytes:
        return canonical(self.facts())

    @property
    def sha256(self) -> str:
        return sha256(self.document())


@dataclass(frozen=True, slots=True)
class CostRules:
    """What the packs in force on the signing day say, with their ids and versions."""

    all_in_cap_ppm: int
    reading_time_s: int
    packs: tuple[tuple[str, str], ...]


def build_table(
    terms: LoanTerms, *, lender: str, funders: Sequence[FunderLine], charges: Sequence[Charge], rules: CostRules
) -> CostTable:
    """Build the table of a loan from its terms, its funders and every charge of every payee.

    Raises: CostOverCap (over the cap of the day, measured on the rounded flows of all payees).
    """
    assert sum(one.share_ppm for one in funders) == PPM, funders
    assert sum(one.share_fen for one in funders) == terms.principal_fen, funders
    convention = schedules.convention(terms.convention)
    method = schedules.Method(terms.method)
    planned = schedules.plan(convention, schedules.Terms(terms.principal_fen, terms.rate_ppm, terms.months, method), terms.paid_out_on)
    fees = _fees_by_row([row.due for row in planned], charges, terms.paid_out_on)
    rows = tuple(
        CostRow(row.number, row.due, row.principal_fen, row.interest_fen, fee) for row, fee in zip(planned, fees, strict=True)
    )
    at_once = sum(charge.amount_fen for charge in charges if charge.due <= terms.paid_out_on)
    net = terms.principal_fen - at_once
    all_in = _all_in(net, terms.paid_out_on, tuple((row.due, row.total_fen) for row in rows))
    if all_in > rules.all_in_cap_ppm:
        raise CostOverCap(all_in_ppm=all_in, cap_ppm=rules.all_in_cap_ppm, pack="cn.all-in-cap")
    table = CostTable(
        terms=terms,
        lender=lender,
        funders=tuple(funders),
        rows=rows,
        items=(_interest_item(terms, funders, rows), *(_charge_item(terms, charge, charges, rows) for charge in _once_each(charges))),
        in_default=(_penalty_item(terms, lender, convention),),
        charges=tuple(charges),
        all_in_ppm=all_in,
        simple_ppm=schedules.simple_ppm(net, [row.total_fen for row in rows]),
        reading_time_s=rules.reading_time_s,
        packs=rules.packs,
        convention_sha256=convention.sha256,
    )
    assert sum(row.principal_fen for row in rows) == terms.principal_fen, "the rows pay back the principal"
    assert table.total_fen - terms.principal_fen == sum(item.amount_fen for item in table.items), "every cost has its line"
    return table


@lru_cache(maxsize=4096)
def _all_in(net_fen: int, paid_on: date, flows: tuple[tuple[date, int], ...]) -> int:
    """Remember what the same flows cost a year: a quote, its table and its interest line ask for the same figure."""
    return schedules.all_in_ppm(net_fen, paid_on, flows)


def _interest_item(terms: LoanTerms, funders: Sequence[FunderLine], rows: Sequence[CostRow]) -> CostItem:
    return CostItem(
        code="interest",
        payee="、".join(one.name for one in funders),
        what_zh="利息",
        method_zh="按期随还款收取",
        standard_zh=f"年利率 {YearRate(terms.rate_ppm)}",
        amount_fen=sum(row.interest_fen for row in rows),
        annual_ppm=_all_in(terms.principal_fen, terms.paid_out_on, tuple((row.due, row.principal_fen + row.interest_fen) for row in rows)),
    )


def _charge_item(terms: LoanTerms, charge: Charge, charges: Sequence[Charge], rows: Sequence[CostRow]) -> CostItem:
    """Give the line of a fee, with what it alone would cost a year beside the bare principal."""
    same = [one for one in charges if (one.code, one.payee) == (charge.code, charge.payee)]
    at_once = sum(one.amount_fen for one in same if one.due <= terms.paid_out_on)
    fees = _fees_by_row([row.due for row in rows], same, terms.paid_out_on)
    flows = tuple((row.due, row.principal_fen + fee) for row, fee in zip(rows, fees, strict=True))
    return CostItem(
        code=charge.code,
        payee=charge.payee,
        what_zh=charge.what_zh,
        method_zh=charge.method_zh,
        standard_zh=charge.standard_zh,
        amount_fen=sum(one.amount_fen for one in same),
        annual_ppm=_all_in(terms.principal_fen - at_once, terms.paid_out_on, flows),
    )


def _penalty_item(terms: LoanTerms, lender: str, convention: schedules.Convention) -> DefaultItem:
    times, over = convention.penalty_multiple
    return DefaultItem(
        code="penalty",
        payee=lender,
        what_zh="逾期罚息",
        method_zh="只对逾期本金，自应还日次日起按日计收，代替该部分本金的合同利息；不计复利",
        standard_zh=f"合同年利率的 {Decimal(times) / Decimal(over)} 倍",
        rate_ppm=terms.rate_ppm * times // over,
    )


def _fees_by_row(due_days: Sequence[date], charges: Sequence[Charge], paid_out_on: date) -> list[int]:
    """Lay each charge into the row whose period holds its day; those of the pay-out day are taken at once and stand in none."""
    fees = [0] * len(due_days)
    for charge in charges:
        if charge.due > paid_out_on:
            assert charge.due <= due_days[-1], "no charge may fall after the last installment"
            fees[next(k for k, due in enumerate(due_days) if charge.due <= due)] += charge.amount_fen
    return fees


def _once_each(charges: Sequence[Charge]) -> list[Charge]:
    first: dict[tuple[str, str], Charge] = {}
    for charge in charges:
        first.setdefault((charge.code, charge.payee), charge)
    return list(first.values())


def read_table(document: bytes) -> CostTable:
    """Read a table back from its bytes: the same facts, the same hash."""
    facts = json.loads(document)
    table = CostTable(
        terms=LoanTerms(
            loan_id=LoanId(facts["loan_id"]),
            application_id=ApplicationId(facts["application_id"]),
            principal_fen=facts["principal_fen"],
            rate_ppm=facts["rate_ppm"],
            method=facts["method"],
            months=facts["months"],
            convention=facts["convention"],
            paid_out_on=date.fromisoformat(facts["paid_out_on"]),
            product=facts["product"],
            product_sha256=facts["product_sha256"],
        ),
        lender=facts["lender"],
        funders=tuple(FunderLine(**one) for one in facts["funders"]),
        rows=tuple(
            CostRow(one["number"], date.fromisoformat(one["due"]), one["principal_fen"], one["interest_fen"], one["fees_fen"])
            for one in facts["rows"]
        ),
        items=tuple(CostItem(**one) for one in facts["items"]),
        in_default=tuple(DefaultItem(**one) for one in facts["in_default"]),
        charges=tuple(Charge(**(one | {"due": date.fromisoformat(one["due"])})) for one in facts["charges"]),
        all_in_ppm=facts["all_in_ppm"],
        simple_ppm=facts["simple_ppm"],
        reading_time_s=facts["reading_time_s"],
        packs=tuple((one["id"], one["version"]) for one in facts["packs"]),
        convention_sha256=facts["convention_sha256"],
    )
    assert table.document() == document, "a cost table does not read back as it was written"
    return table


def _charge_facts(charge: Charge) -> Mapping[str, Any]:
    return {
        "code": charge.code,
        "payee": charge.payee,
        "what_zh": charge.what_zh,
        "method_zh": charge.method_zh,
        "standard_zh": charge.standard_zh,
        "due": charge.due.isoformat(),
        "amount_fen": charge.amount_fen,
    }


def _row_facts(row: CostRow) -> Mapping[str, Any]:
    return {
        "number": row.number,
        "due": row.due.isoformat(),
        "principal_fen": row.principal_fen,
        "interest_fen": row.interest_fen,
        "fees_fen": row.fees_fen,
        "total_fen": row.total_fen,
    }


def _item_facts(item: CostItem | DefaultItem) -> dict[str, Any]:
    return {
        "code": item.code,
        "payee": item.payee,
        "what_zh": item.what_zh,
        "method_zh": item.method_zh,
        "standard_zh": item.standard_zh,
    }
