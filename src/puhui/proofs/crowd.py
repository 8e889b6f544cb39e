"""A crowd: a small house that a story has filled through all its doors, multiplied in bulk until it has as many loans as wanted.

Every row of a copy is a row that the ledger's kernels, funding, payments and the bureau have written for somebody, with the ids of another person:
an id is `kind-shard-` and 24 hex digits, and a copy's has four more after the shard, so shards and partitions stay. What the day's end booked
for a whole partition is multiplied with it. Documents name their copy's ids and are hashed and sealed anew; names and id numbers are made. The
result passes `verify invariants` as the house did. Left behind: decision records, consents, histories and messages, which stay with the first
people.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg

from puhui.foundation.crypto import FieldKeys
from puhui.foundation.desk import Desk

NOBODY = "cu-000-nobody"
ID = r"[a-z]{2}-[0-9a-f]{3}-[0-9a-f]{24}"
AT = 8
"""Where in an id the four digits of the copy stand."""
CONTENT = "agreements.documents.content"
CHUNK = 50
FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰玉萍建华国梅"
WEIGHTS, CHECKS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"

OWNED = "t.customer_id <> 'cu-000-nobody'"
OF_ORDER = """exists (select 1 from payments.orders o where o.payment_order_id = t.payment_order_id and o.customer_id <> 'cu-000-nobody'
    and o.purpose not in ('shop_refund', 'shop_return'))"""
EVENTS = (
    "CustomerRegistered", "ApplicationReceived", "ApplicationDecided", "OfferAccepted", "ApplicationEnded", "ContractSigned", "FundingConfirmed",
    "LoanDisbursed", "DisbursementReturned", "PayOutFailed", "RepaymentPosted", "RepaymentReversed", "CollectFailed", "LoanSettled", "LoanFellBehind",
    "LoanCaughtUp", "AssetClassChanged", "LoanRestructured", "LoanWrittenOff", "LoanRecovered", "CaseOpened", "CaseClosed", "AccountFrozen",
    "FirstRecordAccepted",
)  # fmt: skip
"""Events that a board counts, and that are about one person."""
TOLD = ", ".join(f"'{name}'" for name in EVENTS)

TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "customers.customers": (OWNED, {"phone_sealed": "null", "phone_blind": "null", "phone_since": "null"}),
    "customers.cases": (OWNED, {"text_sealed": "''::bytea", "answer_sealed": "''::bytea"}),
    "decisions.exposures": (OWNED, {"held_fen": "0"}),
    "funding.wants": ("exists (select 1 from ledger.loans l where l.customer_id = t.customer_id and l.loan_id = t.loan_id)", {}),
    "funding.legs": ("exists (select 1 from ledger.loans l where l.customer_id = t.customer_id and l.loan_id = t.loan_id)", {}),
    "funding.holds": ("t.state = 'used'", {}),
    "payments.mandates": (OWNED, {}),
    "payments.orders": (f"{OWNED} and t.state in ('paid', 'failed', 'returned', 'cancelled') and t.purpose not in ('shop_refund', 'shop_return')", {}),
    "payments.booked": (OF_ORDER, {}),
    "ledger.loans": (OWNED, {}),
    "ledger.legs": (OWNED, {}),
    "ledger.charges_allowed": (OWNED, {}),
    "ledger.loan_events": (OWNED, {}),
    "ledger.leg_parts": (OWNED, {}),
    "ledger.postings": (OWNED, {}),
    "ledger.class_changes": (OWNED, {}),
    "agreements.tables": ("t.state = 'signed'", {}),
    "bureau.records": (OWNED, {}),
    "bureau.notices": (OWNED, {}),
    "arrears.cases": (OWNED, {}),
    "arrears.stage_changes": (OWNED, {}),
    "arrears.promises": (OWNED, {}),
    "foundation.flows": ("t.kind = 'collect' and t.ended_at is null", {}),
    "foundation.events": (f"{OWNED} and t.kind in ({TOLD}) and t.answered_at is not null", {"seq": "t.seq + c.k * $3"}),
    "boards.applications": (OWNED, {}),
    "boards.loans": (
        OWNED,
        {name: f"case when t.{name} > 0 then t.{name} + c.k * $3 else 0 end" for name in ("left_seq", "stage_seq", "class_seq")},
    ),
    "boards.shares": (OWNED, {}),
    "boards.cases": (OWNED, {}),
}
"""What is copied: table -> (which rows, columns that are not simply renamed). `c.k` is the copy's number, `$3` the step of the event log."""
COUNTED = ("registered", "repayments", "late_repayments", "repaid_fen", "reversed_fen", "failed_collects", "failed_pay_outs", "frozen")
DAY_SUMS = ("loans", "late", "folded", "accrued_interest_fen", "accrued_penalty_fen", "provision_fen")


@dataclass(frozen=True, slots=True)
class Crowd:
    """How large it has become."""

    copies: int
    loans: int
    customers: int
    events: int


async def multiply(desk: Desk, *, loans: int) -> Crowd:
    """Copy the whole house until it has at least `loans` loans. Nobody may be at work in it."""
    async with desk.work(durable=False) as work:
        connection = work.connection
        had: int = await connection.fetchval("select count(*) from ledger.loans")
        assert had, "a house without a loan cannot be multiplied"
        copies = -(-loans // had) - 1
        if copies > 0:
            await _copy(connection, desk.keys, copies)
        counts = [await connection.fetchval(f"select count(*) from {table}") for table in ("ledger.loans", "customers.customers", "foundation.events")]  # noqa: S608
        return Crowd(copies, *counts)


async def _copy(connection: asyncpg.Connection, keys: FieldKeys, copies: int) -> None:
    stride: int = await connection.fetchval("select max(seq) + 1 from foundation.events")
    documents = await _documents(connection, keys)
    people = await connection.fetch("select customer_id from customers.identities order by customer_id")
    columns = {table: await _columns(connection, table) for table in TABLES}
    await connection.execute("set local work_mem = '64MB'")
    for first in range(1, copies + 1, CHUNK):
        last = min(first + CHUNK - 1, copies)
        for table, (where, changed) in TABLES.items():
            await _copy_table(connection, table, columns[table], where, changed, (first, last, stride))
        await _copy_documents(connection, keys, documents, first, last)
        await _copy_identities(connection, keys, [row["customer_id"] for row in people], first, last)
    await _multiply_days(connection, copies)
    await connection.execute("select setval(pg_get_serial_sequence('foundation.events', 'seq'), (select max(seq) from foundation.events))")
    await connection.execute("analyze")


async def _columns(connection: asyncpg.Connection, table: str) -> dict[str, str]:
    schema, name = table.split(".")
    rows = await connection.fetch(
        "select column_name, data_type from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position", schema, name
    )
    return {row["column_name"]: row["data_type"] for row in rows}


async def _copy_table(
    connection: asyncpg.Connection, table: str, columns: Mapping[str, str], where: str, changed: Mapping[str, str], numbers: tuple[int, int, int]
) -> None:
    """Copy the rows of one table for the copies first..last in one statement."""
    given = [changed.get(name) or _renamed(f"t.{name}", kind) for name, kind in columns.items()]
    overriding = "overriding system value" if table == "foundation.events" else ""
    names = ", ".join(f'"{name}"' for name in columns)
    text = (
        f"insert into {table} ({names}) {overriding} select {', '.join(given)} "  # noqa: S608
        f"from {table} t cross join (select k, lpad(to_hex(k), 4, '0') as digits from generate_series($1::bigint, $2::bigint) as k) c "
        f"where {where} and not {_is_copy('t.customer_id')}"
    )
    first, last, stride = numbers
    await connection.execute(text, *([first, last, stride] if "$3" in text else [first, last]))


def _renamed(column: str, kind: str) -> str:
    match kind:
        case "text":
            return f"case when {column} ~ '^{ID}' then overlay({column} placing c.digits from {AT} for 0) else {column} end"
        case "jsonb":
            return f"regexp_replace({column}::text, '\"([a-z]{{2}}-[0-9a-f]{{3}}-)([0-9a-f]{{24}})', '\"\\1' || c.digits || '\\2', 'g')::jsonb"
        case _:
            return column


def _is_copy(column: str) -> str:
    return f"length({column}) = 35"


async def _multiply_days(connection: asyncpg.Connection, copies: int) -> None:
    """Let what the day's end did for whole partitions, and what the boards count by day, grow with the people."""
    await connection.execute(f"update ledger.day_ends set {', '.join(f'{name} = {name} * ($1::bigint + 1)' for name in DAY_SUMS)}", copies)  # noqa: S608
    await connection.execute(f"update boards.days set {', '.join(f'{name} = {name} * ($1::bigint + 1)' for name in COUNTED)}", copies)  # noqa: S608
    await connection.execute("delete from ledger.day_balances")
    await connection.execute(
        "insert into ledger.postings (customer_id, posting_id, loan_id, no, kind, product, business_date, value_date, recorded_at, key, accounts, owners, amounts_fen) "
        "select customer_id, posting_id || '-crowd', loan_id, no, kind, product, business_date, value_date, recorded_at, key || '-crowd', accounts, owners, "
        "(select array_agg(fen * $1::bigint order by n) from unnest(amounts_fen) with ordinality as one (fen, n)) "
        "from ledger.postings where customer_id = $2 and kind in ('accrued', 'provided')",
        copies,
        NOBODY,
    )
    await connection.execute(
        "insert into ledger.day_balances select p.business_date, line.account, line.owner, sum(greatest(line.fen, 0)), sum(greatest(-line.fen, 0)) "
        "from ledger.postings p join ledger.closed_days c using (business_date), unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen) "
        "group by p.business_date, line.account, line.owner"
    )


# -- documents: renamed, hashed, sealed anew --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Papers:
    """What was signed for one loan, cut at every id, so that a copy is a joining of pieces."""

    customer_id: str
    loan_id: str
    number: int
    no: int
    at: Any
    table_sha256: str
    contract_sha256: str
    table: tuple[bytes, ...]
    contract: tuple[bytes, ...]
    evidence: tuple[bytes, ...]


_CUT = re.compile(rb"(?<=[\"/ :>])([a-z]{2}-[0-9a-f]{3}-)(?=[0-9a-f]{24})")


async def _documents(connection: asyncpg.Connection, keys: FieldKeys) -> list[_Papers]:
    rows = await connection.fetch(
        "select t.customer_id, t.loan_id, t.number, t.table_sha256, t.contract_sha256, p.no, p.at, a.content as table, b.content as contract, c.content as evidence "
        "from agreements.tables t join agreements.packs p using (customer_id, loan_id) "
        "join agreements.documents a on a.customer_id = t.customer_id and a.sha256 = t.table_sha256 "
        "join agreements.documents b on b.customer_id = t.customer_id and b.sha256 = t.contract_sha256 "
        "join agreements.documents c on c.customer_id = t.customer_id and c.sha256 = p.sha256 where t.state = 'signed' order by t.customer_id, p.no"
    )

    def pieces(row: Any, name: str) -> tuple[bytes, ...]:
        plain = keys.open(CONTENT, row["customer_id"], bytes(row[name]))
        return tuple(_CUT.split(plain))

    return [
        _Papers(
            row["customer_id"], row["loan_id"], row["number"], row["no"], row["at"], row["table_sha256"], row["contract_sha256"], pieces(row, "table"), pieces(row, "contract"),
            pieces(row, "evidence"),
        )
        for row in rows
    ]  # fmt: skip


def _join(parts: tuple[bytes, ...], digits: bytes) -> bytes:
    """Put a document together with the copy's digits in every id: parts are text, id, text, id, ..., text."""
    return b"".join(part + digits if k % 2 else part for k, part in enumerate(parts))


async def _copy_documents(connection: asyncpg.Connection, keys: FieldKeys, papers: list[_Papers], first: int, last: int) -> None:
    """Write the copies' documents, and put their hashes where the originals' stood."""
    documents: list[tuple[Any, ...]] = []
    hashes: list[tuple[str, str, str, str]] = []
    packs: list[tuple[Any, ...]] = []
    for k in range(first, last + 1):
        digits = f"{k:04x}"
        before: dict[str, str] = {}
        for one in papers:  # in the order of a person's chain
            who, loan_id = _other(one.customer_id, digits), _other(one.loan_id, digits)
            table = _join(one.table, digits.encode())
            table_sha256 = hashlib.sha256(table).hexdigest()
            contract = _join(one.contract, digits.encode()).replace(one.table_sha256.encode(), table_sha256.encode())
            contract_sha256 = hashlib.sha256(contract).hexdigest()
            pack = _join(one.evidence, digits.encode()).replace(one.contract_sha256.encode(), contract_sha256.encode())
            pack_sha256 = hashlib.sha256(pack).hexdigest()
            for kind, digest, content in (("cost_table", table_sha256, table), ("contract", contract_sha256, contract), ("evidence", pack_sha256, pack)):
                documents.append((who, digest, kind, loan_id, keys.seal(CONTENT, who, content), one.at))
            hashes.append((who, loan_id, table_sha256, contract_sha256))
            packs.append((who, one.no, loan_id, pack_sha256, before.get(who, "0" * 64), one.at))
            before[who] = pack_sha256
    await connection.copy_records_to_table("documents", schema_name="agreements", records=documents)
    await connection.copy_records_to_table("packs", schema_name="agreements", records=packs)
    people, loans, tables, contracts = (list(column) for column in zip(*hashes, strict=True))
    named = "from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as h (customer_id, loan_id, table_sha256, contract_sha256)"
    theirs = "t.customer_id = h.customer_id and t.loan_id = h.loan_id"
    await connection.execute(
        f"update agreements.tables t set table_sha256 = h.table_sha256, contract_sha256 = h.contract_sha256 {named} where {theirs}",  # noqa: S608
        people, loans, tables, contracts,
    )  # fmt: skip
    for name in ("ledger.loans", "payments.mandates"):
        await connection.execute(
            f"update {name} t set contract_sha256 = h.contract_sha256 {named} where {theirs} and h.table_sha256 is not null",  # noqa: S608
            people, loans, tables, contracts,
        )  # fmt: skip


def _other(name: str, digits: str) -> str:
    return name[: AT - 1] + digits + name[AT - 1 :]


# -- people -------------------------------------------------------------------------------------------------------------------------------------


async def _copy_identities(connection: asyncpg.Connection, keys: FieldKeys, people: list[str], first: int, last: int) -> None:
    """Give every copy a name and an id number of the simulated kind, so that staff can search among them."""
    rows = [dict(row) for row in await connection.fetch("select * from customers.identities where customer_id = any ($1)", people)]
    records = [_identity(keys, row, k, n) for k in range(first, last + 1) for n, row in enumerate(rows)]
    if records:
        await connection.copy_records_to_table("identities", schema_name="customers", columns=list(records[0]), records=[tuple(one.values()) for one in records])


def _identity(keys: FieldKeys, row: dict[str, Any], k: int, n: int) -> dict[str, Any]:
    who, number = _other(row["customer_id"], f"{k:04x}"), id_number(k * 1000 + n)
    name = name_of(k * 1000 + n)
    return row | {
        "customer_id": who,
        "name_sealed": keys.seal("name", who, name),
        "name_blind": keys.blind("name", name),
        "id_number_sealed": keys.seal("id_number", who, number),
        "id_blind": keys.blind("id_number", number),
        "tail_blind": keys.blind("id_tail", number[-4:]),
    }


def name_of(number: int) -> str:
    """Give a made-up name; some 20,000 differ."""
    return FAMILY[number % len(FAMILY)] + GIVEN[number // len(FAMILY) % len(GIVEN)] + GIVEN[number // len(FAMILY) // len(GIVEN) % len(GIVEN)]


def id_number(number: int) -> str:
    """Give a made-up id number: an address that no province has, a birthday, a running number, the right check sign."""
    born = date(1960, 1, 1) + timedelta(days=number // 999 % 14_000)
    signs = f"79{number // 999 // 14_000 % 100:02d}99{born:%Y%m%d}{number % 999 + 1:03d}"
    return signs + CHECKS[sum(int(digit) * weight for digit, weight in zip(signs, WEIGHTS, strict=True)) % 11]
