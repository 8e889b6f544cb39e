"""Validation rules B01..B17 (BUREAU.md section 6), by which the bureau takes a record or rejects it. A rejected record changes nothing.

Each rule is one function of the record and of what the bureau holds; it yields what it finds. Which rules a record type meets stands in
`RULES` below. The lender checks itself by rules of its own; nothing is shared with it.
"""

import calendar
from collections.abc import Callable, Iterator
from datetime import date
from typing import Protocol

from puhui_town.bureau.accounts import Account, Agreement
from puhui_town.bureau.codes import codes
from puhui_town.bureau.textfile import Finding, Record, Segment

CLOSING = frozenset({"20", "32"})
FIRST = frozenset({"10", "31"})
LATE = "1234567"
AGED = ("Oved31_60Princ", "Oved61_90Princ", "Oved91_180Princ", "OvedPrinc180")
AGED_OF_STATUS = {"1": -1, "2": 0, "3": 1, "4": 2, "5": 2, "6": 2, "7": 3}
INSTALLMENT_MODES = frozenset({"11", "12", "13", "19"})
PERIODS = frozenset({"01", "02", "03", "04", "05", "06", "12", "13", "14"})


class Held(Protocol):
    """What the bureau holds, as rules see it."""

    def account(self, account: str) -> Account | None:
        """The account, also a closed one; None when there is none or it was deleted whole."""
        ...

    def agreement(self, code: str) -> Agreement | None:
        """The agreement, also an ended one; None when there is none or it was deleted whole."""
        ...


Rule = Callable[[Record, Held], Iterator[Finding]]


def findings(record: Record, held: Held) -> tuple[Finding, ...]:
    """Everything that is wrong with the record; empty when it may be taken."""
    return tuple(found for rule in RULES[record.record_type] for found in rule(record, held))


def b01_first_report(record: Record, held: Held) -> Iterator[Finding]:
    base = record.segments["B"]
    account = held.account(base.text("AcctCode"))
    code, day = base.text("RptDateCode"), _report_day(record)
    if account is None:
        if code not in FIRST:
            yield Finding("B01", "the first report of an account is 10 or 31", "B")
        elif "C" not in record.segments:
            yield Finding("B01", "the first report of an account has segments B and C", "C")
    elif code in FIRST:
        yield Finding("B01", "the account was reported before", "B")
    elif day < account.first_day:
        yield Finding("B01", "nothing may be loaded before the first report", "B")
    elif (base.text("AcctType"), base.text("IDNum"), base.text("Name")) != (account.kind, account.id_number, account.name):
        yield Finding("B01", "account type, name or id number differ from those of the first report", "B")


def b02_closing(record: Record, _: Held) -> Iterator[Finding]:
    code, day = record.segments["B"].text("RptDateCode"), _report_day(record)
    letter, standing = _standing(record)
    if standing is None:
        if code in CLOSING:
            yield Finding("B02", "a closing report says how the account stands", "H")
        return
    yield from _closing(code, letter, standing)
    if code in CLOSING and (code == "32") != _is_month_end(day):
        yield Finding("B02", "closed is 32 on a month-end day, 20 on any other", "B")


def _closing(code: str, letter: str, standing: Segment) -> Iterator[Finding]:
    closed = standing.text("AcctStatus") == "3"
    if closed != (code in CLOSING):
        yield Finding("B02", "report-time 20 or 32 if and only if the status is 3, closed", letter)
    if closed:
        left = [name for name in ("AcctBal", "TotOverd", "OverdPrinc", *AGED, "OverdPrd", "RemRepPrd") if standing.yuan(name)]
        if left:
            yield Finding("B02", f"of a closed account {', '.join(left)} is 0", letter)
        if standing.day("CloseDate") is None:
            yield Finding("B02", "a closed account has its CloseDate", letter)


def b03_days(record: Record, held: Held) -> Iterator[Finding]:
    opening = record.segments.get("C")
    account = held.account(record.account)
    opened = (opening or (account.opening if account else None) or Segment("", {})).day("OpenDate")
    letter, standing = _standing(record)
    yield from _days_in_order(opened, letter, standing, _report_day(record))
    if opening is not None and opened is not None and opened > _report_day(record):
        yield Finding("B03", "OpenDate is after RptDate", "C")


def _days_in_order(opened: date | None, letter: str, standing: Segment | None, report_day: date) -> Iterator[Finding]:
    if standing is None:
        return
    closed = standing.day("CloseDate")
    for name in ("LatRpyDate", "FiveCateAdjDate", "CloseDate"):
        found = standing.day(name)
        if found is not None and found > report_day:
            yield Finding("B03", f"{name} is after RptDate", letter)
        if closed is not None and found is not None and closed < found:
            yield Finding("B03", f"CloseDate is before {name}", letter)
    if closed is not None and opened is not None and closed < opened:
        yield Finding("B03", "CloseDate is before OpenDate", letter)


def b04_settled(record: Record, _: Held) -> Iterator[Finding]:
    yield from _settled(*_standing(record))


def _settled(letter: str, standing: Segment | None) -> Iterator[Finding]:
    status = standing.text("RpyStatus") if standing else ""
    if standing is None or not status:
        return
    if (status in {"C", "G"}) != (standing.text("AcctStatus") == "3"):
        yield Finding("B04", "RpyStatus C or G if and only if the account is closed", letter)
    if status == "C" and standing.yuan("AcctBal"):
        yield Finding("B04", "RpyStatus C needs a balance of 0", letter)


def b05_band(record: Record, _: Held) -> Iterator[Finding]:
    yield from _band(*_standing(record))


def _band(letter: str, standing: Segment | None) -> Iterator[Finding]:
    status = standing.text("RpyStatus") if standing else ""
    if standing is None or not status:
        return
    overdue = standing.yuan("TotOverd")
    if status in LATE and overdue == 0:
        yield Finding("B05", f"RpyStatus {status} needs an overdue total", letter)
    if status in {"N", "*", "M", "C"} and overdue > 0:
        yield Finding("B05", f"RpyStatus {status} has no overdue total", letter)
    if status in AGED_OF_STATUS and any(name in standing.fields for name in AGED):
        own = AGED_OF_STATUS[status]
        if any(standing.yuan(name) for name in AGED[own + 1 :]):
            yield Finding("B05", f"RpyStatus {status} is younger than the aged principal", letter)
        # an amount under half a yuan is rounded to 0, so the oldest part alone may be missing
        if own >= 0 and standing.yuan("OverdPrinc") and not any(standing.yuan(name) for name in AGED[: own + 1]):
            yield Finding("B05", f"RpyStatus {status} without aged principal", letter)
    if status in {"N", "*", "M", "C"} and any(standing.yuan(name) for name in AGED):
        yield Finding("B05", f"RpyStatus {status} with aged principal", letter)


def b06_overdue_principal(record: Record, _: Held) -> Iterator[Finding]:
    yield from _overdue_principal(*_standing(record))


def _overdue_principal(letter: str, standing: Segment | None) -> Iterator[Finding]:
    if standing is None:
        return
    principal = standing.yuan("OverdPrinc")
    # amounts are rounded one by one, so four parts may be two yuan more than their sum
    if principal + 2 < sum(standing.yuan(name) for name in AGED):
        yield Finding("B06", "the overdue principal is less than its aged parts", letter)
    if principal > standing.yuan("AcctBal"):
        yield Finding("B06", "the overdue principal is more than the balance", letter)


def b07_standing(record: Record, _: Held) -> Iterator[Finding]:
    yield from _status(*_standing(record))


def _status(letter: str, standing: Segment | None) -> Iterator[Finding]:
    if standing is None:
        return
    status = standing.text("AcctStatus")
    overdue = standing.yuan("TotOverd") > 0 or standing.yuan("OverdPrd") > 0
    if status in {"1", "2"} and (status == "2") != overdue:
        yield Finding("B07", "status 2 if and only if something is overdue", letter)
    if status in {"41", "42"} and standing.text("FiveCate") != "5" and standing.text("RpyStatus") != "B":
        yield Finding("B07", "bad debt goes with class 5 or RpyStatus B", letter)


def b08_months(record: Record, held: Held) -> Iterator[Finding]:
    account = held.account(record.account)
    base, day = record.segments["B"], _report_day(record)
    code, month = base.text("RptDateCode"), record.segments.get("H")
    if code in {"30", "32"} and month is None and base.text("AcctType") != "C1":
        yield Finding("B08", "a month-end report has the month", "H")
    if code == "40" and (month is not None or "J" not in record.segments):
        yield Finding("B08", "recovered money between month ends comes with J", "J")
    reported = account.months if account else {}
    if month is not None:
        name = month.text("Month")
        if name != f"{day:%Y-%m}":
            yield Finding("B08", "Month is not the month of RptDate", "H")
        if name in reported:
            yield Finding("B08", f"the month {name} was reported before", "H")
    if (month is not None or code in CLOSING) and account is not None:
        last = max(reported) if reported else _month_before(_opening_month(account))
        expected = _month_after(last)
        if f"{day:%Y-%m}" > expected:
            yield Finding("B08", f"the month {expected} is missing", "H")
        elif month is not None and reported and month.text("Month") < last:
            yield Finding("B08", f"the month {last} is already reported", "H")


def b09_repayment_mode(record: Record, _: Held) -> Iterator[Finding]:
    yield from _repayment_mode(record.segments.get("C"))


def _repayment_mode(opening: Segment | None) -> Iterator[Finding]:
    if opening is None:
        return
    mode, frequency = opening.text("RepayMode"), opening.text("RepayFreqcy")
    if frequency == "07" and mode not in {"21", "22", "29"}:
        yield Finding("B09", "once (07) goes only with 21, 22, 29", "C")
    if mode in INSTALLMENT_MODES and frequency not in PERIODS:
        yield Finding("B09", "repayment by installments has a period", "C")


def b10_kind(record: Record, _: Held) -> Iterator[Finding]:
    yield from _kind(record.segments["B"].text("AcctType"), record.segments.get("C"))


def _kind(kind: str, opening: Segment | None) -> Iterator[Finding]:
    if opening is None:
        return
    line = opening.text("BusiLines")
    if kind in {"R4", "D1"} and not opening.yuan("LoanAmt"):
        yield Finding("B10", f"{kind} needs LoanAmt", "C")
    if kind == "R1" and not opening.text("AcctCredLine"):
        yield Finding("B10", "R1 needs AcctCredLine", "C")
    if kind == "C1" and line not in {"5", "6"}:
        yield Finding("B10", "C1 is only for disposal and advance", "C")
    if (kind in {"R2", "R3"}) != (line == "2"):
        yield Finding("B10", "R2 and R3 are for cards, and only they", "C")
    if kind == "R4" and not opening.text("FundSou"):
        yield Finding("B10", "R4 needs FundSou", "C")


def b11_line(record: Record, held: Held) -> Iterator[Finding]:
    base, day = record.segments["B"], _report_day(record)
    credit = record.segments.get("F")
    account = held.account(record.account)
    line = credit.text("Mcc") if credit else account.line if account else ""
    if base.text("AcctType") == "R4" and account is None and credit is None:
        yield Finding("B11", "a drawing names the agreement it hangs on", "F")
    if not line:
        return
    agreement = held.agreement(line)
    if agreement is None:
        yield Finding("B11", "the agreement is not known here", "F")
    elif agreement.ended is not None and day > agreement.ended:
        yield Finding("B11", "the agreement is void; nothing more is loaded under it", "F")


def b12_agreement(record: Record, held: Held) -> Iterator[Finding]:
    base, limit = record.segments["B"], record.segments.get("D")
    agreement, code = held.agreement(base.text("ContractCode")), base.text("RptDateCode")
    if limit is None:
        yield Finding("B12", "an agreement has the limit segment", "D")
        return
    start, end = limit.day("ConEffDate"), limit.day("ConExpDate")
    if start is not None and end is not None and start > end:
        yield Finding("B12", "the agreement ends before it starts", "D")
    if agreement is None and code != "10":
        yield Finding("B12", "the first report of an agreement is 10", "B")
    if agreement is not None and code == "10":
        yield Finding("B12", "the agreement was reported before", "B")
    if agreement is not None and code != "30" and limit.yuan("CreditLim") != agreement.limit.yuan("CreditLim"):
        yield Finding("B12", "the limit changes only with 30", "D")
    if agreement is not None and agreement.ended is not None:
        yield Finding("B11", "the agreement is void; nothing more is loaded under it", "B")
    if (code == "20") != (limit.text("ConStatus") == "2"):
        yield Finding("B12", "status 2, ended, if and only if report-time 20", "D")


def b13_others(record: Record, _: Held) -> Iterator[Finding]:
    yield from _others(record.segments.get("D"))


def _others(others: Segment | None) -> Iterator[Finding]:
    if others is None:
        return
    if others.yuan("RltRepymtNm") != len(others.rows):
        yield Finding("B13", "RltRepymtNm is not the number of persons", "D")
    for row in others.rows:
        amount, contract = row.get("ArlpAmt", ""), row.get("MaxGuarMcc", "")
        if row.get("ArlpType") == "1" and amount:
            yield Finding("B13", "the amount of a co-borrower is empty", "D")
        if row.get("ArlpType") == "2" and not (amount and contract):
            yield Finding("B13", "a guarantor has an amount and a contract number", "D")


def b14_correction(record: Record, held: Held) -> Iterator[Finding]:
    account = held.account(record.account)
    fields = record.fields
    if account is None:
        yield Finding("B14", "the account is not known here")
        return
    if record.record_type == "212":
        letter, day = fields["MdfcSgmtCode"], date.fromisoformat(fields["RptDate"])
        if letter == "B":
            yield Finding("B14", "the base segment is changed by 211 or 214, never by 212", "B")
        elif (letter, day) not in account.filed:
            yield Finding("B14", "there is no such segment of that day", letter)
    if record.record_type == "213":
        letter, since, until = fields.get("DelSgmtCode", ""), fields.get("DelStartDate", ""), fields.get("DelEndDate", "")
        if not (letter and since and until):
            yield Finding("B14", "DelSgmtCode, DelStartDate and DelEndDate are named")
        elif letter == "B":
            yield Finding("B14", "the base segment is changed by 211 or 214, never by 213", "B")
        elif not any(held_letter == letter and since <= day.isoformat() <= until for held_letter, day in account.filed):
            yield Finding("B14", "there is no such segment of those days", letter)
    if record.record_type == "211":
        new = fields.get("NwBnesCode", "")
        if not new or held.account(new) is not None:
            yield Finding("B14", "the new account id is missing or taken")


def b14_corrected_segment(record: Record, held: Held) -> Iterator[Finding]:
    """What 212 puts in must itself stand before the rules of one record."""
    account = held.account(record.account)
    letter = record.fields["MdfcSgmtCode"]
    day = date.fromisoformat(record.fields["RptDate"])
    if account is None or (letter, day) not in account.filed:
        return
    segment = record.segments.get(letter)
    if letter in {"H", "J"} and segment is not None:
        yield from _closing(account.filed[letter, day].report_code, letter, segment)
        yield from _days_in_order(account.opening.day("OpenDate") if account.opening else None, letter, segment, day)
        for rule in (_settled, _band, _overdue_principal, _status):
            yield from rule(letter, segment)
        if letter == "H" and segment.text("Month") != f"{day:%Y-%m}":
            yield Finding("B08", "Month is not the month of RptDate", "H")
    if letter == "C":
        yield from _repayment_mode(segment)
        yield from _kind(account.kind, segment)
        yield from _district(segment)
    if letter == "D":
        yield from _others(segment)


def b15_codes(record: Record, _: Held) -> Iterator[Finding]:
    allowed = codes().allowed
    for letter, segment in record.segments.items():
        for fields in (segment.fields, *segment.rows):
            for name, value in fields.items():
                table = allowed.get(f"RptDateCode_{record.record_type}") if name == "RptDateCode" else allowed.get(name)
                if table is not None and value and value not in table:
                    yield Finding("B15", f"{name} has no code {value[:8]}", letter)


def b15_special_event(record: Record, _: Held) -> Iterator[Finding]:
    fields = record.fields
    if fields.get("Month", "") != fields.get("RptDate", "")[:7] or not fields.get("Month"):
        yield Finding("B15", "the month of a special event is the month of the report")
    if fields.get("OpetnType", "") not in codes().allowed["OpetnType"]:
        yield Finding("B15", "OpetnType has no such code")
    if fields.get("Flag", "") not in {"0", "1"}:
        yield Finding("B15", "Flag is 0 void or 1 valid")


def b16_person(record: Record, _: Held) -> Iterator[Finding]:
    base = record.segments["B"].fields if "B" in record.segments else record.fields
    yield from _person(base.get("Name", ""), base.get("IDNum", ""))
    if record.record_type == "210":
        yield from _district(record.segments.get("C"))


def _person(name: str, id_number: str) -> Iterator[Finding]:
    if not name.strip():
        yield Finding("B16", "the name is empty", "B")
    if not is_id_number(id_number):
        yield Finding("B16", "the id number has a wrong check digit", "B")


def _district(opening: Segment | None) -> Iterator[Finding]:
    if opening is None:
        return
    district = opening.text("ApplyBusiDist")
    if not (len(district) == 6 and district.isascii() and district.isdigit()):
        yield Finding("B16", "the district is a code of 6 digits", "C")


def b17_closed(record: Record, held: Held) -> Iterator[Finding]:
    account = held.account(record.account)
    if account is not None and account.is_closed:
        yield Finding("B17", "a closed account takes no more records except corrections", "B")


def is_id_number(number: str) -> bool:
    """True when these are 17 digits, a day of birth among them, and the right check sign (ISO 7064 MOD 11-2)."""
    if len(number) != 18 or not (number.isascii() and number[:17].isdigit()):
        return False
    try:
        date.fromisoformat(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    except ValueError:
        return False
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def _standing(record: Record) -> tuple[str, Segment | None]:
    letter = "H" if "H" in record.segments else "J"
    return letter, record.segments.get(letter)


def _report_day(record: Record) -> date:
    day = record.segments["B"].day("RptDate")
    assert day is not None, "RptDate is required"
    return day


def _is_month_end(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]


def _opening_month(account: Account) -> str:
    opening = account.opening
    opened = opening.day("OpenDate") if opening else None
    is_first_open = any(filed.report_code == "10" for filed in account.filed.values())
    return f"{opened if opened and is_first_open else account.first_day:%Y-%m}"


def _month_after(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def _month_before(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04d}-{(number - 2) % 12 + 1:02d}"


_LOAN: tuple[Rule, ...] = (
    b15_codes,
    b16_person,
    b17_closed,
    b01_first_report,
    b02_closing,
    b03_days,
    b04_settled,
    b05_band,
    b06_overdue_principal,
    b07_standing,
    b08_months,
    b09_repayment_mode,
    b10_kind,
    b11_line,
    b13_others,
)
RULES: dict[str, tuple[Rule, ...]] = {
    "110": (b15_codes, b16_person),
    "114": (),
    "210": _LOAN,
    "211": (b14_correction,),
    "212": (b15_codes, b14_correction, b14_corrected_segment),
    "213": (b14_correction,),
    "214": (b14_correction,),
    "215": (b14_correction, b15_special_event),
    "220": (b15_codes, b16_person, b12_agreement),
    "221": (),
    "224": (),
}
