"""The text format: records as one XML document a line, under a header line of fixed widths. Pure: same facts, same bytes."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from puhui.rooms.bureau.standing import Opening, ReportTime, Standing, aged_yuan, closing_time, is_month_end, yuan_up

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Person:
    """Who a record is about; lives only while a file is written."""

    name: str
    id_number: str
    customer_ref: str


@cache
def codes() -> Mapping[str, Any]:
    """Give the code tables with their labels."""
    return tomllib.loads(Path(__file__).with_name("codes.toml").read_text("utf-8"))


def reporter() -> str:
    value: str = codes()["reporter"]["value"]
    return value


def to_verify() -> list[str]:
    """List the codes that must be checked before production, for the console."""
    tables = codes()
    found = [name for name, entry in tables.items() if entry.get("label") == "verify"]
    for table, entries in tables.items():
        if "label" not in entries:
            found += [f"{table}.{name}" for name, entry in entries.items() if entry["label"] == "verify"]
    return sorted(found)


def file_name(day: date, record_type: str, serial: int) -> str:
    """Name a file: reporter, day, record type, 0, serial, feedback flag 0."""
    return f"{reporter()}{day:%Y%m%d}{record_type}0{serial:04d}0.txt"


def batch_id_of(name: str) -> str:
    return name.replace(".", "")


def write_file(record_type: str, made_at: datetime, lines: Sequence[str]) -> bytes:
    """Join header and records; every line ends with LF."""
    template = "10" if record_type == "110" else "  "
    version = codes()["format_version"]["value"]
    header = f"A050{record_type}{version}{template}{reporter()}{made_at.astimezone(SHANGHAI):%Y%m%d%H%M%S}0{len(lines):07d}"
    assert len(header) == 50, header
    return "".join(f"{line}\n" for line in (header, *lines)).encode()


def basic_record(person: Person, day: date) -> str:
    """Record 110, new: who the person is, as far as it was collected for this purpose."""
    base = {
        "InfRecType": "110",
        "Name": person.name,
        "IDType": codes()["account"]["id_type"]["value"],
        "IDNum": person.id_number,
        "InfSurcCode": reporter(),
        "RptDate": day.isoformat(),
        "RptDateCode": "10",
        "Cimoc": person.customer_ref,
        "CustomerType": "1",
    }
    return _document("InBasInf", {"BsSgmt": base})


def opening_record(person: Person, opening: Opening) -> str:
    """Record 210 with report time 10: the account is there."""
    account = {name: entry["value"] for name, entry in codes()["account"].items()}
    segment = {
        "BusiLines": account["business_line"],
        "BusiDtlLines": account["business_detail"],
        "OpenDate": opening.opened_on.isoformat(),
        "Cy": account["currency"],
        "LoanAmt": yuan_up(opening.amount_fen),
        "Flag": account["flag"],
        "DueDate": opening.matures_on.isoformat(),
        "RepayMode": codes()["repay_mode"][opening.method]["value"],
        "RepayFreqcy": account["repay_frequency"],
        "RepayPrd": opening.installments,
        "ApplyBusiDist": opening.district,
        "GuarMode": account["guarantee_mode"],
        "OthRepyGuarWay": account["other_guarantee"],
        "AssetTrandFlag": account["asset_transfer_flag"],
        "FundSou": account["funding_source"],
        "LoanForm": account["loan_form"],
    }
    base = _base(person, opening.loan_id, opening.opened_on, ReportTime.OPENED)
    return _document("InAcctInf", {"AcctBsSgmt": base, "AcctBsInfSgmt": segment})


def month_record(person: Person, standing: Standing) -> str:
    """Record 210 at a month's end: B and H."""
    time = ReportTime.CLOSED_AT_MONTH_END if standing.is_closed else ReportTime.MONTH_END
    assert is_month_end(standing.day), standing.day
    base = _base(person, standing.loan_id, standing.day, time)
    return _document("InAcctInf", {"AcctBsSgmt": base, "AcctMthlyBlgInfSgmt": month_segment(standing)})


def closing_record(person: Person, standing: Standing) -> str:
    """Record 210 of a loan that ended between month ends: B and J (at a month's end it is the month's record)."""
    assert standing.closed_on is not None, standing
    assert closing_time(standing.day) is ReportTime.CLOSED, standing
    base = _base(person, standing.loan_id, standing.day, ReportTime.CLOSED)
    return _document("InAcctInf", {"AcctBsSgmt": base, "AcctDbtInfSgmt": debt_segment(standing)})


def recovery_record(person: Person, standing: Standing) -> str:
    """Record 210 with report time 40: overdue money came back between month ends, and the mark shall not stay a day too long."""
    base = _base(person, standing.loan_id, standing.day, ReportTime.RECOVERED)
    return _document("InAcctInf", {"AcctBsSgmt": base, "AcctDbtInfSgmt": debt_segment(standing)})


def correction_record(loan_id: str, standing: Standing) -> str:
    """Record 212: the whole right month segment in place of a wrong one of that day."""
    base = {"InfRecType": "212", "ModRecCode": loan_id, "RptDate": standing.day.isoformat(), "MdfcSgmtCode": "H"}
    root = etree.Element("Document")
    record = etree.SubElement(root, "InAcctMdfc")
    _fill(etree.SubElement(record, "BsSgmt"), base)
    _fill(etree.SubElement(etree.SubElement(record, "MdfcSgmt"), "AcctMthlyBlgInfSgmt"), month_segment(standing))
    return _text(root)


def deletion_record(loan_id: str, day: date) -> str:
    """Record 214: an account that never should have been (fraud proven)."""
    return _document("InAcctEntDel", {"BsSgmt": {"InfRecType": "214", "DelRecCode": loan_id, "RptDate": day.isoformat()}})


def month_segment(standing: Standing) -> dict[str, object]:
    """Give segment H."""
    aged = aged_yuan(standing.aged_principal_fen)
    return {
        "Month": f"{standing.day:%Y-%m}",
        "SettDate": standing.settle_day.isoformat(),
        "AcctStatus": standing.account_status,
        "AcctBal": yuan_up(standing.principal_fen),
        "RemRepPrd": standing.remaining_installments,
        "FiveCate": codes()["asset_class"][standing.asset_class]["value"],
        "FiveCateAdjDate": standing.class_since.isoformat(),
        "RpyStatus": standing.repayment_status,
        "OverdPrd": standing.unpaid_installments,
        "TotOverd": yuan_up(standing.overdue_fen),
        "OverdPrinc": yuan_up(standing.overdue_principal_fen),
        "Oved31_60Princ": aged[0],
        "Oved61_90Princ": aged[1],
        "Oved91_180Princ": aged[2],
        "OvedPrinc180": aged[3],
        "CurRpyAmt": yuan_up(standing.due_in_month_fen),
        "ActRpyAmt": yuan_up(standing.paid_in_month_fen),
    } | _last_days(standing)


def debt_segment(standing: Standing) -> dict[str, object]:
    """Give segment J."""
    return {
        "AcctStatus": standing.account_status,
        "AcctBal": yuan_up(standing.principal_fen),
        "FiveCate": codes()["asset_class"][standing.asset_class]["value"],
        "FiveCateAdjDate": standing.class_since.isoformat(),
        "RemRepPrd": standing.remaining_installments,
        "RpyStatus": standing.repayment_status,
        "OverdPrd": standing.unpaid_installments,
        "TotOverd": yuan_up(standing.overdue_fen),
        "LatRpyAmt": yuan_up(standing.paid_in_month_fen),
    } | _last_days(standing)


def _last_days(standing: Standing) -> dict[str, object]:
    days: dict[str, object] = {}
    if standing.last_paid_on:
        days["LatRpyDate"] = standing.last_paid_on.isoformat()
    if standing.closed_on:
        days["CloseDate"] = standing.closed_on.isoformat()
    return days


def _base(person: Person, loan_id: str, day: date, time: ReportTime) -> dict[str, object]:
    account = codes()["account"]
    return {
        "InfRecType": "210",
        "AcctType": account["kind"]["value"],
        "AcctCode": loan_id,
        "RptDate": day.isoformat(),
        "RptDateCode": time.value,
        "Name": person.name,
        "IDType": account["id_type"]["value"],
        "IDNum": person.id_number,
        "MngmtOrgCode": reporter(),
    }


def _document(element: str, segments: Mapping[str, Mapping[str, object]]) -> str:
    root = etree.Element("Document")
    record = etree.SubElement(root, element)
    for name, fields in segments.items():
        _fill(etree.SubElement(record, name), fields)
    return _text(root)


def _text(root: Any) -> str:
    text: str = etree.tostring(root, encoding="unicode")
    return text


def _fill(segment: Any, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        etree.SubElement(segment, name).text = str(value)
