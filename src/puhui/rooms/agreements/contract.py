"""The contract: what lender, funders and borrower agree, in plain words first, with the cost table's hash and the mandate as its annex."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from puhui.foundation.money import Money
from puhui.foundation.rates import YearRate
from puhui.rooms.agreements.cost_table import CostTable
from puhui.rooms.agreements.document import canonical, sha256
from puhui.vocabulary.ids import MandateId

MANDATE_AFTER_MATURITY = timedelta(days=180)

_METHODS = {
    "level_payment": ("等额本息", "equal installments"),
    "level_principal": ("等额本金", "equal principal"),
    "interest_first": ("先息后本", "interest first"),
    "bullet": ("一次还本付息", "all at the end"),
}


@dataclass(frozen=True, slots=True)
class Borrower:
    """The borrower as the contract shows him: enough for him to know himself, too little for anybody else."""

    name: str
    id_tail: str
    account: str
    bank_code: str
    account_tail: str


@dataclass(frozen=True, slots=True)
class MandateAnnex:
    """What the borrower lets us draw: at most so much each time, until that day (out), from that account."""

    mandate_id: MandateId
    account: str
    max_each_fen: int
    until: date


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, ready to be signed. `number` counts the versions drawn up for one loan."""

    table: CostTable
    borrower: Borrower
    mandate: MandateAnnex
    number: int
    cooling_off_days: int
    lender_may_step_in: bool

    def facts(self) -> dict[str, Any]:
        return {
            "kind": "contract",
            "number": self.number,
            "loan_id": self.table.terms.loan_id,
            "application_id": self.table.terms.application_id,
            "cost_table_sha256": self.table.sha256,
            "lender": self.table.lender,
            "funders": [
                {"partner_id": one.partner_id, "name": one.name, "share_ppm": one.share_ppm, "share_fen": one.share_fen}
                for one in self.table.funders
            ],
            "borrower": {"name": self.borrower.name, "id_tail": self.borrower.id_tail},
            "principal_fen": self.table.terms.principal_fen,
            "rate_ppm": self.table.terms.rate_ppm,
            "method": self.table.terms.method,
            "months": self.table.terms.months,
            "convention": self.table.terms.convention,
            "all_in_ppm": self.table.all_in_ppm,
            "cooling_off_days": self.cooling_off_days,
            "lender_may_step_in": self.lender_may_step_in,
            "mandate": {
                "mandate_id": self.mandate.mandate_id,
                "account": self.mandate.account,
                "bank_code": self.borrower.bank_code,
                "account_tail": self.borrower.account_tail,
                "max_each_fen": self.mandate.max_each_fen,
                "until": self.mandate.until.isoformat(),
            },
            "summary_zh": _summary_zh(self),
            "summary_en": _summary_en(self),
            "text_zh": _text_zh(self),
            "text_en": _text_en(self),
        }

    def document(self) -> bytes:
        return canonical(self.facts())

    @property
    def sha256(self) -> str:
        return sha256(self.document())


def annex_for(table: CostTable, mandate_id: MandateId, account: str) -> MandateAnnex:
    """Give the mandate that goes with a table: the largest installment each time, until maturity + 180 days."""
    return MandateAnnex(mandate_id, account, table.largest_installment_fen, table.maturity + MANDATE_AFTER_MATURITY)


def _words(contract: Contract) -> Mapping[str, str]:
    table, terms = contract.table, contract.table.terms
    method_zh, method_en = _METHODS[terms.method]
    return {
        "lender": table.lender,
        "name": contract.borrower.name,
        "id_tail": contract.borrower.id_tail,
        "amount": str(Money(terms.principal_fen)),
        "months": str(terms.months),
        "method_zh": method_zh,
        "method_en": method_en,
        "rate": _percent(terms.rate_ppm),
        "all_in": _percent(table.all_in_ppm),
        "simple": _percent(table.simple_ppm),
        "penalty": _percent(table.in_default[0].rate_ppm),
        "total": str(Money(table.total_fen)),
        "cost": str(Money(table.total_fen - terms.principal_fen)),
        "first_due": table.rows[0].due.isoformat(),
        "first_sum": str(Money(table.rows[0].total_fen)),
        "maturity": table.maturity.isoformat(),
        "funders_zh": "；".join(f"{one.name} {Money(one.share_fen)} 元（{_percent(one.share_ppm)}）" for one in table.funders),
        "funders_en": "; ".join(f"{one.name} {Money(one.share_fen)} yuan ({_percent(one.share_ppm)})" for one in table.funders),
        "bank": contract.borrower.bank_code,
        "tail": contract.borrower.account_tail,
        "max_each": str(Money(contract.mandate.max_each_fen)),
        "until": contract.mandate.until.isoformat(),
        "table_sha256": table.sha256,
        "basis": terms.convention,
        "cooling": str(contract.cooling_off_days),
    }


def _summary_zh(contract: Contract) -> str:
    return (
        "您借 {amount} 元，分 {months} 个月还（{method_zh}）。第一次还款日 {first_due}，还 {first_sum} 元；最后一次 {maturity}。"
        "按时还清一共还 {total} 元，其中费用 {cost} 元。综合融资成本年化 {all_in}（单利年化 {simple}）。"
        "钱由谁出：{funders_zh}。提前还款不收费用，利息只算到还款当天。放款后 {cooling} 天内可以退还借款，只付这几天的利息。"
    ).format_map(_words(contract))


def _summary_en(contract: Contract) -> str:
    return (
        "You borrow {amount} yuan and pay it back over {months} months ({method_en}). The first payment of {first_sum} yuan is due on "
        "{first_due}, the last on {maturity}. If you pay on time you pay {total} yuan in all, {cost} of it cost. The whole cost a year is "
        "{all_in} (simple: {simple}). Who lends: {funders_en}. Paying early is free, with interest to the day. You may give the loan back "
        "within {cooling} days of the pay-out and owe only the interest of those days."
    ).format_map(_words(contract))


def _text_zh(contract: Contract) -> str:
    clauses = [
        "一、贷款人：{lender}；共同出资：{funders_zh}。借款人：{name}（证件尾号 {id_tail}）。",
        "二、借款金额 {amount} 元，期限 {months} 个月，还款方式 {method_zh}，年利率 {rate}，计息方式 {basis}。利息自放款到账之日起算。",
        "三、全部费用以《综合融资成本明示表》为准（SHA-256：{table_sha256}）。表中没有的，任何一方都不得收取。",
        "四、逾期本金按年利率 {penalty} 计收罚息，代替合同利息，不计复利；还款当天算按时。",
        "五、您可以随时提前还款，不收费用，利息算到当天。放款前取消不收费；放款后 {cooling} 日内可退还本金并付清当日利息而解除合同。",
        "六、附件：代扣授权。授权贷款人从尾号 {tail} 的账户（{bank}）扣收到期款项，每次不超过 {max_each} 元，至 {until} 止。您可以随时关闭自动扣款。",
        "七、同一笔还款按出资比例分给各出资方，您只需对贷款人还款。贷款人对合作机构的催收行为负责。",
    ]
    if contract.lender_may_step_in:
        clauses.append("八、签署后放款前，如某出资方不能出资，贷款人可以自有资金补足该部分，其他条款、费用和您的还款都不改变。")
    return "\n".join(clauses).format_map(_words(contract))


def _text_en(contract: Contract) -> str:
    clauses = [
        "1. Lender: {lender}; lending together: {funders_en}. Borrower: {name} (document ending in {id_tail}).",
        "2. {amount} yuan for {months} months, {method_en}, {rate} a year, counted by {basis}. Interest runs from the day the money arrives.",
        "3. Every cost stands in the cost table (SHA-256 {table_sha256}). What is not in it, nobody may charge.",
        "4. Overdue principal bears {penalty} a year in place of the contract's interest, not compounded; paid on the due day is on time.",
        ("5. You may pay early at any time, free, with interest to the day. Free before the pay-out; within {cooling} days after it you may give the loan "
        "back with the interest to that day."),
        ("6. Annex, mandate: the lender may draw what is due from the account ending in {tail} ({bank}), at most {max_each} yuan each time, until "
        "{until}. You may switch collecting off at any time."),
        "7. Each payment is divided among those who lend by their shares; you pay the lender alone, who answers for how partners collect.",
    ]
    if contract.lender_may_step_in:
        clauses.append(
            "8. If after the signature and before the pay-out a funder cannot lend, the lender may take its part itself; nothing else changes."
        )
    return "\n".join(clauses).format_map(_words(contract))


def _percent(ppm: int) -> str:
    return str(YearRate(ppm))
