"""Agreements: the whole cost read before anybody signs, the contract that names table and funders, and the proof of the signature.

Words: cost_table, reading_time, contract, mandate, signature, evidence_pack. Owns the tables of schema `agreements`.
Emits: ContractSigned. Keeps: no signature before the table was read, by our clock; a contract holds the hash of its table; what is not in the table
can never be charged; a document's bytes are those its hash names.
"""

from puhui.rooms.agreements import sign
from puhui.rooms.agreements.contract import Borrower, Contract, MandateAnnex
from puhui.rooms.agreements.cost_table import (
    Charge,
    CostItem,
    CostOverCap,
    CostRow,
    CostRules,
    CostTable,
    DefaultItem,
    FunderLine,
    LoanTerms,
)
from puhui.rooms.agreements.evidence import Proofs
from puhui.rooms.agreements.operations import (
    AlreadySigned,
    Drafted,
    Lender,
    Quote,
    Signing,
    abandon,
    begin_signing,
    confirm_table,
    erase,
    evidence,
    export,
    find_document,
    in_force,
    lender,
    note_overtaken,
    note_refused,
    open_table,
    quote,
    seal,
    show_table,
    signing_state,
    standing,
    table_of,
    table_of_loan,
)
from puhui.rooms.agreements.reading import Reading, ReadingState, ReadTooFast, TableNotOpen, TableReplaced
from puhui.rooms.agreements.store import Agreement

__all__ = [
    "Agreement",
    "AlreadySigned",
    "Borrower",
    "Charge",
    "Contract",
    "CostItem",
    "CostOverCap",
    "CostRow",
    "CostRules",
    "CostTable",
    "DefaultItem",
    "Drafted",
    "FunderLine",
    "Lender",
    "LoanTerms",
    "MandateAnnex",
    "Proofs",
    "Quote",
    "ReadTooFast",
    "Reading",
    "ReadingState",
    "Signing",
    "TableNotOpen",
    "TableReplaced",
    "abandon",
    "begin_signing",
    "confirm_table",
    "erase",
    "evidence",
    "export",
    "find_document",
    "in_force",
    "lender",
    "note_overtaken",
    "note_refused",
    "open_table",
    "quote",
    "seal",
    "show_table",
    "sign",
    "signing_state",
    "standing",
    "table_of",
    "table_of_loan",
]
