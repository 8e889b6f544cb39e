"""The second format: one JSON object a line and account-month, amounts in fen, from the same canonical record."""

import msgspec

from puhui.rooms.bureau.standing import Opening, Standing
from puhui.rooms.bureau.textfile import Person, codes


def local_line(person: Person, opening: Opening, standing: Standing) -> str:
    """Give the line of one account-month."""
    line: dict[str, object] = {
        "account": standing.loan_id,
        "month": f"{standing.day:%Y-%m}",
        "report_day": standing.day,
        "name": person.name,
        "id_type": "id_card",
        "id_number": person.id_number,
        "opened": opening.opened_on,
        "loan_fen": opening.amount_fen,
        "balance_fen": standing.principal_fen,
        "overdue_fen": standing.overdue_fen,
        "overdue_principal_fen": standing.overdue_principal_fen,
        "days_late": standing.days_late,
        "status": standing.repayment_status,
        "class": int(codes()["asset_class"][standing.asset_class]["value"]),
    }
    if standing.closed_on:
        line["closed"] = standing.closed_on
    return msgspec.json.encode(line).decode()
