"""Files that others wrote: cut, altered, of another kind, or made to hurt. Each reader gives what stands there or refuses with its code; none falls over.

A good file is made for each reader; then every mutation is tried on it. Whoever adds a reader of outside files adds it to READERS.
"""

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from puhui.engines.law import read_pack
from puhui.foundation import backup, config, crypto, keyfiles
from puhui.foundation.dayfiles import write_dayfile
from puhui.foundation.refusals import Refusal
from puhui.foundation.services import Answer, Unknown
from puhui.rooms import bureau, funding, payments
from puhui.rooms.funding import BalanceRow
from puhui.vocabulary import products

PUHUI = Path(products.__file__).parents[1]
RAIL = ("settle_date", "rail_id", "order_id", "direction", "state", "amount_fen", "fee_fen", "ended_at")
DEEP = 30_000


@dataclass(frozen=True)
class Reader:
    """A reader, the code it refuses with, and the bytes of a good file."""

    read: Callable[[bytes, Path], Any]
    code: str
    good: Callable[[], bytes]


def at(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def good_rail() -> bytes:
    ended = "2026-09-01T09:02:00+08:00"
    return write_dayfile(
        RAIL,
        [
            ("2026-09-01", "r-1", "po-1", "pay_out", "paid", 200_000, 0, ended),
            ("2026-09-01", "r-2", "", "received", "paid", 5_000, 0, ended),
            ("2026-09-01", "r-3", "po-3", "collect", "returned", 5_000, 10, ended),
        ],
    )


def good_mirror() -> bytes:
    return funding.write_balances([BalanceRow(f"ln-{n}", date(2026, 9, 1), 1000 * n, n, 0, "normal") for n in range(1, 4)])


def good_backup() -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        manifest = json.dumps({"format": backup.FORMAT, "taken_at": "2026-09-01", "migrations": {}, "tables": []}).encode()
        put(archive, "manifest.json", manifest)
    return body.getvalue()


def good_private_key() -> bytes:
    return Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


READERS: dict[str, Reader] = {
    "the rail's file": Reader(lambda content, _: payments.read_transfers("rail-transfers-lender-20260901-p1-r1.csv", content), "dayfiles.refused", good_rail),
    "a funder's mirror": Reader(lambda content, _: funding.read_mirror("funder-mirror-funder-07-20260901-p1-r1.csv", content), "dayfiles.refused", good_mirror),
    "a rule pack": Reader(
        lambda content, folder: read_pack(at(folder / "pack.toml", content)),
        "law.pack-unreadable",
        lambda: min((PUHUI / "engines" / "law" / "packs").glob("*.toml")).read_bytes(),
    ),
    "a product": Reader(lambda content, _: products.read_product(content), "products.unreadable", (PUHUI / "products" / "starter.toml").read_bytes),
    "the configuration": Reader(
        lambda content, folder: config.read({"PUHUI_CONFIG": str(at(folder / "puhui.toml", content))}),
        "config.",
        lambda: b'port = 8001\nclock = "live"\nrail_url = "http://127.0.0.1:1"\nhome = "here"\n',
    ),
    "a backup": Reader(lambda content, folder: backup.check(at(folder / "b.tar", content)), "backup.unusable", good_backup),
    "a private key": Reader(lambda content, folder: keyfiles.load_private(at(folder / "k.pem", content), "k-1"), "keys.unusable", good_private_key),
    "a public key": Reader(
        lambda content, folder: keyfiles.load_public(at(folder / "k.pub", content), "k-1", "driver"),
        "keys.unusable",
        lambda: b"MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n",
    ),
    "the field keys": Reader(
        lambda content, folder: crypto.load_keys(at(folder / "keys.json", content)),
        "crypto.key-file",
        lambda: json.dumps({"index_key": "A" * 43 + "=", "keys": {"1": "B" * 42 + "A="}}).encode(),
    ),
}


def mutated(good: bytes, dice: random.Random) -> Iterator[bytes]:
    """Give what a good file becomes on bad ways, and what was never one."""
    yield from (b"", b"\0", b"\xff\xfe\x00", b"\xef\xbb\xbf" + good, good.replace(b"\n", b"\r\n"), good + good, b"\n" * 1000, bytes(10_000))
    yield from (b"PK\x03\x04" + good, b"\x1f\x8b\x08" + good, b"BZh9" + good, b"\xfd7zXZ\x00" + good, b"%PDF-1.7", b"<xml/>", b"{}", b"[]", b"null", b"1")
    yield from (b"a = " + b"[" * DEEP, b"[" * DEEP, b'{"a":' * DEEP, b"a = " + b"{a=" * DEEP, b'"' + b"x" * 300_000, b"1" * 5_000)
    yield from (good[: len(good) * n // 23] for n in range(23))
    for _ in range(60):
        place = dice.randrange(len(good))
        yield good[:place] + bytes([dice.randrange(256)]) + good[place + 1 :]
    for _ in range(30):
        since, until = sorted(dice.randrange(len(good)) for _ in range(2))
        yield good[:since] + good[until:]
    yield from other_lines(good.splitlines(keepends=True)[:60])


def other_lines(lines: list[bytes]) -> Iterator[bytes]:
    """Give the file without each of its lines, with each of them twice, and each field with another value."""
    values = (b" 5\n", b' "x"\n', b" []\n", b" [[]]\n", b" {}\n", b" -1\n", b" 1e400\n", b" nan\n", b" 2026-09-01\n", b' "\\u0000"\n', b" true\n")
    for n, line in enumerate(lines):
        before, after = b"".join(lines[:n]), b"".join(lines[n + 1 :])
        yield before + after
        yield before + line + line + after
        name, equals, _ = line.partition(b"=")
        if equals:
            yield from (before + name + b"=" + value + after for value in values)


@pytest.mark.parametrize("name", READERS)
def test_a_hostile_file_is_refused_with_a_code(name, tmp_path):
    reader = READERS[name]
    assert reader.read(reader.good(), tmp_path) is not None, "the good one is good"
    refused, codes = 0, set()
    for content in mutated(reader.good(), random.Random(name)):
        try:
            reader.read(content, tmp_path)
        except Refusal as refusal:
            refused += 1
            codes.add(refusal.code)
        except Exception as fault:
            told = f"{content[:300]!r} made {type(fault).__name__}: {fault}"
            raise AssertionError(told) from fault
    assert refused > 20
    assert all(code.startswith(reader.code) for code in codes), codes


@pytest.mark.parametrize(
    ("read", "code"),
    [
        (read_pack, "law.pack-unreadable"),
        (backup.check, "backup.unusable"),
        (lambda path: keyfiles.load_private(path, "k-1"), "keys.unusable"),
        (lambda path: keyfiles.load_public(path, "k-1", "driver"), "keys.unusable"),
        (crypto.load_keys, "crypto.key-file"),
        (lambda path: config.read({"PUHUI_CONFIG": str(path)}), "config.unreadable"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_code(read, code, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    for path in (tmp_path / "missing", folder, tmp_path / "x" / "y"):
        with pytest.raises(Refusal) as refused:
            read(path)
        assert refused.value.code == code


async def test_a_backup_names_only_tables_of_this_house_and_rows_they_can_hold(database_url, tmp_path):
    """Its hashes can be right and its words still mean harm: they are never put into SQL, and a row that no table holds undoes all."""
    connection = await asyncpg.connect(database_url)
    try:
        good = tmp_path / "good.tar"
        await backup.write(connection, good, taken_at=datetime(2026, 9, 1, tzinfo=UTC))
        changes = (
            {"name": "clock; drop schema foundation cascade; --"},
            {"schema": "pg_catalog", "name": "pg_authid"},
            {"rows": -1},
            {"sha256": None},
            {"name": 5},
        )
        for number, change in enumerate(changes):
            with pytest.raises(Refusal, match=r"backup\."):
                await backup.read(connection, altered(good, tmp_path / f"bad-{number}.tar", change))
        with pytest.raises(backup.BackupUnusable):
            await backup.read(connection, altered(good, tmp_path / "row.tar", {}, b"this is\tno row of that table\n"))
        assert await connection.fetchval("select count(*) from foundation.migrations") > 0
    finally:
        await connection.close()


def altered(good: Path, bad: Path, change: dict[str, Any], body: bytes = b"") -> Path:
    """Write a backup whose first table is told otherwise, with hashes that fit."""
    with tarfile.open(good) as archive, tarfile.open(bad, "w") as other:
        manifest = json.loads(archive.extractfile("manifest.json").read())
        first = manifest["tables"][0]
        old = f"{first['schema']}.{first['name']}.copy"
        content = body or archive.extractfile(old).read()
        first |= {"sha256": hashlib.sha256(content).hexdigest(), "rows": content.count(b"\n")} | change
        new = f"{first['schema']}.{first['name']}.copy"
        for name in archive.getnames():
            data = json.dumps(manifest).encode() if name == "manifest.json" else content if name == old else archive.extractfile(name).read()
            put(other, new if name == old else name, data)
    return bad


def put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"state": 5, "feedback": []},
        {"state": "checked", "accepted": "many", "feedback": []},
        {"state": "checked", "accepted": 1, "feedback": "none"},
        {"state": "checked", "accepted": 1, "feedback": [{"line": "first", "code": "B01"}]},
        {"state": "checked", "accepted": 1, "feedback": [{"code": "B01"}]},
        {"state": "checked", "accepted": 1, "feedback": [5]},
        {"state": "checked", "accepted": 1, "feedback": [], "next_cursor": 5},
        {"state": "checked", "accepted": 1, "feedback": [], "next_cursor": "always-the-same"},
    ],
)
async def test_feedback_of_the_bureau_that_is_none_counts_as_no_answer(body):
    class Bureau:
        async def get(self, _path: str) -> Answer:
            return Answer(200, body)

    assert isinstance(await bureau.ask_batch(Bureau(), "b-1"), Unknown)
