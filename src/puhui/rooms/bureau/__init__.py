"""Bureau: what we ask of the credit register about a person, and what we tell it, month by month.

Words: bureau query, account month, report time code, repayment status, correction, feedback, adverse notice. Owns schema `bureau`.
Emits: FirstRecordAccepted. Keeps: no bad mark leaves before its notice; a file is written again to the same bytes; no name lies in a record.
"""

from puhui.rooms.bureau.bureau import ITEM, PURPOSE, RECIPIENT, answer_dispute, ask_batch, query, send_batch
from puhui.rooms.bureau.checking import faults_of
from puhui.rooms.bureau.locallines import local_line
from puhui.rooms.bureau.operations import (
    Feedback,
    correct_month,
    erase,
    export,
    has_bad_mark,
    hear_feedback,
    judge_dispute,
    mend_rejected,
    note_closing,
    note_deletion,
    note_month,
    note_opening,
    note_query,
    note_received,
    note_recovery,
    note_told,
    open_dispute,
    order_notice,
    rewrite_batch,
    sendable_customers,
    write_batches,
)
from puhui.rooms.bureau.standing import Opening, ReportTime, Standing, is_month_end
from puhui.rooms.bureau.store import Batch, Record, batches, counts, customer_of, customers_in, find_batch, records_of, rows_of
from puhui.rooms.bureau.textfile import Person, to_verify

__all__ = [
    "ITEM",
    "PURPOSE",
    "RECIPIENT",
    "Batch",
    "Feedback",
    "Opening",
    "Person",
    "Record",
    "ReportTime",
    "Standing",
    "answer_dispute",
    "ask_batch",
    "batches",
    "correct_month",
    "counts",
    "customer_of",
    "customers_in",
    "erase",
    "export",
    "faults_of",
    "find_batch",
    "has_bad_mark",
    "hear_feedback",
    "is_month_end",
    "judge_dispute",
    "local_line",
    "mend_rejected",
    "note_closing",
    "note_deletion",
    "note_month",
    "note_opening",
    "note_query",
    "note_received",
    "note_recovery",
    "note_told",
    "open_dispute",
    "order_notice",
    "query",
    "records_of",
    "rewrite_batch",
    "rows_of",
    "send_batch",
    "sendable_customers",
    "to_verify",
    "write_batches",
]
