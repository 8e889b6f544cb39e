"""The book in the form of derived variables: a Parquet file for each of the five tables, `fetches.parquet`, `outcomes.parquet`.

The words of the columns are those of such tables everywhere (a wage is `salary`, a mandate `auto_debit`), as an adapter of each source gives them.
Times are int64 microseconds since 1970 UTC. Every row was known by the newest application of its person; what a variable may see of it
is cut by `known_time` and `as_of`, as ever.
"""

from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from puhui_town.people.histories import HISTORY_DAYS, Application, Borrower
from puhui_town.people.needs import CHINA
from puhui_town.people.outside import month_start_before
from puhui_town.people.records import CHINA_S, SOURCE_KINDS, wall_seconds

_I, _S, _B = pa.int64(), pa.string(), pa.bool_()
_BASE: tuple[tuple[str, Any], ...] = (("person", _I), ("event_id", _I), ("event_time", _I), ("known_time", _I), ("revision", _I))
SCHEMAS: dict[str, Any] = {
    "bureau": pa.schema([
        *_BASE, ("limit", _I), ("balance", _I), ("overdue", _I), ("overdue_days", _I), ("term_months", _I), ("kind", _S), ("lender", _S),
        ("reason", _S), ("class", _S), ("organization", _S),
    ]),
    "txn": pa.schema([
        *_BASE, ("amount", _I), ("balance", _I), ("direction", _S), ("channel", _S), ("type", _S), ("hour_band", _S), ("weekday", _S),
        ("counterparty", _S),
    ]),
    "app": pa.schema([
        *_BASE, ("duration_ms", _I), ("step", _I), ("event", _S), ("page", _S), ("network", _S), ("hour_band", _S), ("session", _S),
    ]),
    "repayment": pa.schema([
        *_BASE, ("due", _I), ("paid", _I), ("late_days", _I), ("status", _S), ("method", _S), ("product", _S), ("loan", _S),
    ]),
    "device": pa.schema([
        *_BASE, ("age_days", _I), ("distance_km", _I), ("os", _S), ("change", _S), ("network", _S), ("device", _S), ("city", _S), ("address", _S),
    ]),
    "fetches": pa.schema([("person", _I), ("table", _S), ("at", _I), ("consent", _S), ("until", _I)]),
    "outcomes": pa.schema([
        ("person", _I), ("as_of", _I), ("amount", _I), ("months", _I), ("age", _I), ("place_code", _S), ("outcome", _S), ("rate_ppm", _I),
        ("days_late_max", _I), ("bad", _B),
    ]),
}  # fmt: skip
TABLES = ("bureau", "txn", "app", "repayment", "device")
CONSENTS = {"bureau": "bureau-report", "txn": "financial-account", "device": "device"}
_WEEKDAYS = np.array(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
_BANDS = np.array(["night", "morning", "afternoon", "evening"])
_ON_THE_WAY = ("home", "identity", "apply", "cost_table", "contract")
_BETWEEN = ("home", "profile", "service", "repay", "apply", "cost_table")
_ON_A_PAGE = ("open", "login", "view", "scroll", "click", "input", "submit", "leave")
_BOUGHT = ("food", "food", "transport", "shopping", "utility", "entertainment", "food", "education", "travel", "rent", "shopping", "other")
"""What a payment to each counterparty is for."""
_TYPES = {"wage": "salary", "withdrawal": "cash", "failed_debit": "repayment", "receive": "other"}
_CHANNELS = {"qr": "app", "online": "app", "transit": "card", "atm": "card", "app": "app", "counter": "counter", "helper": "counter"}
_LENDERS = {
    "bank": ("bank", "bank", "bank", "leasing"), "card": ("bank",), "consumer_finance": ("consumer_finance", "consumer_finance", "consumer_finance", "trust"),
    "micro_loan": ("microloan", "microloan", "microloan", "other"),
}  # fmt: skip
"""Who lends behind a kind of lender; a house is always of one of them."""
_REASONS = {"loan_application": ("loan_approval",), "card_application": ("card_approval",), "post_loan": ("post_loan", "post_loan", "guarantee", "self", "other")}
"""What a bureau writes down beyond an application: most are looks at a loan that runs, some are for a guarantee or by the person himself."""
_CLASSES = {"1": "special_mention", "2": "special_mention", "3": "substandard", "4": "substandard", "5": "doubtful", "6": "doubtful", "7": "loss", "B": "loss"}
_PRODUCTS = {"farm_inputs": "farm", "repairs": "business", "appliances": "purchase", "phone": "purchase", "daily": "revolving"}
_ODD = 2_654_435_761
GROUP_ROWS = 120_000
Columns = dict[str, list[Any]]


class TableWriter:
    """Writes the tables group by group; a context manager, since Parquet files have an end."""

    def __init__(self, out: Path) -> None:
        self._writers = {name: pq.ParquetWriter(out / f"{name}.parquet", schema, compression="zstd") for name, schema in SCHEMAS.items()}
        self._waiting: dict[str, Columns] = {name: {field.name: [] for field in schema} for name, schema in SCHEMAS.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name, writer in self._writers.items():
            self._flush(name)
            writer.close()

    def add(self, borrower: Borrower) -> None:
        """Add all rows of a person."""
        self._put("txn", _txn(borrower))
        self._put("device", _device(borrower))
        self._put("bureau", _bureau(borrower))
        self._put("app", _app(borrower))
        self._put("repayment", _repayment(borrower))
        self._put("fetches", _fetches(borrower))
        self._put("outcomes", _outcomes(borrower))

    def _put(self, name: str, columns: Columns) -> None:
        waiting = self._waiting[name]
        for column, values in columns.items():
            waiting[column].extend(values)
        if len(waiting["person"]) >= GROUP_ROWS:
            self._flush(name)

    def _flush(self, name: str) -> None:
        schema, waiting = SCHEMAS[name], self._waiting[name]
        if waiting["person"]:
            self._writers[name].write_table(pa.table([pa.array(waiting[f.name], type=f.type) for f in schema], schema=schema))
            self._waiting[name] = {field.name: [] for field in schema}


def _us(at: datetime) -> int:
    return (wall_seconds(at) - CHINA_S) * 1_000_000


def _window(borrower: Borrower) -> tuple[int, int]:
    return wall_seconds(borrower.first_at) - HISTORY_DAYS * 86_400, wall_seconds(borrower.last_at)


def _txn(borrower: Borrower) -> Columns:
    """Wallet and bank, each row with its direction and type; the first have even ids, the others odd ones."""
    columns: Columns = {field.name: [] for field in SCHEMAS["txn"]}
    for place, source in enumerate(("wallet", "bank_flow")):
        if not borrower.records.has(source):
            continue
        kinds = [kind.name for kind in SOURCE_KINDS[source].kinds]
        into = [kind in {"receive", "wage"} for kind in kinds]
        tags = [dict(kind.tags) for kind in SOURCE_KINDS[source].kinds]
        for rows, low, high in borrower.records.stretches(source, *_window(borrower)):
            cut = slice(low, high)
            of, size = rows.kind[cut].tolist(), high - low
            pairs = rows.tag[cut].tolist()
            columns["person"] += [borrower.person.n] * size
            columns["event_id"] += (2 * rows.event_id[cut] + place).tolist()
            columns["event_time"] += ((rows.at_s[cut] - CHINA_S) * 1_000_000).tolist()
            columns["known_time"] += ((rows.known_s[cut] - CHINA_S) * 1_000_000).tolist()
            columns["revision"] += rows.revision[cut].tolist()
            columns["amount"] += rows.amount_fen[cut].tolist()
            columns["balance"] += rows.balance_fen[cut].tolist() if rows.balance_fen.size else [None] * size
            columns["direction"] += ["in" if into[k] else "out" for k in of]
            columns["type"] += [_type(kinds[k], x, y) for k, (x, y) in zip(of, pairs, strict=True)]
            columns["channel"] += [_channel(kinds[k], tags[k], x) for k, (x, _) in zip(of, pairs, strict=True)]
            columns["counterparty"] += [_counterparty(tags[k], x, y) for k, (x, y) in zip(of, pairs, strict=True)]
            bands, days = _bands(rows.at_s[cut])
            columns["hour_band"] += bands
            columns["weekday"] += days
    return columns


def _type(kind: str, first: int, second: int) -> str:
    """A payment is for what its counterparty sells; a transfer to one's own people is for rent where it always goes the same way."""
    if kind == "pay":
        return _BOUGHT[second]
    return ("rent" if first == 0 and second <= 0 else "other") if kind == "transfer" else _TYPES[kind]


def _channel(kind: str, tags: dict[str, tuple[str, ...]], first: int) -> str | None:
    if kind in {"wage", "transfer", "receive"}:
        return "transfer"
    return _CHANNELS[tags["channel"][first]] if "channel" in tags else None


def _counterparty(tags: dict[str, tuple[str, ...]], first: int, second: int) -> str | None:
    who = tags.get("counterparty")
    if who is None:
        return None
    return who[second] if "channel" in tags else who[first]


def _bands(wall_s: NDArray[np.int64]) -> tuple[list[str], list[str]]:
    hours, days = wall_s % 86_400 // 3600, wall_s // 86_400
    return _BANDS[np.maximum(hours // 6, 0)].tolist(), _WEEKDAYS[(days + 3) % 7].tolist()


def _device(borrower: Borrower) -> Columns:
    columns: Columns = {field.name: [] for field in SCHEMAS["device"]}
    if not borrower.records.has("device"):
        return columns
    person = borrower.person
    phones = person.phones
    for rows, low, high in borrower.records.stretches("device", *_window(borrower)):
        cut = slice(low, high)
        of, size, cells = rows.kind[cut].tolist(), high - low, rows.tag[cut, 0].tolist()
        seen = (rows.at_s[cut] // 86_400).tolist()
        fresh = np.cumsum(rows.kind[cut] == 2).tolist()
        columns["person"] += [person.n] * size
        columns["event_id"] += rows.event_id[cut].tolist()
        columns["event_time"] += ((rows.at_s[cut] - CHINA_S) * 1_000_000).tolist()
        columns["known_time"] += ((rows.known_s[cut] - CHINA_S) * 1_000_000).tolist()
        columns["revision"] += rows.revision[cut].tolist()
        columns["age_days"] += [day % 700 for day in seen]
        columns["distance_km"] += [cell * 3 if k == 3 else None for k, cell in zip(of, cells, strict=True)]
        columns["os"] += [_system(phones[0].model)] * size
        columns["change"] += [_change(k, cell, at) for k, cell, at in zip(of, cells, rows.event_id[cut].tolist(), strict=True)]
        columns["network"] += ["other" if phones[0].slow > 0.1 and day % 5 == 0 else _network(phones[0].memory_mb) if day % 3 else "wifi" for day in seen]
        columns["device"] += [f"{phones[0].device_id}-{new}" if new else phones[k % len(phones)].device_id for k, new in zip(of, fresh, strict=True)]
        columns["city"] += [(person.home if k == 3 and cell == 5 else person.living).place_code[:4] for k, cell in zip(of, cells, strict=True)]
        columns["address"] += [f"{person.living.place_code}-{cell}" if k == 3 else None for k, cell in zip(of, cells, strict=True)]
    return columns


def _system(model: str) -> str:
    return "harmony" if model.startswith("HW") else "android"


def _network(memory_mb: int) -> str:
    return "5g" if memory_mb >= 6144 else "4g"


def _change(kind: int, cell: int, event_id: int) -> str:
    """A new set is first seen; sometimes an application brings a new system, a move a new card; the farthest cell is another city."""
    if kind == 2:
        return "first_seen"
    if kind == 1:
        return "os_update" if event_id % 9 == 0 else "seen"
    if kind == 3 and cell == 5:
        return "city_change"
    return ("sim_change", "number_change")[event_id // 97 % 2] if event_id % 97 == 0 else "seen"


def _bureau(borrower: Borrower) -> Columns:
    """Inquiries, openings, and a row for each month of each account, as known by the newest application."""
    columns: Columns = {field.name: [] for field in SCHEMAS["bureau"]}
    if borrower.debt is None:
        return columns
    last = borrower.last_at
    rows: list[tuple[int, dict[str, Any]]] = []
    for one in borrower.debt.inquiries:
        at = _us(one.at)
        if one.at < last:
            rows.append((at, {"kind": "inquiry", "reason": _pick(_REASONS[one.reason], at), "lender": _pick(_LENDERS[one.lender_kind], at)}))
    for seen in borrower.debt.as_of(last)[0]:
        account = seen.account
        lender = _pick(_LENDERS[account.lender_kind], (account.opened.toordinal() + borrower.person.n) * 1_000_000)
        same = {"lender": lender, "organization": account.account, "limit": account.credit_fen, "term_months": account.months or None}
        rows.append((_end_of(account.opened), {"kind": "opening", **same}))
        for m, code in enumerate(account.states[: (last.year - account.opened.year) * 12 + last.month - account.opened.month]):
            late = int(code) if code.isdigit() else 8 if code == "B" else 0
            paid = m + 1
            balance = account.credit_fen * max(account.months - paid, 0) // account.months if account.months else int(account.credit_fen * account.used)
            overdue = min(balance, late * (account.credit_fen // account.months if account.months else balance // 10))
            month_end = month_start_before(account.opened, m + 1) - timedelta(days=1)
            rows.append((_end_of(month_end), {"kind": "status", "class": _CLASSES.get(code, "normal"), "overdue_days": 30 * late, "balance": 0 if code == "C" else balance,
                                              "overdue": overdue, **same}))  # fmt: skip
    rows.sort(key=lambda row: row[0])
    for k, (at, values) in enumerate(rows):
        if at < _us(last):
            _row(columns, borrower.person.n, k, at, at + 5 * 86_400_000_000 if values["kind"] == "status" else at, values)
    return columns


def _pick(words: tuple[str, ...], at_us: int) -> str:
    """Choose by a whole second, always the same."""
    return words[(at_us // 1_000_000 * _ODD >> 11) % len(words)]


def _end_of(day: date) -> int:
    """A day without an hour counts as its last microsecond in China."""
    return _us(datetime(day.year, day.month, day.day, tzinfo=CHINA) + timedelta(days=1)) - 1


def _row(columns: Columns, person: int, event_id: int, at: int, known: int, values: dict[str, Any]) -> None:
    fixed = {"person": person, "event_id": event_id, "event_time": at, "known_time": known, "revision": 0}
    for name, column in columns.items():
        column.append(fixed[name] if name in fixed else values.get(name))


def _app(borrower: Borrower) -> Columns:
    """What the person did on the other lender's pages: looking around in the three months before each application (or the end), and on the way to it."""
    columns: Columns = {field.name: [] for field in SCHEMAS["app"]}
    person, visits = borrower.person, list[tuple[int, int, bool]]()
    came = [(one.applied_at, one.need.k) for one in borrower.applications]
    for instant, which in came or [(borrower.closes_at, 0)]:
        begin = _us(instant)
        dice = (person.n * _ODD + which * 97) % 2**32
        looks = 2 + dice % 7
        visits += [(begin - 86_400_000_000 * (1 + (dice >> look) % 90) - 3_600_000_000 * ((dice >> 2 * look) % 18), dice >> look, False) for look in range(looks)]
        if came:
            visits.append((begin - 900_000_000, dice, True))
    k = 0
    for begin, dice, applies in sorted(visits):
        pages = _ON_THE_WAY if applies else tuple(_BETWEEN[(dice >> place) % len(_BETWEEN)] for place in range(2 + dice % 3))
        network = "other" if dice % 100 < 100 * person.phones[0].slow else _network(person.phones[0].memory_mb) if dice % 5 < 3 else "wifi"
        band = _BANDS[(begin // 1_000_000 + CHINA_S) % 86_400 // 21_600].item()
        at = begin
        for step, page in enumerate(pages):
            for place, event in enumerate(_ON_A_PAGE):
                if event not in {"open", "leave"} and (dice >> (step + place)) % 3 == 0:
                    continue
                spent = int((600 + (dice >> place) % 4_000) * (1.4 - 0.2 * max(-2.0, min(2.0, person.traits.digital))))
                at += spent * 1000
                values = {"duration_ms": None if event == "open" else spent, "step": step, "event": event, "page": page, "network": network,
                          "hour_band": band, "session": f"s{person.n}-{k}"}  # fmt: skip
                _row(columns, person.n, len(columns["person"]), at, at, values)
        k += 1
    return columns


def _repayment(borrower: Borrower) -> Columns:
    """Installments paid, and those due and not paid, of the other lender's loans, as its own ledger knew them by the newest application."""
    columns: Columns = {field.name: [] for field in SCHEMAS["repayment"]}
    last = _us(borrower.last_at)
    found: list[tuple[int, int, int, dict[str, Any]]] = []
    for loan, one in enumerate(borrower.applications):
        for payment in one.payments:
            event_id = 100 * loan + payment.number
            same = {"due": payment.due_fen, "product": _PRODUCTS.get(one.need.purpose, "installment"), "loan": f"l{borrower.person.n}-{one.need.k}"}
            on_due = payment.paid == payment.due
            found.append((_end_of(payment.due), event_id, 0, {**same, "paid": payment.due_fen if on_due else 0, "late_days": 0,
                                                             "status": "on_time" if on_due else "missed", "method": "auto_debit"}))  # fmt: skip
            if payment.paid is not None and not on_due:
                late = (payment.paid - payment.due).days
                by_hand = ("wallet", "transfer", "card", "auto_debit")[(borrower.person.n + payment.number) % 4]
                paid = {"paid": payment.due_fen, "late_days": max(late, 0), "status": "late" if late > 0 else "early", "method": by_hand}
                found.append((_end_of(payment.paid), event_id, 1, {**same, **paid}))
    due_at = {event_id: at for at, event_id, revision, _ in found if revision == 0}
    for known, event_id, revision, values in sorted(found, key=lambda row: row[:3]):
        if known < last:
            _row(columns, borrower.person.n, event_id, due_at[event_id], known, values)
            columns["revision"][-1] = revision
    return columns


def _fetches(borrower: Borrower) -> Columns:
    """A fetch of every table with a consent, a minute before each application, under a consent of 30 days; of who never applied, before the end."""
    columns: Columns = {field.name: [] for field in SCHEMAS["fetches"]}
    asked = [(one.applied_at, str(one.need.k)) for one in borrower.applications] or [(borrower.closes_at, "end")]
    for instant, which in asked:
        for table, item in CONSENTS.items():
            at = _us(instant) - 60_000_000
            columns["person"].append(borrower.person.n)
            columns["table"].append(table)
            columns["at"].append(at)
            columns["consent"].append(f"co-{borrower.person.n}-{which}-{item}")
            columns["until"].append(at + 30 * 86_400_000_000)
    return columns


def _outcomes(borrower: Borrower) -> Columns:
    columns: Columns = {field.name: [] for field in SCHEMAS["outcomes"]}
    for one in borrower.applications:
        row = {
            "person": borrower.person.n, "as_of": _us(one.applied_at), "amount": one.need.amount_fen, "months": one.need.months, "age": one.age,
            "place_code": borrower.person.living.place_code, "outcome": one.outcome, "rate_ppm": one.rate_ppm,
            "days_late_max": _worst(one), "bad": one.was_bad if one.months else None,
        }  # fmt: skip
        for name, value in row.items():
            columns[name].append(value)
    return columns


def _worst(one: Application) -> int | None:
    return max(m.days_late for m in one.months[:13]) if one.months else None
