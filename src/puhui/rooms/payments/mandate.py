"""The mandate (代扣授权): what the borrower allowed us to draw, from which account, signed with the contract."""

from dataclasses import dataclass

from puhui.rooms.payments.collecting import MandateTerms
from puhui.vocabulary.ids import CustomerId, LoanId, MandateId


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate of one loan, under the hash of the contract whose annex it is."""

    customer_id: CustomerId
    mandate_id: MandateId
    loan_id: LoanId
    account: str
    terms: MandateTerms
    contract_sha256: str
