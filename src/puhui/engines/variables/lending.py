"""The shipped catalogue of consumer lending: five tables, and the declarations that expand to its variables.

Hour bands and weekdays are ordinary columns that the adapter of a source makes, in the time of Asia/Shanghai. No column holds what no lender
should look at; `tables.REFUSED_WORDS` keeps it so.
"""

import functools
from importlib import resources

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.declaring import ALL, Declaration, each, over
from puhui.engines.variables.tables import Table

DAYS, LAST = "7d 14d 30d 60d 90d 180d 360d 720d", "last3 last5 last10 last20 last50"
EVERY = "sum mean min max range std cv first last trend"
RATIOS = "7d/30d 30d/90d 90d/360d 30d/180d 180d/720d"
HOUR_BANDS = ("night", "morning", "afternoon", "evening")
HOUR_WORDS = {
    "hour_band": ("时段", "hour band"), "hour_band=night": ("夜间", "at night"), "hour_band=morning": ("上午", "in the morning"),
    "hour_band=afternoon": ("下午", "in the afternoon"), "hour_band=evening": ("晚间", "in the evening"),
}  # fmt: skip

BUREAU = Table(
    "bureau", zh="征信", en="bureau records", source="credit_bureau", purpose="credit-assessment", consent="credit-report",
    money=("limit", "balance", "overdue"),
    number={"overdue_days": "days", "term_months": "months"},
    category={
        "kind": ("inquiry", "opening", "status"),
        "lender": ("bank", "consumer_finance", "microloan", "trust", "leasing", "other"),
        "reason": ("loan_approval", "card_approval", "post_loan", "guarantee", "self", "other"),
        "class": ("normal", "special_mention", "substandard", "doubtful", "loss"),
    },
    entity=("organization",),
    words={
        "limit": ("授信额度", "limit"), "balance": ("余额", "balance"), "overdue": ("逾期金额", "overdue amount"),
        "overdue_days": ("逾期天数", "days overdue"), "term_months": ("期限", "term"), "kind": ("记录种类", "kind"), "lender": ("机构类型", "lender"),
        "reason": ("查询原因", "reason"), "class": ("五级分类", "class"), "organization": ("机构", "organization"),
        "kind=inquiry": ("查询类", "by inquiry"), "kind=opening": ("开户类", "by opening"), "kind=status": ("月度状态类", "by monthly status"),
    },
)  # fmt: skip
TXN = Table(
    "txn", zh="交易", en="transactions", source="wallet_statement", purpose="credit-assessment", consent="financial-account",
    money=("amount", "balance"),
    category={
        "direction": ("in", "out"), "channel": ("app", "card", "counter", "transfer"),
        "type": ("salary", "food", "repayment", "rent", "transport", "travel", "education", "entertainment", "cash", "utility", "shopping", "other"),
        "hour_band": HOUR_BANDS, "weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    },
    entity=("counterparty",),
    words={
        "amount": ("金额", "amount"), "balance": ("账户余额", "account balance"), "direction": ("方向", "direction"), "channel": ("渠道", "channel"),
        "type": ("类型", "type"), "weekday": ("星期", "weekday"), "counterparty": ("对手方", "counterparty"),
        "direction=in": ("收入", "coming in"), "direction=out": ("支出", "going out"), "channel=app": ("手机渠道", "by app"),
        "channel=card": ("刷卡渠道", "by card"), "channel=counter": ("柜面渠道", "at the counter"), "channel=transfer": ("转账渠道", "by transfer"),
        "type=salary": ("工资", "of salary"), "type=food": ("餐饮", "for food"), "type=repayment": ("还款", "for repayment"), **HOUR_WORDS,
    },
)  # fmt: skip
APP = Table(
    "app", zh="页面行为", en="app events", source="own_pages", purpose="credit-assessment",
    number={"duration_ms": "ms", "step": "count"},
    category={
        "event": ("open", "login", "view", "click", "input", "submit", "scroll", "leave"),
        "page": ("home", "apply", "identity", "contract", "cost_table", "repay", "service", "profile"),
        "network": ("wifi", "4g", "5g", "other"), "hour_band": HOUR_BANDS,
    },
    entity=("session",),
    words={
        "duration_ms": ("停留时长", "time spent"), "step": ("步骤序号", "step"), "event": ("事件", "event"), "page": ("页面", "page"),
        "network": ("网络", "network"), "session": ("会话", "session"), **HOUR_WORDS,
    },
)  # fmt: skip
REPAYMENT = Table(
    "repayment", zh="还款", en="installments", source="own_ledger", purpose="credit-assessment",
    money=("due", "paid"),
    number={"late_days": "days"},
    category={
        "status": ("early", "on_time", "late", "missed"), "method": ("auto_debit", "wallet", "card", "transfer"),
        "product": ("installment", "revolving", "purchase", "farm", "business"),
    },
    entity=("loan",),
    words={
        "due": ("应还金额", "amount due"), "paid": ("实还金额", "amount paid"), "late_days": ("迟还天数", "days late"), "status": ("状态", "status"),
        "method": ("方式", "method"), "product": ("产品", "product"), "loan": ("借据", "loan"), "status=early": ("提前", "paid early"),
        "status=on_time": ("按时", "paid on time"), "status=late": ("迟还", "paid late"), "status=missed": ("未还", "missed"),
    },
)  # fmt: skip
DEVICE = Table(
    "device", zh="设备", en="device records", source="own_pages", purpose="fraud-prevention", consent="device",
    number={"age_days": "days", "distance_km": "km"},
    category={
        "os": ("android", "ios", "harmony", "other"), "change": ("first_seen", "seen", "os_update", "sim_change", "city_change", "number_change"),
        "network": ("wifi", "4g", "5g", "other"),
    },
    entity=("device", "city", "address"),
    words={
        "age_days": ("设备使用天数", "device age"), "distance_km": ("移动距离", "distance"), "os": ("系统", "system"), "change": ("变化", "change"),
        "network": ("网络", "network"), "device": ("设备编号", "device"), "city": ("城市", "city"), "address": ("网络地址", "address"),
    },
)  # fmt: skip

TABLES = (TXN, BUREAU, APP, REPAYMENT, DEVICE)
BUREAU_ASKED = (
    over(BUREAU).where(ALL, each("kind"), each("lender"), each("reason"), each("class"), each("kind") * each("lender"), each("lender") * each("class"))
    .fields("limit", "balance", "overdue", "overdue_days", "term_months").windows(DAYS, LAST).aggs(EVERY).ratios(RATIOS, "sum mean max").shares("sum")
    + over(BUREAU).where(ALL, each("kind"), each("lender"), each("reason"), each("kind") * each("lender"), each("lender") * each("reason"))
    .windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure()
    + over(BUREAU).where(ALL, each("kind"), each("lender"), each("reason")).windows(DAYS).distinct("organization", "lender", "reason")
)  # fmt: skip
TXN_ASKED = (
    over(TXN).where(
        ALL, each("direction"), each("channel"), each("type"), each("hour_band"), each("weekday"), each("direction") * each("channel"),
        each("direction") * each("hour_band"), each("direction") * each("weekday"), each("channel") * each("type"), each("type") * each("hour_band"),
    ).fields("amount", "balance").windows(DAYS, LAST).aggs(EVERY).ratios(RATIOS, "sum mean max").shares("sum")
    + over(TXN).where(
        ALL, each("direction"), each("channel"), each("type"), each("hour_band"), each("weekday"), each("direction") * each("channel"),
        each("channel") * each("type"),
    ).windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure()
    + over(TXN).where(ALL, each("direction"), each("channel"), each("type"), each("hour_band")).windows(DAYS).distinct("counterparty", "type", "channel")
)  # fmt: skip
APP_ASKED = (
    over(APP).where(
        ALL, each("event"), each("page"), each("network"), each("hour_band"), each("event") * each("page"), each("event") * each("hour_band"),
    ).fields("duration_ms", "step").windows(DAYS, LAST).aggs(EVERY).ratios(RATIOS, "sum mean max").shares("sum")
    + over(APP).where(ALL, each("event"), each("page"), each("network"), each("hour_band"), each("event") * each("page"))
    .windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure()
    + over(APP).where(ALL, each("event"), each("page"), each("network")).windows(DAYS).distinct("session", "page", "event")
)  # fmt: skip
REPAYMENT_ASKED = (
    over(REPAYMENT).where(
        ALL, each("status"), each("method"), each("product"), each("status") * each("method"), each("status") * each("product"),
    ).fields("due", "paid", "late_days").windows(DAYS, LAST).aggs(EVERY).ratios(RATIOS, "sum mean max").shares("sum")
    + over(REPAYMENT).where(ALL, each("status"), each("method"), each("product"), each("status") * each("product"))
    .windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure()
    + over(REPAYMENT).where(ALL, each("status"), each("product")).windows(DAYS).distinct("loan", "method")
)  # fmt: skip
DEVICE_ASKED = (
    over(DEVICE).where(ALL, each("os"), each("change"), each("network"), each("change") * each("network"), each("os") * each("change"))
    .fields("age_days", "distance_km").windows(DAYS, LAST).aggs(EVERY).ratios(RATIOS, "sum mean max").shares("sum")
    + over(DEVICE).where(ALL, each("os"), each("change"), each("network"))
    .windows(DAYS, LAST).count().ratios(RATIOS).shares().gaps("mean min max std").recency().tenure()
    + over(DEVICE).where(ALL, each("change"), each("network")).windows(DAYS).distinct("device", "city", "address", "network")
)  # fmt: skip
LENDING: tuple[Declaration, ...] = (TXN_ASKED, BUREAU_ASKED, APP_ASKED, REPAYMENT_ASKED, DEVICE_ASKED)


@functools.cache
def lending() -> Catalogue:
    """Give the shipped catalogue; its released blocks are checked against the lock file beside this one."""
    lock = resources.files("puhui.engines.variables").joinpath("lending.lock").read_text(encoding="utf-8")
    return Catalogue(*LENDING, lock=lock)
