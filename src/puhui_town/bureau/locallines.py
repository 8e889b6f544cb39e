"""The local bureau's format: one JSON object a line and account-month, with the same facts as the text file; amounts in fen.

Required: `account, month (YYYY-MM), report_day, name, id_type, id_number, opened:day, loan_fen, balance_fen, overdue_fen,
overdue_principal_fen, days_late:int, status (BUREAU.md 4.6), class:int 1..5`; `closed:day` when the account is closed.
Findings carry the ids of the rules they repeat (B02, B04..B08, B16), or `L01` for a line that is not such an object.
"""

from collections.abc import Iterator, Mapping
from datetime import date

import msgspec

from puhui_town.bureau.rules import LATE, is_id_number
from puhui_town.bureau.textfile import Finding, Malformed


class Line(msgspec.Struct, frozen=True, rename={"class_": "class"}):
    """One account-month."""

    account: str
    month: str
    report_day: date
    name: str
    id_type: str
    id_number: str
    opened: date
    loan_fen: int
    balance_fen: int
    overdue_fen: int
    overdue_principal_fen: int
    days_late: int
    status: str
    class_: int
    closed: date | None = None


class Reported(msgspec.Struct, frozen=True):
    """What the local bureau keeps of an account."""

    last_month: str
    is_closed: bool


_DECODER = msgspec.json.Decoder(Line)


def parse_line(line: str) -> Line:
    """One account-month. Raises Malformed (L01)."""
    try:
        return _DECODER.decode(line.encode())
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise Malformed(Finding("L01", "the line is not one account-month with all its fields")) from None


def line_findings(line: Line, held: Mapping[str, Reported]) -> Iterator[Finding]:
    """What is wrong with the line."""
    earlier = held.get(line.account)
    late = line.status in LATE
    if min(line.loan_fen, line.balance_fen, line.overdue_fen, line.overdue_principal_fen, line.days_late) < 0 or line.class_ not in {1, 2, 3, 4, 5, 9}:
        yield Finding("L01", "an amount is below 0, or the class is none")
    if line.closed is not None and (line.balance_fen or line.overdue_fen):
        yield Finding("B02", "a closed account has a balance of 0")
    if (line.status in {"C", "G"}) != (line.closed is not None):
        yield Finding("B04", "status C or G if and only if the account is closed")
    if late != (line.overdue_fen > 0) and line.status != "B":
        yield Finding("B05", "late if and only if something is overdue")
    if late and line.status != _band(line.days_late):
        yield Finding("B05", "the band is not that of the days late")
    if line.overdue_principal_fen > line.balance_fen:
        yield Finding("B06", "the overdue principal is more than the balance")
    if line.month != f"{line.report_day:%Y-%m}":
        yield Finding("B08", "month is not the month of report_day")
    if earlier is not None and line.month <= earlier.last_month:
        yield Finding("B08", f"the month {line.month} was reported before")
    if not line.name.strip() or not is_id_number(line.id_number):
        yield Finding("B16", "the name is empty or the id number has a wrong check digit")
    if earlier is not None and earlier.is_closed:
        yield Finding("B17", "a closed account takes no more records")


def _band(days_late: int) -> str:
    """1 for 1..30 days late, 2 for 31..60, up to 7 for more than 180."""
    return str(min((max(days_late, 1) - 1) // 30 + 1, 7))
