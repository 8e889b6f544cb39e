"""Exports: a list of a screen whole, under its filters, as CSV or Parquet. Never personal data; every export is in the audit."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

from starlette.responses import Response

from puhui.foundation.refusals import BadField, NotFound
from puhui.rooms import staff
from puhui.web.console.blocks import Column, Table
from puhui.web.console.render import rows_of_table
from puhui.web.console.screen import Screen
from puhui.web.console.visit import Visit

ROWS_MAX = 200_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def send(screen: Screen, visit: Visit) -> Response:
    """Answer `?as=csv` or `?as=parquet` of a screen with a list. Raises BadField, NotFound (there is no list)."""
    wanted = visit.query["as"]
    if wanted not in {"csv", "parquet"}:
        raise BadField(field="as", why="csv or parquet")
    columns, rows = await _read(screen, visit)
    async with visit.writing() as work:
        await staff.note(work, visit.member, verb="export", subject=screen.name, facts={"rows": len(rows), "as": wanted})
    data = _csv(columns, rows) if wanted == "csv" else _parquet(columns, rows)
    kind = "text/csv; charset=utf-8" if wanted == "csv" else "application/vnd.apache.parquet"
    return Response(data, headers=HEADERS | {"Content-Disposition": f'attachment; filename="puhui-{screen.name}.{wanted}"'}, media_type=kind)


async def _read(screen: Screen, visit: Visit) -> tuple[Sequence[Column], list[list[str | int | None]]]:
    rows: list[list[str | int | None]] = []
    page = 1
    while True:
        sheet = await screen.read(replace(visit, query={**visit.query, "page": str(page)}, is_export=True))
        table = next((block for block in sheet.blocks if isinstance(block, Table) and block.is_listing), None)
        if table is None:
            raise NotFound(what="list to export", which=screen.name)
        rows += rows_of_table(table.columns, table.rows)
        if len(rows) >= min(table.total or 0, ROWS_MAX) or not table.rows:
            return table.columns, rows
        page += 1


def _csv(columns: Sequence[Column], rows: list[list[str | int | None]]) -> bytes:
    """Give UTF-8 with a mark for spreadsheets; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_named(column) for column in columns])
    writer.writerows([[f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value for value in row] for row in rows])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _parquet(columns: Sequence[Column], rows: list[list[str | int | None]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [_named(column) for column in columns]
    whole = {"money": pa.int64(), "count": pa.int64(), "ppm": pa.int64(), "rate": pa.int64(), "ms": pa.int64(), "seconds": pa.int64(), "yes": pa.int64()}
    kinds = [whole.get(column.kind, pa.string()) for column in columns]
    table = pa.table({name: pa.array([row[k] for row in rows], kinds[k]) for k, name in enumerate(names)})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _named(column: Column) -> str:
    return column.name if column.kind != "money" or column.name.endswith("_fen") else f"{column.name}_fen"
