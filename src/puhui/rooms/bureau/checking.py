"""Our own check before anything is sent: what the rules of the register would find. Written apart from any bureau; an empty list is good."""

from puhui.rooms.bureau.standing import Opening, Standing

LATE = "1234567"


def faults_of(opening: Opening, standing: Standing) -> list[str]:
    """Give the ids of the validation rules that this standing breaks."""
    faults = []
    if standing.is_closed and (standing.principal_fen or standing.overdue_fen or standing.remaining_installments):
        faults.append("B02")
    if _days_out_of_order(opening, standing):
        faults.append("B03")
    if (standing.repayment_status in LATE) != (standing.overdue_fen > 0 and not standing.is_written_off):
        faults.append("B05")
    if sum(standing.aged_principal_fen) > standing.overdue_principal_fen or standing.overdue_principal_fen > standing.principal_fen:
        faults.append("B06")
    if standing.unpaid_installments and not standing.overdue_fen:
        faults.append("B07")
    if not (len(opening.district) == 6 and opening.district.isdigit()):
        faults.append("B16")
    return faults


def _days_out_of_order(opening: Opening, standing: Standing) -> bool:
    after = [day for day in (standing.last_paid_on, standing.class_since, standing.closed_on) if day and day > standing.day]
    closed_early = standing.closed_on is not None and any(
        day is not None and standing.closed_on < day for day in (opening.opened_on, standing.last_paid_on, standing.class_since)
    )
    return bool(after) or closed_early
