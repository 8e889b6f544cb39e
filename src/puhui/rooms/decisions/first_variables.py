"""The first set of variables: whole numbers read from what is visible at A, each with its papers.

Names follow the grammar of derived variables (`wallet.count.90d[kind=pay]`). Units: fen, count, days, months, ppm. A window of N days
holds events of [A - N x 24 h, A). A missing value is a `Missing`, never a zero: sums and counts are zero only where the source knows the person.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from puhui.rooms.decisions.known import DAY_US, BureauAccount, BureauReport, Known, Missing, Seen, SeenSource, Value, look

PPM = 1_000_000
MONTH_DAYS = 30
CONTRIBUTIONS_MIN = 3
CONTRIBUTION_PPM = 105_000  # what an employee pays of his wage: pension 8 %, medical 2 %, unemployment 0.5 % (社会保险法; rates by place: verify)
SOURCE_WORDS = {
    "telco": ("手机通信", "telephone"),
    "utility": ("水电燃气", "utility"),
    "shopping": ("网购", "shopping"),
    "wallet": ("电子钱包", "e-wallet"),
    "bank_flow": ("银行流水", "bank"),
    "social_insurance": ("社保", "social insurance"),
    "device": ("设备", "device"),
    "farm": ("养殖", "farm"),
    "bureau": ("征信", "bureau"),
    "application": ("申请", "application"),
}
KIND_WORDS = {
    "": ("事件", "events"),
    "top_up": ("充值", "top-ups"),
    "bill": ("账单", "bills"),
    "overdue_bill": ("欠费账单", "overdue bills"),
    "number_change": ("换号", "number changes"),
    "call_digest": ("通话摘要", "call digests"),
    "paid_late": ("迟缴", "late payments"),
    "order": ("订单", "orders"),
    "refund": ("退款", "refunds"),
    "cash_on_delivery": ("货到付款", "cash-on-delivery orders"),
    "pay": ("付款", "payments"),
    "receive": ("收款", "receipts"),
    "transfer": ("转账", "transfers"),
    "wage": ("工资", "wages"),
    "withdrawal": ("取现", "withdrawals"),
    "failed_debit": ("扣款失败", "failed debits"),
    "contribution": ("缴费", "contributions"),
    "gap": ("断缴", "gaps"),
    "app_open": ("打开应用", "app openings"),
    "install": ("安装应用", "installs"),
    "new_device": ("更换设备", "new devices"),
    "location_cell": ("位置", "location cells"),
    "placement": ("进雏", "placements"),
    "feed": ("饲料", "feed purchases"),
    "death": ("死亡", "deaths"),
    "sale": ("出栏", "sales"),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and its papers. `sign`: does a larger value mean more risk (+1), less (-1), or is it free (0); set by us, never by a correlation.

    `reason` is the code of the sentence that tells it (`vocabulary.reasons`); `is_protected` keeps it out of every score.
    """

    name: str
    zh: str
    en: str
    whom: str
    unit: str
    window_days: int | None
    missing: str
    sign: int
    reason: str
    source: str
    read: Callable[[Seen], Value]
    is_protected: bool = False


@dataclass(frozen=True, slots=True)
class Vector:
    """The values of all variables at one instant, in the order of `names()`."""

    values: tuple[Value, ...]

    def of(self, name: str) -> Value:
        return self.values[_places()[name]]

    def as_mapping(self) -> dict[str, Value]:
        return dict(zip(names(), self.values, strict=True))


def compute(known: Known) -> Vector:
    """Give every variable of the first set as of `known.at_us`."""
    seen = look(known)
    return Vector(tuple(variable.read(seen) for variable in all_variables()))


@cache
def all_variables() -> tuple[Variable, ...]:
    """Give the set, in its fixed order."""
    found = (*_telco(), *_utility(), *_shopping(), *_wallet(), *_bank_flow(), *_social(), *_device(), *_farm(), *_bureau(), *_application())
    assert len({variable.name for variable in found}) == len(found), "a name stands twice"
    return found


@cache
def names() -> tuple[str, ...]:
    return tuple(variable.name for variable in all_variables())


@cache
def variable(name: str) -> Variable:
    """Give a variable by name. Raises KeyError."""
    return all_variables()[_places()[name]]


@cache
def set_sha256() -> str:
    """Name this set: SHA-256 over every variable's papers, in order."""
    papers = "\n".join(f"{v.name}|{v.unit}|{v.window_days}|{v.sign}|{v.reason}|{v.is_protected}" for v in all_variables())
    return hashlib.sha256(papers.encode()).hexdigest()


@cache
def _places() -> dict[str, int]:
    return {name: place for place, name in enumerate(names())}


# -- forms ---------------------------------------------------------------------------------------------------------------


def _words(source: str, kind: str, days: int | None, zh: str, en: str) -> tuple[str, str]:
    window_zh, window_en = (f"近{days}天", f" in the last {days} days") if days else ("", "")
    return f"{window_zh}{SOURCE_WORDS[source][0]}{KIND_WORDS[kind][0]}{zh}", f"{en} of {SOURCE_WORDS[source][1]} {KIND_WORDS[kind][1]}{window_en}"


def _over(
    source: str, form: str, kind: str, days: int | None, unit: str, words: tuple[str, str], sign: int, reason: str, ask: Callable[[Seen, SeenSource], Value]
) -> Variable:
    """Make a variable over one source: missing where the source was not fetched or has no record of the person."""

    def read(seen: Seen) -> Value:
        at = seen.sources[source]
        return at if isinstance(at, Missing) else ask(seen, at)

    name = f"{source}.{form}" + (f"[kind={kind}]" if kind else "")
    zh, en = _words(source, kind, days, *words)
    return Variable(name, zh, en, "applicant", unit, days, "not fetched, no record, or no event to read it from", sign, reason, source, read)


def _count(source: str, kind: str, days: int, sign: int, reason: str) -> Variable:
    return _over(
        source, f"count.{days}d", kind, days, "count", ("次数", "count"), sign, reason, lambda seen, at: at.lane(kind).count(seen.start(days))
    )


def _sum(source: str, kind: str, days: int, sign: int, reason: str) -> Variable:
    return _over(
        source, f"amount.sum.{days}d", kind, days, "fen", ("金额合计", "sum"), sign, reason, lambda seen, at: at.lane(kind).total(seen.start(days))
    )


def _mean(source: str, kind: str, days: int, sign: int, reason: str) -> Variable:
    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        n = lane.count(seen.start(days))
        return lane.total(seen.start(days)) // n if n else Missing.NO_EVENT

    return _over(source, f"amount.mean.{days}d", kind, days, "fen", ("金额平均", "mean"), sign, reason, ask)


def _spread(source: str, kind: str, days: int, sign: int, reason: str) -> Variable:
    """Mean absolute deviation over the mean, ppm: how uneven the amounts are."""

    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        amounts = lane.amounts[lane.since(seen.start(days)) :]
        if len(amounts) < 2:
            return Missing.NO_EVENT
        total, n = sum(amounts), len(amounts)
        if not total:
            return Missing.UNDEFINED
        return sum(abs(amount * n - total) for amount in amounts) * PPM // (n * total)

    return _over(source, f"amount.spread.{days}d", kind, days, "ppm", ("金额波动", "spread"), sign, reason, ask)


def _recency(source: str, kind: str, sign: int, reason: str) -> Variable:
    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        return (seen.at_us - lane.at_us[-1]) // DAY_US if lane.at_us else Missing.NO_EVENT

    return _over(source, "recency", kind, None, "days", ("距今天数", "days since the newest"), sign, reason, ask)


def _tenure(source: str, sign: int, reason: str) -> Variable:
    def ask(seen: Seen, at: SeenSource) -> Value:
        return (seen.at_us - at.lane("").at_us[0]) // DAY_US

    return _over(source, "tenure", "", None, "days", ("最早距今天数", "days since the oldest"), sign, reason, ask)


def _months(source: str, kind: str, months: int, sign: int, reason: str) -> Variable:
    """In how many of the last N stretches of 30 days there was such an event."""

    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        start = seen.start(months * MONTH_DAYS)
        return len({(moment - start) // (MONTH_DAYS * DAY_US) for moment in lane.at_us[lane.since(start) :]})

    return _over(source, f"months.{months * MONTH_DAYS}d", kind, months * MONTH_DAYS, "months", ("有发生的月数", "months with any"), sign, reason, ask)


def _gap_max(source: str, kind: str, days: int, sign: int, reason: str) -> Variable:
    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        moments = lane.at_us[lane.since(seen.start(days)) :]
        return max(b - a for a, b in pairwise(moments)) // DAY_US if len(moments) > 1 else Missing.NO_EVENT

    return _over(source, f"gap.max.{days}d", kind, days, "days", ("最长间隔", "longest gap"), sign, reason, ask)


def _share(source: str, kind: str, whole: str, days: int, sign: int, reason: str, *, amounts: bool = False) -> Variable:
    """This kind as a share of another kind of the same window, ppm."""

    def ask(seen: Seen, at: SeenSource) -> Value:
        start = seen.start(days)
        part = at.lane(kind).total(start) if amounts else at.lane(kind).count(start)
        below = at.lane(whole).total(start) if amounts else at.lane(whole).count(start)
        return part * PPM // below if below else Missing.NO_EVENT

    form = f"{'amount' if amounts else 'count'}.share_of_{whole or 'all'}.{days}d"
    return _over(source, form, kind, days, "ppm", (f"占{KIND_WORDS[whole][0]}比例", f"share, against {KIND_WORDS[whole][1]},"), sign, reason, ask)


def _trend(source: str, kind: str, near: int, far: int, sign: int, reason: str, *, amounts: bool) -> Variable:
    """The near window against the far one, per day, ppm: 1,000,000 is level."""

    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        part = lane.total(seen.start(near)) if amounts else lane.count(seen.start(near))
        below = lane.total(seen.start(far)) if amounts else lane.count(seen.start(far))
        return part * far * PPM // (below * near) if below else Missing.NO_EVENT

    form = f"{'amount.sum' if amounts else 'count'}.{near}d/{far}d"
    return _over(source, form, kind, far, "ppm", (f"近{near}天相对变化", f"the last {near} days against the window,"), sign, reason, ask)


def _night(source: str, kind: str, days: int, sign: int, reason: str) -> Variable:
    """Share of events between midnight and 05:00 on a wall clock in China, ppm."""

    def ask(seen: Seen, at: SeenSource) -> Value:
        lane = at.lane(kind)
        moments = lane.at_us[lane.since(seen.start(days)) :]
        night = sum((moment // 3_600_000_000 + 8) % 24 < 5 for moment in moments)
        return night * PPM // len(moments) if moments else Missing.NO_EVENT

    return _over(source, f"night_share.{days}d", kind, days, "ppm", ("深夜占比", "night share"), sign, reason, ask)


def _balance(form: str, days: int, of: Callable[[list[int]], int]) -> Variable:
    """The account's balance as the bank's rows of the window show it."""

    def ask(seen: Seen, at: SeenSource) -> Value:
        start = seen.start(days)
        found = [row.data["balance_fen"] for row in at.rows if row.at_us >= start and type(row.data.get("balance_fen")) is int]
        return of(found) if found else Missing.NO_EVENT

    words = {"mean": ("平均余额", "mean balance"), "min": ("最低余额", "lowest balance")}[form]
    return _over("bank_flow", f"balance.{form}.{days}d", "", days, "fen", words, -1, "income", ask)


def _distinct(source: str, kind: str, column: str, days: int, words: tuple[str, str], sign: int, reason: str) -> Variable:
    def ask(seen: Seen, at: SeenSource) -> Value:
        start = seen.start(days)
        return len({row.data[column] for row in at.rows if row.at_us >= start and row.kind == kind and isinstance(row.data.get(column), str)})

    return _over(source, f"distinct.{column}.{days}d", kind, days, "count", words, sign, reason, ask)


# -- the sources ---------------------------------------------------------------------------------------------------------


def _telco() -> Sequence[Variable]:
    s, bills, steady = "telco", "late-bills", "phone-history"
    return (
        _tenure(s, -1, steady),
        _count(s, "top_up", 90, 0, steady),
        _count(s, "top_up", 360, 0, steady),
        _sum(s, "top_up", 180, 0, steady),
        _mean(s, "top_up", 360, -1, steady),
        _gap_max(s, "top_up", 180, 1, steady),
        _count(s, "bill", 180, -1, steady),
        _mean(s, "bill", 180, 0, steady),
        _count(s, "overdue_bill", 90, 1, bills),
        _count(s, "overdue_bill", 180, 1, bills),
        _count(s, "overdue_bill", 360, 1, bills),
        _count(s, "overdue_bill", 720, 1, bills),
        _share(s, "overdue_bill", "bill", 720, 1, bills),
        _recency(s, "overdue_bill", -1, bills),
        _count(s, "number_change", 720, 1, steady),
        _count(s, "call_digest", 90, -1, steady),
        _count(s, "call_digest", 360, -1, steady),
    )


def _utility() -> Sequence[Variable]:
    s, late = "utility", "late-bills"
    return (
        _tenure(s, -1, "phone-history"),
        _count(s, "bill", 360, -1, late),
        _mean(s, "bill", 360, 0, late),
        _count(s, "paid_late", 90, 1, late),
        _count(s, "paid_late", 180, 1, late),
        _count(s, "paid_late", 360, 1, late),
        _count(s, "paid_late", 720, 1, late),
        _share(s, "paid_late", "bill", 720, 1, late),
        _recency(s, "paid_late", -1, late),
    )


def _shopping() -> Sequence[Variable]:
    s, r = "shopping", "spending"
    return (
        _tenure(s, -1, r),
        _count(s, "order", 90, 0, r),
        _count(s, "order", 360, 0, r),
        _sum(s, "order", 90, 0, r),
        _sum(s, "order", 360, -1, r),
        _mean(s, "order", 360, -1, r),
        _spread(s, "order", 360, 0, r),
        _trend(s, "order", 90, 360, 0, r, amounts=True),
        _count(s, "refund", 360, 1, r),
        _share(s, "refund", "order", 720, 1, r),
        _count(s, "cash_on_delivery", 360, 1, r),
        _share(s, "cash_on_delivery", "order", 720, 1, r),
    )


def _wallet() -> Sequence[Variable]:
    s, r, income = "wallet", "spending", "income"
    return (
        _tenure(s, -1, r),
        _count(s, "pay", 30, 0, r),
        _count(s, "pay", 180, 0, r),
        _sum(s, "pay", 90, 0, r),
        _sum(s, "pay", 360, -1, r),
        _mean(s, "pay", 180, -1, r),
        _trend(s, "pay", 30, 180, 0, r, amounts=True),
        _night(s, "pay", 180, 1, r),
        _count(s, "receive", 90, -1, income),
        _sum(s, "receive", 90, -1, income),
        _sum(s, "receive", 180, -1, income),
        _sum(s, "receive", 360, -1, income),
        _mean(s, "receive", 360, -1, income),
        _spread(s, "receive", 360, 1, income),
        _months(s, "receive", 12, -1, income),
        _share(s, "receive", "pay", 180, -1, income, amounts=True),
        _trend(s, "receive", 90, 360, -1, income, amounts=True),
        _count(s, "transfer", 180, 0, r),
        _sum(s, "transfer", 180, 0, r),
        _distinct(s, "receive", "counterparty", 180, ("付款人数", "distinct senders"), 0, income),
    )


def _bank_flow() -> Sequence[Variable]:
    s, income, failed = "bank_flow", "income", "failed-debits"
    return (
        _tenure(s, -1, income),
        _count(s, "wage", 180, -1, income),
        _months(s, "wage", 6, -1, income),
        _months(s, "wage", 12, -1, income),
        _sum(s, "wage", 90, -1, income),
        _sum(s, "wage", 180, -1, income),
        _sum(s, "wage", 360, -1, income),
        _mean(s, "wage", 360, -1, income),
        _spread(s, "wage", 360, 1, income),
        _gap_max(s, "wage", 360, 1, income),
        _recency(s, "wage", 1, income),
        _trend(s, "wage", 90, 360, -1, income, amounts=True),
        _sum(s, "withdrawal", 180, 0, income),
        _share(s, "withdrawal", "wage", 360, 1, income, amounts=True),
        _count(s, "transfer", 180, 0, income),
        _count(s, "failed_debit", 90, 1, failed),
        _count(s, "failed_debit", 180, 1, failed),
        _count(s, "failed_debit", 360, 1, failed),
        _count(s, "failed_debit", 720, 1, failed),
        _recency(s, "failed_debit", -1, failed),
        _balance("mean", 90, lambda found: sum(found) // len(found)),
        _balance("mean", 360, lambda found: sum(found) // len(found)),
        _balance("min", 90, min),
    )


def _social() -> Sequence[Variable]:
    s, r = "social_insurance", "insurance"
    return (
        _tenure(s, -1, r),
        _count(s, "contribution", 180, -1, r),
        _count(s, "contribution", 360, -1, r),
        _count(s, "contribution", 720, -1, r),
        _mean(s, "contribution", 360, -1, r),
        _recency(s, "contribution", 1, r),
        _count(s, "gap", 360, 1, r),
        _count(s, "gap", 720, 1, r),
    )


def _device() -> Sequence[Variable]:
    s, r = "device", "device-changes"
    return (
        _tenure(s, -1, r),
        _count(s, "app_open", 30, 0, r),
        _count(s, "app_open", 180, 0, r),
        _night(s, "app_open", 180, 1, r),
        _count(s, "install", 90, 1, r),
        _count(s, "install", 360, 1, r),
        _trend(s, "install", 30, 180, 1, r, amounts=False),
        _count(s, "new_device", 360, 1, r),
        _count(s, "new_device", 720, 1, r),
        _recency(s, "new_device", -1, r),
        _count(s, "location_cell", 90, 0, r),
        _distinct(s, "location_cell", "cell", 90, ("不同位置数", "distinct cells"), 0, r),
    )


def _farm() -> Sequence[Variable]:
    s, r = "farm", "farm-income"
    return (
        _tenure(s, -1, r),
        _count(s, "sale", 360, -1, r),
        _sum(s, "sale", 360, -1, r),
        _count(s, "feed", 360, -1, r),
        _share(s, "death", "", 360, 1, r),
    )


# -- the bureau ----------------------------------------------------------------------------------------------------------


def _from_report(
    name: str, zh: str, en: str, unit: str, days: int | None, sign: int, reason: str, ask: Callable[[Seen, BureauReport], Value]
) -> Variable:
    """Make a variable over the bureau report: `NO_RECORD` for a white file."""

    def read(seen: Seen) -> Value:
        return Missing.NO_RECORD if seen.report is None else ask(seen, seen.report)

    return Variable(
        f"bureau.{name}", zh, en, "applicant", unit, days, "no bureau file (white), or no account or query to read it from", sign, reason, "bureau", read
    )


def _queries(days: int, sign: int = 1) -> Variable:
    def ask(seen: Seen, report: BureauReport) -> Value:
        return sum(
            seen.start(days) <= query.at_us < seen.at_us for query in report.queries if query.reason == "loan_application"
        )

    zh, en = f"近{days}天贷款审批查询次数", f"loan-application inquiries in the last {days} days"
    return _from_report(f"count.{days}d[kind=inquiry&reason=loan_application]", zh, en, "count", days, sign, "many-inquiries", ask)


def late_of(status: str) -> int:
    """Give the band of lateness (0..7) that a status code stands for."""
    return int(status) if status.isdigit() else 7 if status in "BGDZ" else 0


def _worst(account: BureauAccount, months: int) -> int:
    return max((late_of(status) for status in account.statuses[-months:]), default=0)


def _open(report: BureauReport) -> list[BureauAccount]:
    return [account for account in report.accounts if account.closed is None]


def _age_days(seen: Seen, account: BureauAccount) -> int:
    return int((seen.at_us + 8 * 3_600_000_000) // DAY_US) - (account.opened.toordinal() - 719_163)


def _on_accounts(name: str, zh: str, en: str, unit: str, sign: int, reason: str, ask: Callable[[Seen, Sequence[BureauAccount]], Value]) -> Variable:
    """Make a variable over a file's accounts: `NO_EVENT` for a file without accounts."""
    return _from_report(
        name, zh, en, unit, None, sign, reason, lambda seen, report: ask(seen, report.accounts) if report.accounts else Missing.NO_EVENT
    )


def _bureau() -> Sequence[Variable]:
    late, debt, length = "past-lateness", "other-debt", "file-length"

    def used(report: BureauReport) -> Value:
        cards = [account for account in _open(report) if account.kind in {"R1", "R2"} and account.credit_fen]
        limit = sum(account.credit_fen for account in cards)
        return sum(account.balance_fen for account in cards) * PPM // limit if limit else Missing.NO_EVENT

    def late_months(accounts: Sequence[BureauAccount], months: int, at_least: int) -> int:
        return sum(late_of(status) >= at_least for account in accounts for status in account.statuses[-months:])

    def since_late(accounts: Sequence[BureauAccount]) -> Value:
        ages = [
            back for account in accounts for back, status in enumerate(reversed(account.statuses)) if late_of(status)
        ]
        return min(ages) if ages else Missing.NO_EVENT

    return (
        _queries(30),
        _queries(90),
        _queries(180),
        _queries(360),
        _from_report("count.ever[kind=account]", "征信账户总数", "accounts in all", "count", None, 0, length, lambda _, r: len(r.accounts)),
        _from_report("count.open[kind=account]", "未结清账户数", "open accounts", "count", None, 1, debt, lambda _, r: len(_open(r))),
        _from_report(
            "count.open[lender_kind=micro_loan]", "未结清小贷账户数", "open micro-loan accounts", "count", None, 1, debt,
            lambda _, r: sum(account.lender_kind in {"micro_loan", "other"} for account in _open(r)),
        ),
        _from_report("balance.sum", "未结清余额合计", "balance of all open accounts", "fen", None, 1, debt, lambda _, r: sum(a.balance_fen for a in _open(r))),
        _from_report("credit.sum", "授信总额", "credit of all open accounts", "fen", None, 0, debt, lambda _, r: sum(a.credit_fen for a in _open(r))),
        _from_report("used_share", "循环额度使用率", "share of revolving credit in use", "ppm", None, 1, debt, lambda _, r: used(r)),
        _from_report("overdue.sum", "当前逾期金额", "overdue now", "fen", None, 1, late, lambda _, r: sum(a.overdue_fen for a in r.accounts)),
        _on_accounts("worst.12m", "近12个月最坏还款状态", "worst status in 12 months", "count", 1, late, lambda _, a: max(_worst(x, 12) for x in a)),
        _on_accounts("worst.24m", "近24个月最坏还款状态", "worst status in 24 months", "count", 1, late, lambda _, a: max(_worst(x, 24) for x in a)),
        _on_accounts("worst.60m", "近60个月最坏还款状态", "worst status in 60 months", "count", 1, late, lambda _, a: max(_worst(x, 60) for x in a)),
        _on_accounts("late_months.6m", "近6个月逾期月数", "late account-months in 6 months", "months", 1, late, lambda _, a: late_months(a, 6, 1)),
        _on_accounts("late_months.12m", "近12个月逾期月数", "late account-months in 12 months", "months", 1, late, lambda _, a: late_months(a, 12, 1)),
        _on_accounts("late_months.24m", "近24个月逾期月数", "late account-months in 24 months", "months", 1, late, lambda _, a: late_months(a, 24, 1)),
        _on_accounts("late60_months.24m", "近24个月逾期超30天月数", "account-months over 30 days late", "months", 1, late, lambda _, a: late_months(a, 24, 2)),
        _on_accounts("months_since_late", "距最近逾期月数", "months since the last lateness", "months", -1, late, lambda _, a: since_late(a)),
        _on_accounts("age.max", "最早账户年龄", "age of the oldest account", "days", -1, length, lambda s, a: max(_age_days(s, x) for x in a)),
        _on_accounts("age.min", "最新账户年龄", "age of the newest account", "days", -1, length, lambda s, a: min(_age_days(s, x) for x in a)),
        _on_accounts("opened.360d", "近360天新开账户数", "accounts opened in 360 days", "count", 1, debt, lambda s, a: sum(_age_days(s, x) < 360 for x in a)),
        _on_accounts("settled", "已结清账户数", "accounts settled", "count", -1, length, lambda _, a: sum(x.closed is not None for x in a)),
        _on_accounts("clean_months", "按时还款总月数", "account-months paid on time", "months", -1, length, lambda _, a: sum(x.statuses.count("N") for x in a)),
    )


# -- the application -----------------------------------------------------------------------------------------------------


def monthly_income_fen(seen: Seen) -> Value:
    """Estimate what comes in a month, mean of 180 days (farm: 360): the largest of what the bank shows, the farm sells, and contributions imply.

    Receipts in a wallet alone are no income: whoever shows nothing else is missing, and is asked for proof.
    """
    found = []
    bank, wallet, farm, insured = (seen.sources[name] for name in ("bank_flow", "wallet", "farm", "social_insurance"))
    if not isinstance(bank, Missing):
        received = 0 if isinstance(wallet, Missing) else wallet.lane("receive").total(seen.start(180))
        found.append((bank.lane("wage").total(seen.start(180)) + received) * MONTH_DAYS // 180)
    if not isinstance(farm, Missing):
        found.append(farm.lane("sale").total(seen.start(360)) * MONTH_DAYS // 360)
    if not isinstance(insured, Missing) and (paid := insured.lane("contribution")).count(seen.start(180)) >= CONTRIBUTIONS_MIN:
        found.append(paid.total(seen.start(180)) * PPM // (paid.count(seen.start(180)) * CONTRIBUTION_PPM))
    return max(found) if found else Missing.NO_RECORD


def debt_service_fen(report: BureauReport | None) -> int:
    """Estimate the monthly installments elsewhere: a tenth of card balances, a twelfth of other balances."""
    if report is None:
        return 0
    return sum(account.balance_fen // (10 if account.kind in {"R2", "R1"} else 12) for account in _open(report))


def _application() -> Sequence[Variable]:
    def to_income(part: Callable[[Seen], int]) -> Callable[[Seen], Value]:
        def read(seen: Seen) -> Value:
            income = monthly_income_fen(seen)
            if isinstance(income, Missing):
                return income
            return part(seen) * PPM // income if income else Missing.UNDEFINED

        return read

    def made(name: str, zh: str, en: str, unit: str, sign: int, reason: str, read: Callable[[Seen], Value], *, is_protected: bool = False) -> Variable:
        missing = "no source of income was fetched or knows the person" if unit == "ppm" or name == "income" else "never missing"
        return Variable(f"application.{name}", zh, en, "application", unit, None, missing, sign, reason, "application", read, is_protected)

    return (
        made("amount", "申请金额", "amount asked for", "fen", 1, "amount-asked", lambda seen: seen.asked.amount_fen),
        made("months", "申请期数", "months asked for", "months", 0, "amount-asked", lambda seen: seen.asked.months),
        made("age", "年龄", "age", "years", 0, "age", lambda seen: seen.asked.age, is_protected=True),
        made("debt_service", "他行月供", "estimated installments elsewhere", "fen", 1, "other-debt", lambda seen: debt_service_fen(seen.report)),
        made("income", "估算月收入", "estimated monthly income", "fen", -1, "income", monthly_income_fen),
        made(
            "amount_to_income", "申请金额与月收入之比", "amount over monthly income", "ppm", 1, "amount-asked", to_income(lambda seen: seen.asked.amount_fen)
        ),
        made(
            "installment_to_income", "月供与月收入之比", "installment over monthly income", "ppm", 1, "amount-asked",
            to_income(lambda seen: seen.asked.amount_fen // seen.asked.months),
        ),
        made("debt_to_income", "他行月供与月收入之比", "other installments over monthly income", "ppm", 1, "other-debt", to_income(lambda seen: debt_service_fen(seen.report))),
    )
