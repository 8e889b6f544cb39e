"""The bureau takes right records and rejects each planted breach of B01..B17 by its own rule."""

from dataclasses import dataclass, field

import pytest

from puhui_town.bureau.accounts import Account, Agreement, correct_account, load_account, load_agreement
from puhui_town.bureau.codes import codes
from puhui_town.bureau.rules import RULES, findings, is_id_number
from puhui_town.bureau.textfile import Malformed, parse_file_name, parse_header, parse_record, split_lines

LI = "790101199003070018"
REPORTER = "PUHUILENDER001"

OPENING = {
    "BusiLines": "1", "BusiDtlLines": "91", "OpenDate": "2026-09-10", "Cy": "CNY", "LoanAmt": "3000", "Flag": "1", "DueDate": "2027-03-10",
    "RepayMode": "11", "RepayFreqcy": "03", "RepayPrd": "6", "ApplyBusiDist": "790101", "GuarMode": "4", "OthRepyGuarWay": "0",
    "AssetTrandFlag": "0", "FundSou": "1", "LoanForm": "1",
}  # fmt: skip
MONTH = {
    "Month": "2026-09", "SettDate": "2026-09-30", "AcctStatus": "1", "AcctBal": "3000", "RemRepPrd": "6", "FiveCate": "1",
    "FiveCateAdjDate": "2026-09-10", "RpyStatus": "*", "OverdPrd": "0", "TotOverd": "0", "OverdPrinc": "0", "Oved31_60Princ": "0",
    "Oved61_90Princ": "0", "Oved91_180Princ": "0", "OvedPrinc180": "0", "CurRpyAmt": "0", "ActRpyAmt": "0",
}  # fmt: skip
CLOSED = {
    **MONTH, "AcctStatus": "3", "AcctBal": "0", "RemRepPrd": "0", "RpyStatus": "C", "CloseDate": "2026-09-20", "LatRpyDate": "2026-09-20",
}  # fmt: skip
STANDING = {
    "AcctStatus": "1", "AcctBal": "2500", "FiveCate": "1", "FiveCateAdjDate": "2026-09-10", "RemRepPrd": "5", "RpyStatus": "N", "OverdPrd": "0",
    "TotOverd": "0", "LatRpyAmt": "520", "LatRpyDate": "2026-09-20",
}  # fmt: skip
LIMIT = {
    "CreditLimType": "10", "CreditLim": "8000", "Cy": "CNY", "ConEffDate": "2026-09-01", "ConExpDate": "2027-09-01", "ConStatus": "1",
}  # fmt: skip


def base(code: str, day: str, **changes: str) -> dict[str, str]:
    return {
        "InfRecType": "210", "AcctType": "D1", "AcctCode": "loan-1", "RptDate": day, "RptDateCode": code, "Name": "李伟", "IDType": "10",
        "IDNum": LI, "MngmtOrgCode": REPORTER, **changes,
    }  # fmt: skip


def xml(element: str, **segments: object) -> str:
    def inside(value: object) -> str:
        if isinstance(value, dict):
            return "".join(f"<{name}>{inside(part)}</{name}>" for name, part in value.items() if not isinstance(part, list)) + "".join(
                f"<{name}>{inside(row)}</{name}>" for name, part in value.items() if isinstance(part, list) for row in part
            )
        return str(value)

    return f"<Document><{element}>{inside(segments)}</{element}></Document>"


def loan(code: str = "10", day: str = "2026-09-10", *, changes: dict[str, str] | None = None, **segments: dict[str, object]) -> str:
    order = codes().segments["210"]
    named = {order[letter]: segments[letter] for letter in sorted(segments)}
    return xml("InAcctInf", **{"AcctBsSgmt": base(code, day, **(changes or {})), **named})


def line(code: str = "10", day: str = "2026-09-01", **limit: str) -> str:
    head = {**base(code, day), "InfRecType": "220", "ContractCode": "line-1"}
    return xml("InCtrctInf", CtrctBsSgmt=head, CreditLimSgmt={**LIMIT, **limit})


@dataclass
class Shelf:
    """What the bureau holds, in a test."""

    accounts: dict[str, Account] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)

    def account(self, account: str) -> Account | None:
        return self.accounts.get(account)

    def agreement(self, code: str) -> Agreement | None:
        return self.agreements.get(code)

    def report(self, text: str, kind: str = "210") -> list[str]:
        """The ids of what is wrong; a right record is taken."""
        try:
            record = parse_record(text, kind)
        except Malformed as fault:
            return [finding.code for finding in fault.findings]
        found = findings(record, self)
        if not found and kind == "210":
            self.accounts[record.account] = load_account(self.account(record.account), record, REPORTER)
        elif not found and kind == "220":
            self.agreements[record.account] = load_agreement(self.agreement(record.account), record, REPORTER)
        elif not found:
            account = correct_account(self.accounts[record.account], record)
            del self.accounts[record.account]
            if not account.is_deleted:
                self.accounts[account.account] = account
        return [finding.code for finding in found]


def opened(**changes: str) -> Shelf:
    shelf = Shelf()
    assert shelf.report(loan(C=OPENING, changes=changes)) == []
    return shelf


def with_a_month() -> Shelf:
    shelf = opened()
    assert shelf.report(loan("30", "2026-09-30", H=MONTH)) == []
    return shelf


def late(**changes: str) -> dict[str, str]:
    """October, one installment 1 to 30 days late."""
    month = {"Month": "2026-10", "AcctStatus": "2", "RpyStatus": "1", "OverdPrd": "1", "TotOverd": "520", "OverdPrinc": "490"}
    return {**MONTH, **month, "FiveCate": "2", "FiveCateAdjDate": "2026-10-11", **changes}


def test_a_loan_is_reported_from_its_opening_to_its_end():
    shelf = with_a_month()
    assert shelf.report(loan("30", "2026-10-31", H=late())) == []
    recovered = {**STANDING, "LatRpyDate": "2026-11-05"}
    assert shelf.report(loan("40", "2026-11-05", J=recovered)) == []
    end = {**CLOSED, "Month": "2026-11", "CloseDate": "2026-11-20", "LatRpyDate": "2026-11-20"}
    assert shelf.report(loan("20", "2026-11-20", H=end)) == []
    account = shelf.accounts["loan-1"]
    assert account.is_closed
    assert [segment.text("RpyStatus") for segment in account.months.values()] == ["*", "1", "C"]


def test_a_loan_closed_between_month_ends_without_a_month_is_taken():
    shelf = with_a_month()
    ended = {**STANDING, "AcctStatus": "3", "AcctBal": "0", "RemRepPrd": "0", "RpyStatus": "C", "CloseDate": "2026-10-05"}
    assert shelf.report(loan("20", "2026-10-05", J=ended)) == []


BREACHES = {
    "B01 first report is a month end": (Shelf, loan("30", "2026-09-30", H=MONTH)),
    "B01 first report without C": (Shelf, loan("10", "2026-09-10")),
    "B01 opened twice": (opened, loan("10", "2026-09-10", C=OPENING)),
    "B01 loaded before the opening": (opened, loan("40", "2026-09-09", J={**STANDING, "LatRpyDate": "2026-09-09", "FiveCateAdjDate": "2026-09-09"})),
    "B01 another person's id": (opened, loan("40", "2026-09-20", J=STANDING, changes={"Name": "李娜"})),
    "B02 closed but status 1": (with_a_month, loan("20", "2026-10-05", J=STANDING)),
    "B02 status 3 but not closed": (opened, loan("30", "2026-09-30", H=CLOSED)),
    "B02 closed with periods left": (opened, loan("20", "2026-09-20", H={**CLOSED, "RemRepPrd": "1"})),
    "B02 closed without a day": (opened, loan("20", "2026-09-20", H={**CLOSED, "CloseDate": ""})),
    "B02 closed on the month end as 20": (opened, loan("20", "2026-09-30", H=CLOSED)),
    "B02 closed in mid month as 32": (opened, loan("32", "2026-09-20", H=CLOSED)),
    "B03 closed before opened": (opened, loan("20", "2026-09-20", H={**CLOSED, "CloseDate": "2026-09-09", "LatRpyDate": ""})),
    "B03 closed before the last repayment": (opened, loan("20", "2026-09-20", H={**CLOSED, "CloseDate": "2026-09-19"})),
    "B03 class day after the report": (opened, loan("30", "2026-09-30", H={**MONTH, "FiveCateAdjDate": "2026-10-01"})),
    "B04 settled but open": (opened, loan("30", "2026-09-30", H={**MONTH, "RpyStatus": "C"})),
    "B04 closed but not settled": (opened, loan("20", "2026-09-20", H={**CLOSED, "RpyStatus": "N"})),
    "B04 settled with a balance": (opened, loan("20", "2026-09-20", H={**CLOSED, "AcctBal": "1"})),
    "B05 late without a sum": (with_a_month, loan("30", "2026-10-31", H=late(TotOverd="0", OverdPrinc="0", OverdPrd="1"))),
    "B05 on time with a sum": (with_a_month, loan("30", "2026-10-31", H=late(RpyStatus="N"))),
    "B05 band younger than the money": (with_a_month, loan("30", "2026-10-31", H=late(Oved31_60Princ="490"))),
    "B05 band older than the money": (with_a_month, loan("30", "2026-10-31", H=late(RpyStatus="3"))),
    "B06 parts over the whole": (with_a_month, loan("30", "2026-10-31", H=late(RpyStatus="2", Oved31_60Princ="500"))),
    "B06 overdue over the balance": (with_a_month, loan("30", "2026-10-31", H=late(OverdPrinc="3001"))),
    "B07 overdue but normal": (with_a_month, loan("30", "2026-10-31", H=late(AcctStatus="1"))),
    "B07 bad debt in class 2": (with_a_month, loan("30", "2026-10-31", H=late(AcctStatus="41"))),
    "B08 another month": (opened, loan("30", "2026-09-30", H={**MONTH, "Month": "2026-08"})),
    "B08 a month twice": (with_a_month, loan("30", "2026-09-30", H=MONTH)),
    "B08 a gap": (opened, loan("30", "2026-10-31", H={**MONTH, "Month": "2026-10"})),
    "B08 month end without the month": (opened, loan("30", "2026-09-30")),
    "B08 recovery as a month": (opened, loan("40", "2026-09-20", H=MONTH)),
    "B09 once, by installments": (Shelf, loan(C={**OPENING, "RepayFreqcy": "07"})),
    "B09 installments without a period": (Shelf, loan(C={**OPENING, "RepayFreqcy": "08"})),
    "B10 no amount": (Shelf, loan(C={**OPENING, "LoanAmt": ""})),
    "B10 R1 without a line": (Shelf, loan(C=OPENING, changes={"AcctType": "R1"})),
    "B10 C1 for a loan": (Shelf, loan(C=OPENING, changes={"AcctType": "C1"})),
    "B10 a card that is a loan": (Shelf, loan(C=OPENING, changes={"AcctType": "R2"})),
    "B10 R4 without FundSou": (Shelf, loan(C={**OPENING, "FundSou": ""}, F={"Mcc": "line-1"}, changes={"AcctType": "R4"})),
    "B11 R4 under an unknown line": (Shelf, loan(C=OPENING, F={"Mcc": "line-9"}, changes={"AcctType": "R4"})),
    "B13 co-borrower with an amount": (Shelf, loan(C=OPENING, D={"RltRepymtNm": "1", "RltRepymtInf": [{"ArlpType": "1", "ArlpAmt": "5"}]})),
    "B13 guarantor without a contract": (Shelf, loan(C=OPENING, D={"RltRepymtNm": "1", "RltRepymtInf": [{"ArlpType": "2", "ArlpAmt": "5"}]})),
    "B15 unknown code": (Shelf, loan(C={**OPENING, "GuarMode": "9"})),
    "B16 wrong check digit": (Shelf, loan(C=OPENING, changes={"IDNum": "790101199003070019"})),
    "B16 no name": (Shelf, loan(C=OPENING, changes={"Name": " "})),
    "B16 no district": (Shelf, loan(C={**OPENING, "ApplyBusiDist": "7901"})),
}  # fmt: skip


@pytest.mark.parametrize("name", BREACHES)
def test_a_planted_breach_is_rejected_by_its_own_rule(name: str):
    make, text = BREACHES[name]
    shelf = make()
    before = dict(shelf.accounts)
    assert name[:3] in shelf.report(text)
    assert shelf.accounts == before, "a rejected line changes nothing"


def test_nothing_is_loaded_under_a_void_agreement():
    shelf = Shelf()
    assert shelf.report(line(), "220") == []
    drawing = loan(C=OPENING, F={"Mcc": "line-1"}, changes={"AcctType": "R4"})
    assert shelf.report(drawing) == []
    assert shelf.report(line("20", "2026-09-20", ConStatus="2"), "220") == []
    assert "B11" in shelf.report(loan("30", "2026-09-30", H=MONTH, changes={"AcctType": "R4"}))


@pytest.mark.parametrize(
    "text",
    [line("20"), line(ConEffDate="2027-09-02"), line(ConStatus="2"), xml("InCtrctInf", CtrctBsSgmt={**base("10", "2026-09-01"), "InfRecType": "220", "ContractCode": "x"})],
)
def test_an_agreement_begins_whole_and_in_order(text: str):
    assert "B12" in Shelf().report(text, "220")


def test_a_limit_changes_only_with_its_own_code():
    shelf = Shelf()
    assert shelf.report(line(), "220") == []
    assert "B12" in shelf.report(line("20", "2026-09-20", ConStatus="2", CreditLim="9000"), "220")
    assert "B12" in shelf.report(line("10", "2026-09-20"), "220")
    assert shelf.report(line("30", "2026-09-20", CreditLim="9000"), "220") == []


def correction(letter: str, day: str, **segment: object) -> str:
    head = {"InfRecType": "212", "ModRecCode": "loan-1", "RptDate": day, "MdfcSgmtCode": letter}
    return xml("InAcctMdfc", BsSgmt=head, MdfcSgmt=segment)


def test_a_month_is_corrected_as_a_whole_segment():
    shelf = with_a_month()
    right = {**MONTH, "AcctBal": "2999"}
    assert shelf.report(correction("H", "2026-09-30", AcctMthlyBlgInfSgmt=right), "212") == []
    assert shelf.accounts["loan-1"].months["2026-09"].yuan("AcctBal") == 2999
    assert "B14" in shelf.report(correction("H", "2026-08-31", AcctMthlyBlgInfSgmt=right), "212")
    assert "B14" in shelf.report(correction("B", "2026-09-10", AcctBsSgmt=base("10", "2026-09-10")), "212")
    assert "B05" in shelf.report(correction("H", "2026-09-30", AcctMthlyBlgInfSgmt={**MONTH, "RpyStatus": "2"}), "212")


def test_a_segment_is_taken_out_and_an_account_renamed_and_deleted():
    shelf = with_a_month()
    out = {"InfRecType": "213", "DelRecCode": "loan-1", "DelSgmtCode": "H", "DelStartDate": "2026-09-01", "DelEndDate": "2026-09-30"}
    assert "B14" in shelf.report(xml("InAcctDel", **{**out, "DelSgmtCode": "J"}), "213")
    assert shelf.report(xml("InAcctDel", **out), "213") == []
    assert shelf.accounts["loan-1"].months == {}
    assert shelf.report(xml("InAcctIDCagsInf", InfRecType="211", OdBnesCode="loan-1", NwBnesCode="loan-2", RptDate="2026-10-01"), "211") == []
    assert "B14" in shelf.report(xml("InAcctEntDel", InfRecType="214", DelRecCode="loan-1"), "214")
    assert shelf.report(xml("InAcctEntDel", InfRecType="214", DelRecCode="loan-2"), "214") == []
    assert shelf.accounts == {}


def test_a_special_event_belongs_to_the_month_of_its_report():
    shelf = opened()
    event = {"AcctCode": "loan-1", "OpetnType": "21", "Month": "2026-09", "Flag": "1", "RptDate": "2026-09-30"}
    assert "B15" in shelf.report(xml("InSpcEvtDscInf", **{**event, "Month": "2026-08"}), "215")
    assert "B15" in shelf.report(xml("InSpcEvtDscInf", **{**event, "OpetnType": "7"}), "215")
    assert shelf.report(xml("InSpcEvtDscInf", **event), "215") == []


def test_a_closed_account_takes_corrections_and_nothing_else():
    shelf = opened()
    assert shelf.report(loan("20", "2026-09-20", H=CLOSED)) == []
    assert "B17" in shelf.report(loan("40", "2026-09-25", J=STANDING))
    assert shelf.report(correction("H", "2026-09-20", AcctMthlyBlgInfSgmt={**CLOSED, "ActRpyAmt": "3010"}), "212") == []


def test_every_rule_is_met_by_some_record_type():
    ids = {rule.__name__[:3].upper() for rules in RULES.values() for rule in rules}
    assert ids == {f"B{number:02d}" for number in range(1, 18)}


def header(kind: str = "210", count: int = 1, made: str = "20260930040000", template: str = "  ") -> str:
    return f"A050{kind}2.0.0{template}{REPORTER}{made}0{count:07d}"


def test_the_header_is_fifty_characters_of_fixed_widths():
    found = parse_header(header(count=12))
    assert (found.record_type, found.reporter, found.count) == ("210", REPORTER, 12)
    for wrong in (header() + " ", header("999"), header(made="20260931040000"), header(template="10"), "B" + header()[1:]):
        with pytest.raises(Malformed):
            parse_header(wrong)


def test_the_file_name_says_reporter_day_type_and_serial():
    found = parse_file_name(f"{REPORTER}20260930210010.txt")
    assert (found.reporter, found.record_type, found.serial) == (REPORTER, "210", 1)
    for wrong in ("month-end.txt", f"{REPORTER}20260931210010.txt"):
        with pytest.raises(Malformed):
            parse_file_name(wrong)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<Document>", "F03"),
        ("<Document/>", "F03"),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><Document><InAcctInf>&b;</InAcctInf></Document>", "F06"),
        (xml("InCtrctInf"), "F04"),
        (xml("InAcctInf"), "F06"),
        (loan(C={**OPENING, "LoanAmt": "-1"}), "F05"),
        (loan(C={**OPENING, "LoanAmt": "10.5"}), "F05"),
        (loan(C={**OPENING, "OpenDate": "2026-02-30"}), "F05"),
        (loan(C=OPENING, H=MONTH, J=STANDING), "F06"),
        (loan(C=OPENING, changes={"InfRecType": "220"}), "F04"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(text: str, code: str):
    assert Shelf().report(text) == [code]


def test_lines_end_with_the_last_record():
    assert split_lines(b"a\nb\r\n") == ["a", "b"]
    for wrong in (b"", b"\xff\xfe"):
        with pytest.raises(Malformed):
            split_lines(wrong)


def test_the_check_digit_is_that_of_the_protocol_page():
    assert is_id_number("790101199003070018")
    assert not is_id_number("790101199003070017")
    assert not is_id_number("790101199013070018")
    assert not is_id_number("x")
