"""What is measured of an application and of the bureau's report as it stands, beside the variables over events: each with its papers.

A report tells a state (what is owed, the worst month, how old the file is), an application a wish; neither is a window over events. Income is an
estimate from variables. Policy, limit and ladder read some of these by name. Units: fen, count, days, months, ppm.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from puhui.engines.variables.sources import lateness_of
from puhui.rooms.decisions.candidates import Paper
from puhui.rooms.decisions.known import DAY_US, Asked, BureauAccount, BureauReport, Missing, Value

PPM = 1_000_000
MONTH_DAYS = 30
CONTRIBUTIONS_MIN = 3
CONTRIBUTION_PPM = 105_000  # what an employee pays of his wage: pension 8 %, medical 2 %, unemployment 0.5 % (社会保险法; rates by place: verify)
STUDENT_AGE_MAX = 30

WAGES, RECEIVED, SOLD = "bank_flow.amount.sum.180d[kind=wage]", "wallet.amount.sum.180d[kind=receive]", "farm.amount.sum.360d[kind=sale]"
CONTRIBUTED, CONTRIBUTIONS = "social_insurance.amount.sum.180d[kind=contribution]", "social_insurance.count.180d[kind=contribution]"
ON_CAMPUS, ENROLLED = "telco.count.180d[plan=campus]", "social_insurance.count.720d[kind=enrolled]"
READ = (WAGES, RECEIVED, SOLD, CONTRIBUTED, CONTRIBUTIONS, ON_CAMPUS, ENROLLED)
"""The variables that measures stand on; every vector has them."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What measures read: the instant, the wish, the report (None: a white file) and the variables."""

    at_us: int
    asked: Asked
    report: BureauReport | None
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure, its papers, and how it is read."""

    paper: Paper
    read: Callable[[Ground], Value]


def work_of(age: int, values: Mapping[str, Value]) -> str:
    """Say what the sources tell of a person's work, as far as policy must know it: "student", or "" where nothing says so.

    A campus tariff of the telephone, or an enrolment known to the social insurance, makes a student of whoever is young enough to be one.
    """
    seen = any(isinstance(count := values[name], int) and count for name in (ON_CAMPUS, ENROLLED))
    return "student" if seen and age < STUDENT_AGE_MAX else ""


def monthly_income_fen(values: Mapping[str, Value]) -> Value:
    """Estimate what comes in a month, mean of 180 days (farm: 360): the largest of what the bank shows, the farm sells, and contributions imply.

    Receipts in a wallet alone are no income: whoever shows nothing else is missing, and is asked for proof.
    """
    found = []
    if (wages := _sum(values, WAGES)) is not None:
        found.append((wages + (_sum(values, RECEIVED) or 0)) * MONTH_DAYS // 180)
    if (sold := _sum(values, SOLD)) is not None:
        found.append(sold * MONTH_DAYS // 360)
    paid, times = _sum(values, CONTRIBUTED), _sum(values, CONTRIBUTIONS) or 0
    if paid is not None and times >= CONTRIBUTIONS_MIN:
        found.append(paid * PPM // (times * CONTRIBUTION_PPM))
    return max(found) if found else Missing.NO_RECORD


def _sum(values: Mapping[str, Value], name: str) -> int | None:
    """Give a sum or count; None where the source is not there. Rows that tell no amount add nothing."""
    value = values[name]
    match value:
        case Missing.NOT_FETCHED | Missing.NO_RECORD:
            return None
        case Missing():
            return 0
        case _:
            return value


def debt_service_fen(report: BureauReport | None) -> int:
    """Estimate the monthly installments elsewhere: a tenth of card balances, a twelfth of other balances."""
    if report is None:
        return 0
    return sum(account.balance_fen // (10 if account.kind in {"R2", "R1"} else 12) for account in _open(report))


def _open(report: BureauReport) -> list[BureauAccount]:
    return [account for account in report.accounts if account.closed is None]


def _age_days(at_us: int, account: BureauAccount) -> int:
    return int((at_us + 8 * 3_600_000_000) // DAY_US) - (account.opened.toordinal() - 719_163)


def _of_report(name: str, zh: str, en: str, unit: str, sign: int, reason: str, ask: Callable[[int, BureauReport], Value]) -> Measure:
    """Make a measure of the report: `NO_RECORD` for a white file."""
    paper = Paper(f"bureau.{name}", zh, en, unit, sign, reason, "bureau", "no bureau file (white), or no account to read it from")
    return Measure(paper, lambda ground: Missing.NO_RECORD if ground.report is None else ask(ground.at_us, ground.report))


def _of_accounts(name: str, zh: str, en: str, unit: str, sign: int, reason: str, ask: Callable[[int, Iterable[BureauAccount]], int]) -> Measure:
    """Make a measure of a file's accounts: `NO_EVENT` for a file without accounts."""
    return _of_report(name, zh, en, unit, sign, reason, lambda at, report: ask(at, report.accounts) if report.accounts else Missing.NO_EVENT)


def _inquiries(days: int) -> Measure:
    def ask(at: int, report: BureauReport) -> Value:
        return sum(at - days * DAY_US <= one.at_us < at for one in report.queries if one.reason == "loan_application")

    zh, en = f"近{days}天贷款审批查询次数", f"loan-application inquiries in the last {days} days"
    return _of_report(f"count.{days}d[kind=inquiry&reason=loan_application]", zh, en, "count", 1, "asked-often", ask)


def _worst(months: int) -> Measure:
    def ask(_: int, accounts: Iterable[BureauAccount]) -> int:
        return max((lateness_of(status) for account in accounts for status in account.statuses[-months:]), default=0)

    return _of_accounts(f"worst.{months}m", f"近{months}个月最坏还款状态", f"worst status in {months} months", "count", 1, "past-lateness", ask)


def _used(report: BureauReport) -> Value:
    cards = [account for account in _open(report) if account.kind in {"R1", "R2"} and account.credit_fen]
    limit = sum(account.credit_fen for account in cards)
    return sum(account.balance_fen for account in cards) * PPM // limit if limit else Missing.NO_EVENT


def _bureau() -> tuple[Measure, ...]:
    late, debt, length = "past-lateness", "other-debt", "file-length"
    return (
        *(_inquiries(days) for days in (30, 90, 180, 360)),
        *(_worst(months) for months in (12, 24, 60)),
        _of_report("count.ever[kind=account]", "征信账户总数", "accounts in all", "count", 0, length, lambda _, r: len(r.accounts)),
        _of_report("count.open[kind=account]", "未结清账户数", "open accounts", "count", 1, debt, lambda _, r: len(_open(r))),
        _of_report("count.open[lender_kind=micro_loan]", "未结清小贷账户数", "open micro-loan accounts", "count", 1, debt,
                   lambda _, r: sum(account.lender_kind in {"micro_loan", "other"} for account in _open(r))),
        _of_report("balance.sum", "未结清余额合计", "balance of all open accounts", "fen", 1, debt, lambda _, r: sum(a.balance_fen for a in _open(r))),
        _of_report("credit.sum", "授信总额", "credit of all open accounts", "fen", 0, debt, lambda _, r: sum(a.credit_fen for a in _open(r))),
        _of_report("used_share", "循环额度使用率", "share of revolving credit in use", "ppm", 1, debt, lambda _, r: _used(r)),
        _of_report("overdue.sum", "当前逾期金额", "overdue now", "fen", 1, late, lambda _, r: sum(a.overdue_fen for a in r.accounts)),
        _of_accounts("age.max", "最早账户年龄", "age of the oldest account", "days", -1, length, lambda at, a: max(_age_days(at, x) for x in a)),
        _of_accounts("age.min", "最新账户年龄", "age of the newest account", "days", -1, length, lambda at, a: min(_age_days(at, x) for x in a)),
        _of_accounts("settled", "已结清账户数", "accounts settled", "count", -1, length, lambda _, a: sum(x.closed is not None for x in a)),
        _of_accounts("clean_months", "按时还款总月数", "account-months paid on time", "months", -1, length, lambda _, a: sum(x.statuses.count("N") for x in a)),
    )  # fmt: skip


def _application() -> tuple[Measure, ...]:
    def to_income(part: Callable[[Ground], int]) -> Callable[[Ground], Value]:
        def read(ground: Ground) -> Value:
            income = monthly_income_fen(ground.values)
            if isinstance(income, Missing):
                return income
            return part(ground) * PPM // income if income else Missing.UNDEFINED

        return read

    def made(name: str, zh: str, en: str, unit: str, sign: int, reason: str, read: Callable[[Ground], Value], *, is_protected: bool = False) -> Measure:
        missing = "no source of income was fetched or knows the person" if unit == "ppm" or name == "income" else "never missing"
        return Measure(Paper(f"application.{name}", zh, en, unit, sign, reason, "application", missing, is_protected), read)

    return (
        made("amount", "申请金额", "amount asked for", "fen", 1, "amount-asked", lambda g: g.asked.amount_fen),
        made("months", "申请期数", "months asked for", "months", 0, "amount-asked", lambda g: g.asked.months),
        made("age", "年龄", "age", "years", 0, "age", lambda g: g.asked.age, is_protected=True),
        made("debt_service", "他行月供", "estimated installments elsewhere", "fen", 1, "other-debt", lambda g: debt_service_fen(g.report)),
        made("income", "估算月收入", "estimated monthly income", "fen", -1, "income", lambda g: monthly_income_fen(g.values)),
        made("amount_to_income", "申请金额与月收入之比", "amount over monthly income", "ppm", 1, "amount-asked", to_income(lambda g: g.asked.amount_fen)),
        made("installment_to_income", "月供与月收入之比", "installment over monthly income", "ppm", 1, "amount-asked",
             to_income(lambda g: g.asked.amount_fen // g.asked.months)),
        made("debt_to_income", "他行月供与月收入之比", "other installments over monthly income", "ppm", 1, "other-debt",
             to_income(lambda g: debt_service_fen(g.report))),
    )  # fmt: skip


MEASURES = (*_bureau(), *_application())
