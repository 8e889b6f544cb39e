"""Blobs: a person's history as one run of bytes; the same history gives the same bytes, in whatever order its rows came.

Layout: magic, the first 16 bytes of SHA-256 over all that follows, length of the header (4 bytes, little-endian), the header (canonical JSON), the columns.
A column of whole numbers is its smallest value (in the header) and the differences to it in the narrowest of 0, 1, 2, 4 or 8 bytes. Event times
are differences to the row before; known times are differences to the row's event time. Booleans are bits; a column without nulls has none.
"""

import hashlib
import struct
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import msgspec
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
    return magic + hashlib.sha256(rest).digest()[:CHECK_BYTES] + rest


def unseal(magic: bytes, data: bytes) -> tuple[Any, bytes]:
    """Take checked bytes apart. Raises: DamagedBlob."""
    start = len(magic) + CHECK_BYTES
    if not isinstance(data, bytes | bytearray | memoryview) or len(data) < start + 4:
        raise DamagedBlob(why="they are too few")
    data = bytes(data)
    if data[: len(magic)] != magic:
        raise DamagedBlob(why="they are of another format or version")
    rest = data[start:]
    if hashlib.sha256(rest).digest()[:CHECK_BYTES] != data[len(magic) : start]:
        raise DamagedBlob(why="the checksum differs")
    (length,) = struct.unpack_from("<I", rest)
    try:
        return msgspec.json.decode(rest[4 : 4 + length]), rest[4 + length :]
    except (msgspec.DecodeError, ValueError, RecursionError) as wrong:
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


def unpack(
    catalogue: Catalogue, data: bytes, wanted: Collection[str] | None = None,
) -> tuple[dict[str, Parts | None], dict[str, list[FetchFacts]]]:
    """Read a history; of the tables `wanted` only, if they are named: the others are as if never fetched. Raises: DamagedBlob, OtherCatalogue."""
    header, body = unseal(MAGIC, data)
    try:
        shape, heads = header
        if shape != catalogue.shape_sha256:
            raise OtherCatalogue(what="blob")
        whole, place = np.frombuffer(body, np.uint8), 0
        tables: dict[str, Parts | None] = {}
        fetches: dict[str, list[FetchFacts]] = {}
        for table in catalogue.tables:
            head, asked = heads[table.name]
            tables[table.name] = None
            if head is not None and (wanted is None or table.name in wanted):
                tables[table.name], place = _unpack_rows(table, head, whole, place)
            elif head is not None:
                place += _size_of(head)
            fetches[table.name] = [(int(at), str(consent), None if until is None else int(until)) for at, consent, until in asked]
        if place != len(body):
            raise DamagedBlob(why="there are bytes that belong to nothing")
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as wrong:
        raise DamagedBlob(why="the header and the columns do not fit") from wrong
    return tables, fetches


def _unpack_rows(table: Table, head: list[Any], body: NDArray[np.uint8], place: int) -> tuple[Parts, int]:
    from puhui.engines.variables import kernels

    rows, first, scales, bits, others = head
    fields, texts = len(table.fields), len(table.texts)
    numbers, flags = np.array([*scales, [first, rows]]), np.array(bits)
    if numbers.dtype != np.int64 or numbers.ndim != 2 or not 0 <= rows <= MOST_ROWS or len(scales) != 4 + fields + texts:
        raise DamagedBlob(why="a table has other columns or too many rows")
    if flags.dtype != np.int64 or flags.shape != (1 + fields,) or len(others) != texts:
        raise DamagedBlob(why="a table has other columns")
    lows, widths = numbers[:-1, 0].copy(), numbers[:-1, 1].copy()
    if not set(widths.tolist()) <= {0, 1, 2, 4, 8} or not set(flags.tolist()) <= {0, 1}:
        raise DamagedBlob(why="a column has another width")
    whole, mask = np.empty((len(widths), rows), np.int64), np.empty((1 + fields, rows), np.bool_)
    least, most = np.empty(len(widths), np.int64), np.empty(len(widths), np.int64)
    place = kernels.unpack_table(body, place, rows, first, lows, widths, flags, whole, mask, least, most)
    if place < 0:
        raise DamagedBlob(why="the columns are too short")
    event_time, known_time, values, codes = whole[1], whole[2], whole[4 : 4 + fields], whole[4 + fields :].astype(np.int32)
    if rows:
        _check_ranges(table, least.tolist(), most.tolist(), [len(table.category.get(name, ())) + len(others[place]) for place, name in enumerate(table.texts)])
    named = tuple(tuple(str(value) for value in some) for some in others)
    return (whole[0], event_time, known_time, whole[3], ~mask[0], values, mask[1:], codes, named), place


def _size_of(head: list[Any]) -> int:
    """Give how many bytes the columns of a table take."""
    rows, _, scales, bits, _ = head
    size = sum(rows * width for _, width in scales) + sum((rows + 7) // 8 for is_there in bits if is_there)
    if not isinstance(size, int) or size < 0:
        raise DamagedBlob(why="a table has an impossible size")
    return size


def _check_ranges(table: Table, least: list[int], most: list[int], codes: list[int]) -> None:
    """Refuse what `read` would have refused: rows out of order, a time, a number or a code out of its range. `least[1]` is negative if a step is."""
    fields = 4 + len(table.fields)
    if min(least[:4]) < 0 or max(most[1:3]) >= TIME_BELOW_US:
        raise DamagedBlob(why="a time is out of range or out of order")
    if min(least[fields:], default=0) < 0 or any(high > known for high, known in zip(most[fields:], codes, strict=True)):
        raise DamagedBlob(why="a code is out of range")
    if min(least[4:fields], default=0) <= -NUMBER_BELOW or max(most[4:fields], default=0) >= NUMBER_BELOW:
        raise DamagedBlob(why="a number is out of range")
