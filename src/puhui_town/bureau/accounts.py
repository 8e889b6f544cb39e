"""An account and an agreement as the bureau holds them: a fold of the records it accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from puhui_town.bureau.textfile import Record, Segment


@dataclass(frozen=True, slots=True)
class Filed:
    """One accepted segment: the report day and report-time code it came under."""

    report_day: date
    report_code: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `filed` holds every segment in force by (letter, report day)."""

    account: str
    reporter: str
    kind: str
    name: str
    id_number: str
    first_day: date
    filed: Mapping[tuple[str, date], Filed] = field(default_factory=dict)
    is_closed: bool = False
    is_deleted: bool = False
    notices: tuple[str, ...] = ()

    @property
    def opening(self) -> Segment | None:
        """Segment C, the newest."""
        return self._newest("C")

    @property
    def line(self) -> str:
        """The agreement (220) this account hangs on, or empty."""
        found = self._newest("F")
        return found.text("Mcc") if found else ""

    @property
    def months(self) -> dict[str, Segment]:
        """Segment H by month, oldest first."""
        found = {filed.segment.text("Month"): filed.segment for (letter, _), filed in sorted(self.filed.items()) if letter == "H"}
        return dict(sorted(found.items()))

    @property
    def standing(self) -> Segment | None:
        """The newest of all H and J."""
        both = [(day, letter) for letter, day in self.filed if letter in {"H", "J"}]
        return self.filed[(max(both)[1], max(both)[0])].segment if both else None

    @property
    def last_day(self) -> date:
        return max((day for _, day in self.filed), default=self.first_day)

    def _newest(self, letter: str) -> Segment | None:
        days = [day for held, day in self.filed if held == letter]
        return self.filed[letter, max(days)].segment if days else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A credit line (220)."""

    code: str
    reporter: str
    first_day: date
    limit: Segment
    ended: date | None = None
    is_deleted: bool = False


def load_account(held: Account | None, record: Record, reporter: str) -> Account:
    """The account after a 210 that passed all rules."""
    assert record.record_type == "210", record.record_type
    base = record.segments["B"]
    day = base.day("RptDate")
    assert day is not None
    code = base.text("RptDateCode")
    account = held or Account(
        account=base.text("AcctCode"),
        reporter=reporter,
        kind=base.text("AcctType"),
        name=base.text("Name"),
        id_number=base.text("IDNum"),
        first_day=day,
    )
    filed = {(letter, day): Filed(day, code, segment) for letter, segment in record.segments.items()}
    return replace(account, filed={**account.filed, **filed}, is_closed=account.is_closed or code in {"20", "32"})


def correct_account(held: Account, record: Record) -> Account:
    """The account after a 211, 212, 213, 214 or 215 that passed all rules."""
    fields = record.fields
    match record.record_type:
        case "211":
            return replace(held, account=fields.get("NwBnesCode") or held.account)
        case "212":
            letter, day = fields["MdfcSgmtCode"], date.fromisoformat(fields["RptDate"])
            before = held.filed[letter, day]
            return replace(held, filed={**held.filed, (letter, day): replace(before, segment=record.segments[letter])})
        case "213":
            letter, since, until = fields["DelSgmtCode"], date.fromisoformat(fields["DelStartDate"]), date.fromisoformat(fields["DelEndDate"])
            left = {key: filed for key, filed in held.filed.items() if not (key[0] == letter and since <= key[1] <= until)}
            still_closed = any(filed.report_code in {"20", "32"} for (kept, _), filed in left.items() if kept in {"H", "J"})
            return replace(held, filed=left, is_closed=held.is_closed and still_closed)
        case "214":
            return replace(held, is_deleted=True)
        case "215":
            note = f"{fields.get('Month', '')}:{fields.get('OpetnType', '')}:{fields.get('Flag', '')}"
            return replace(held, notices=(*held.notices, note))
        case _:
            raise AssertionError(record.record_type)


def load_agreement(held: Agreement | None, record: Record, reporter: str) -> Agreement:
    """The line after a 220 that passed all rules."""
    base, limit = record.segments["B"], record.segments["D"]
    day = base.day("RptDate")
    assert day is not None
    ended = day if base.text("RptDateCode") == "20" else None
    if held is None:
        return Agreement(base.text("ContractCode"), reporter, day, limit, ended)
    return replace(held, limit=limit, ended=ended or held.ended)
