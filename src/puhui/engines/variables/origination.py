"""The catalogue that decisions on applications draw from: a table for every source that a person allows alone, the bureau, and our own logs.

`lending` has one table of transactions, whoever tells them. Here every source is a table of its own, because a consent is for a source: when it is
withdrawn, its rows fall silent and no others. `bureau`, `app` and `repayment` are the tables of `lending`, column for column.
"""

import functools
from dataclasses import replace
from importlib import resources

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.declaring import ALL, Declaration, each, over
from puhui.engines.variables.lending import APP, BUREAU, DAYS, EVERY, HOUR_BANDS, HOUR_WORDS, LAST, RATIOS, REPAYMENT
from puhui.engines.variables.tables import Table

PURPOSE = "credit-assessment"
AMOUNT = ("金额", "amount")
SALE = ("broiler", "layer", "duck")


def _source(name: str, zh: str, en: str, kinds: dict[str, tuple[str, str]], category: dict[str, tuple[str, ...]] | None = None,
            words: dict[str, tuple[str, str]] | None = None, *, money: tuple[str, ...] = ("amount",), entity: tuple[str, ...] = ()) -> Table:  # fmt: skip
    """Declare the table of a source: its kinds of events with their words, and what else its rows tell."""
    told = {f"kind={kind}": (f"{zh}类", f"of {en}") for kind, (zh, en) in kinds.items()}
    return Table(
        name, zh=zh, en=en, source=name, purpose=PURPOSE, consent=name, money=money,
        category={"kind": tuple(kinds), **(category or {}), "hour_band": HOUR_BANDS}, entity=entity,
        words={"amount": AMOUNT, "kind": ("种类", "kind"), **told, **HOUR_WORDS, **(words or {})},
    )  # fmt: skip


WALLET = _source(
    "wallet", "电子钱包", "e-wallet events", {"pay": ("付款", "payments"), "receive": ("收款", "receipts"), "transfer": ("转账", "transfers")},
    {"channel": ("qr", "online", "transit"), "weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
    {"channel": ("渠道", "channel"), "weekday": ("星期", "weekday"), "counterparty": ("对手方", "counterparty")}, entity=("counterparty",),
)  # fmt: skip
BANK_FLOW = _source(
    "bank_flow", "银行流水", "bank events",
    {"wage": ("工资", "wages"), "withdrawal": ("取现", "withdrawals"), "transfer": ("转账", "transfers"), "failed_debit": ("扣款失败", "failed debits")},
    {"channel": ("app", "atm", "counter", "helper")},
    {"balance": ("账户余额", "account balance"), "channel": ("渠道", "channel"), "counterparty": ("对手方", "counterparty")},
    money=("amount", "balance"), entity=("counterparty",),
)  # fmt: skip
TELCO = _source(
    "telco", "手机通信", "telephone events",
    {"top_up": ("充值", "top-ups"), "bill": ("账单", "bills"), "overdue_bill": ("欠费账单", "overdue bills"), "number_change": ("换号", "number changes"),
     "call_digest": ("通话摘要", "call digests")},
    {"channel": ("app", "shop", "card"), "plan": ("basic", "family", "campus"), "band": ("few", "some", "many")},
    {"channel": ("渠道", "channel"), "plan": ("套餐", "plan"), "plan=campus": ("校园套餐", "on a campus plan"), "band": ("通话量", "band of calls")},
)  # fmt: skip
UTILITY = _source(
    "utility", "水电燃气", "utility events", {"bill": ("账单", "bills"), "paid_late": ("迟缴", "late payments")}, {"service": ("power", "water", "gas")},
    {"service": ("服务", "service")},
)  # fmt: skip
SHOPPING = _source(
    "shopping", "网购", "shopping events",
    {"order": ("订单", "orders"), "refund": ("退款", "refunds"), "cash_on_delivery": ("货到付款", "cash-on-delivery orders")},
    {"goods": ("food", "clothes", "household", "electronics", "mother_baby", "farm_supplies", "medicine")}, {"goods": ("商品", "goods")},
)  # fmt: skip
SOCIAL_INSURANCE = _source(
    "social_insurance", "社保", "social-insurance events",
    {"contribution": ("缴费", "contributions"), "gap": ("断缴", "breaks"), "enrolled": ("在校参保", "enrolments of a student")},
)  # fmt: skip
DEVICE_USE = _source(
    "device", "设备", "device events",
    {"app_open": ("打开应用", "openings"), "install": ("安装应用", "installs"), "new_device": ("更换设备", "new devices"), "location_cell": ("位置", "location cells")},
    words={"cell": ("位置", "location cell")}, money=(), entity=("cell",),
)  # fmt: skip
FARM = _source(
    "farm", "养殖", "farm events",
    {"placement": ("进雏", "placements"), "feed": ("饲料", "feed purchases"), "death": ("死亡", "deaths"), "sale": ("出栏", "sales")},
    {"flock": SALE}, {"flock": ("禽种", "flock")},
)  # fmt: skip
SOURCES = (WALLET, BANK_FLOW, TELCO, UTILITY, SHOPPING, SOCIAL_INSURANCE, DEVICE_USE, FARM)
TABLES = (*SOURCES, replace(BUREAU, consent="bureau"), APP, REPAYMENT)


def _of_source(table: Table) -> Declaration:
    """Ask everything of a source's kinds: amounts where it has them, counts, gaps, shares, how long ago."""
    asked = over(table).where(ALL, each("kind"), each("kind") * each("hour_band")).windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps(
        "mean min max std").recency().tenure()  # fmt: skip
    if table.fields:
        asked += (
            over(table).where(ALL, each("kind"), each("kind") * each("hour_band")).fields(*table.fields).windows(DAYS, LAST).aggs(EVERY)
            .ratios(RATIOS, "sum mean max").shares("sum")
        )  # fmt: skip
    return asked + over(table).where(ALL, each("kind")).windows(DAYS).distinct(*table.texts)


def _of_bureau(table: Table) -> Declaration:
    where = (ALL, each("kind"), each("lender"), each("reason"), each("class"), each("kind") * each("lender"))
    return over(table).where(*where).windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure() + over(table).where(
        *where
    ).fields("limit", "balance", "overdue", "overdue_days").windows(DAYS, LAST).aggs(EVERY).shares("sum")


def _of_own(table: Table, first: str) -> Declaration:
    asked = over(table).where(ALL, each(first)).windows(DAYS, LAST)
    return asked.count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure() + asked.fields(*table.fields).aggs(EVERY).shares("sum")


@functools.cache
def bare() -> Catalogue:
    """Give the tables alone, with nothing declared: any name of the grammar may be planned. This is all that deciding needs, and it is there at once."""
    return Catalogue(*(over(table) for table in TABLES))


@functools.cache
def origination() -> Catalogue:
    """Give the catalogue with everything declared; its released blocks are checked against the lock file beside this one."""
    lock = resources.files("puhui.engines.variables").joinpath("origination.lock").read_text(encoding="utf-8")
    *sources, bureau, app, repayment = TABLES
    return Catalogue(*map(_of_source, sources), _of_bureau(bureau), _of_own(app, "event"), _of_own(repayment, "status"), lock=lock)
