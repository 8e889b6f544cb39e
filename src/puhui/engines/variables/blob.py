"""Blobs: a person's history as one run of bytes; the same history gives the same bytes, in whatever order its rows came.

Layout: magic, 16 bytes of BLAKE2b over all that follows, length of the header (4 bytes, little-endian), the header (canonical JSON), the columns.
A column of whole numbers is its smallest value (in the header) and the differences to it in the narrowest of 0, 1, 2, 4 or 8 bytes. Event times
are differences to the row before; known times are differences to the row's event time. Booleans are bits; a column without nulls has none.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.catalogue import Catalogue, canonical
from puhui.engines.variables.refusals import DamagedBlob, OtherCatalogue
from puhui.engines.variables.tables import MOST_ROWS, NUMBER_BELOW, TIME_BELOW_US, Table

MAGIC = b"PHV1"
CHECK_BYTES = 16
Parts = tuple[Any, Any, Any, Any, Any, Any, Any, Any, tuple[tuple[str, ...], ...]]
FetchFacts = tuple[int, str, int | None]
_DTYPES = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


class RowsLike(Protocol):
    """The columns of one table, as `history.Rows` has them."""

    @property
    def event_id(self) -> NDArray[np.int64]: ...
    @property
    def event_time(self) -> NDArray[np.int64]: ...
    @property
    def known_time(self) -> NDArray[np.int64]: ...
    @property
    def revision(self) -> NDArray[np.int64]: ...
    @property
    def retracted(self) -> NDArray[np.bool_]: ...
    @property
    def values(self) -> NDArray[np.int64]: ...
    @property
    def ok(self) -> NDArray[np.bool_]: ...
    @property
    def codes(self) -> NDArray[np.int32]: ...
    @property
    def others(self) -> tuple[tuple[str, ...], ...]: ...
    def __len__(self) -> int: ...


class FetchLike(Protocol):
    """A fetch, as `history.Fetch` has it."""

    @property
    def at(self) -> Any: ...
    @property
    def consent(self) -> str: ...
    @property
    def until(self) -> Any: ...


def seal(magic: bytes, header: object, body: bytes) -> bytes:
    """Put a header and a body into checked bytes."""
    head = canonical(header)
    rest = struct.pack("<I", len(head)) + head + body
    return magic + hashlib.blake2b(rest, digest_size=CHECK_BYTES).digest() + rest


def unseal(magic: bytes, data: bytes) -> tuple[Any, bytes]:
    """Take checked bytes apart. Raises: DamagedBlob."""
    start = len(magic) + CHECK_BYTES
    if not isinstance(data, bytes | bytearray | memoryview) or len(data) < start + 4:
        raise DamagedBlob(why="they are too few")
    data = bytes(data)
    if data[: len(magic)] != magic:
        raise DamagedBlob(why="they are of another format or version")
    rest = data[start:]
    if hashlib.blake2b(rest, digest_size=CHECK_BYTES).digest() != data[len(magic) : start]:
        raise DamagedBlob(why="the checksum differs")
    (length,) = struct.unpack_from("<I", rest)
    try:
        return json.loads(rest[4 : 4 + length]), rest[4 + length :]
    except ValueError as wrong:
        raise DamagedBlob(why="the header is not readable") from wrong


def pack(catalogue: Catalogue, tables: Mapping[str, RowsLike | None], fetches: Mapping[str, tuple[FetchLike, ...]]) -> bytes:
    """Write a history."""
    heads: dict[str, object] = {}
    body: list[bytes] = []
    for table in catalogue.tables:
        rows = tables[table.name]
        asked = [[fetch.at, fetch.consent, fetch.until] for fetch in fetches[table.name]]
        heads[table.name] = [None if rows is None else _pack_rows(rows, body), asked]
    return seal(MAGIC, [catalogue.shape_sha256, heads], b"".join(body))


def _pack_rows(rows: RowsLike, body: list[bytes]) -> list[object]:
    steps = np.diff(rows.event_time, prepend=rows.event_time[:1])
    whole = [rows.event_id, steps, rows.known_time - rows.event_time, rows.revision, *rows.values, *rows.codes.astype(np.int64)]
    scales = [_pack_ints(column, body) for column in whole]
    bits = [_pack_bits(column, body) for column in (~rows.retracted, *rows.ok)]
    first = int(rows.event_time[0]) if len(rows) else 0
    return [len(rows), first, scales, bits, [list(others) for others in rows.others]]


def _pack_ints(column: NDArray[np.int64], body: list[bytes]) -> list[int]:
    if not len(column):
        return [0, 0]
    low, high = int(column.min()), int(column.max())
    width = next(width for width in (0, 1, 2, 4, 8) if high - low < 1 << (8 * width))
    if width:
        offsets = np.ascontiguousarray(column).view(np.uint64) - np.uint64(low % (1 << 64))
        body.append(offsets.astype(np.dtype(_DTYPES[width]).newbyteorder("<")).tobytes())
    return [low, width]


def _pack_bits(column: NDArray[np.bool_], body: list[bytes]) -> int:
    if column.all():
        return 0
    body.append(np.packbits(column).tobytes())
    return 1


class _Reader:
    """Walks over a blob's body. Raises ValueError where it is too short."""

    def __init__(self, body: bytes) -> None:
        self.body, self.place = body, 0

    def ints(self, rows: int, low: int, width: int) -> NDArray[np.int64]:
        if not width:
            return np.full(rows, low, np.int64)
        offsets = np.frombuffer(self.body, np.dtype(_DTYPES[width]).newbyteorder("<"), rows, self.place).astype(np.uint64)
        self.place += rows * width
        whole: NDArray[np.int64] = (offsets + np.uint64(low % (1 << 64))).view(np.int64)
        return whole

    def bits(self, rows: int, is_there: int) -> NDArray[np.bool_]:
        if not is_there:
            return np.ones(rows, np.bool_)
        size = (rows + 7) // 8
        bits = np.unpackbits(np.frombuffer(self.body, np.uint8, size, self.place), count=rows).astype(np.bool_)
        self.place += size
        return bits


def unpack(catalogue: Catalogue, data: bytes) -> tuple[dict[str, Parts | None], dict[str, list[FetchFacts]]]:
    """Read a history. Raises: DamagedBlob, OtherCatalogue."""
    header, body = unseal(MAGIC, data)
    try:
        shape, heads = header
        if shape != catalogue.shape_sha256:
            raise OtherCatalogue(what="blob")
        reader = _Reader(body)
        tables: dict[str, Parts | None] = {}
        fetches: dict[str, list[FetchFacts]] = {}
        for table in catalogue.tables:
            head, asked = heads[table.name]
            tables[table.name] = None if head is None else _unpack_rows(table, head, reader)
            fetches[table.name] = [(int(at), str(consent), None if until is None else int(until)) for at, consent, until in asked]
        if reader.place != len(body):
            raise DamagedBlob(why="there are bytes that belong to nothing")
    except (ValueError, TypeError, KeyError, IndexError) as wrong:
        raise DamagedBlob(why="the header and the columns do not fit") from wrong
    return tables, fetches


def _unpack_rows(table: Table, head: list[Any], reader: _Reader) -> Parts:
    rows, first, scales, bits, others = head
    if not 0 <= rows <= MOST_ROWS or len(scales) != 4 + len(table.fields) + len(table.texts) or len(bits) != 1 + len(table.fields):
        raise DamagedBlob(why="a table has other columns or too many rows")
    columns = [reader.ints(rows, low, width) for low, width in scales]
    event_time = np.cumsum(columns[1]) + first
    fields = len(table.fields)
    values = np.array(columns[4 : 4 + fields], np.int64).reshape(fields, rows)
    codes = np.array(columns[4 + fields :], np.int32).reshape(len(table.texts), rows)
    retracted, *ok = [reader.bits(rows, is_there) for is_there in bits]
    known_time = event_time + columns[2]
    most = [len(table.category.get(name, ())) + len(others[place]) for place, name in enumerate(table.texts)]
    if rows:
        low, high = min(event_time.min(), known_time.min()), max(event_time.max(), known_time.max())
        if low < 0 or high >= TIME_BELOW_US or (codes < 0).any() or (codes.max(axis=1, initial=0) > np.array(most)).any():
            raise DamagedBlob(why="a time or a code is out of range")
        if values.size and max(int(values.max()), -int(values.min())) >= NUMBER_BELOW:
            raise DamagedBlob(why="a number is out of range")
    mask = np.array(ok, np.bool_).reshape(fields, rows)
    return (columns[0], event_time, known_time, columns[3], ~retracted, values, mask, codes, tuple(tuple(some) for some in others))
