"""The law as dated data: rule packs with sources and examples, stacked by layer, asked by day.

Words: rule_pack, version, parameter, stack, label. Pure: no database, no clock; the day that counts is handed in.
Ask `law.shipped().ask(law.CapRules, on=signed_on)`; what it gives names the pack versions (`refs`) that a decision, offer, contact or report
stores. Packs: ours in `packs/`, the lender's own from a configured folder (`law.load(folder)`).
"""

from puhui.engines.law.book import ClassRules
from puhui.engines.law.contact import ContactRules, MarketingRules, ReminderRules
from puhui.engines.law.examples import ExampleFails, check_examples
from puhui.engines.law.lending import BorrowerRules, FacilitationRules, InternetLoanRules, JointLoanRules, LenderRules
from puhui.engines.law.pack import Label, Pack, PackRef, PackUnreadable, Stricter, Value, Version, read_pack
from puhui.engines.law.person import (
    AnswerClock,
    CaseRules,
    ComplaintRules,
    CreditRecordRules,
    DataLevelRules,
    DisclosureRules,
    LaunderingRules,
    PrivacyRules,
    SignatureRules,
)
from puhui.engines.law.price import (
    AnnualRateRules,
    CapRules,
    CapVerdict,
    CoolingOffRules,
    CostTableRules,
    DayCountRules,
    PenaltyRules,
)
from puhui.engines.law.stack import Laws, NoRule, NotStricter, PackNotApproved, Stack, adopt, gather, load, shipped

__all__ = [
    "AnnualRateRules",
    "AnswerClock",
    "BorrowerRules",
    "CapRules",
    "CapVerdict",
    "CaseRules",
    "ClassRules",
    "ComplaintRules",
    "ContactRules",
    "CoolingOffRules",
    "CostTableRules",
    "CreditRecordRules",
    "DataLevelRules",
    "DayCountRules",
    "DisclosureRules",
    "ExampleFails",
    "FacilitationRules",
    "InternetLoanRules",
    "JointLoanRules",
    "Label",
    "LaunderingRules",
    "Laws",
    "LenderRules",
    "MarketingRules",
    "NoRule",
    "NotStricter",
    "Pack",
    "PackNotApproved",
    "PackRef",
    "PackUnreadable",
    "PenaltyRules",
    "PrivacyRules",
    "ReminderRules",
    "SignatureRules",
    "Stack",
    "Stricter",
    "Value",
    "Version",
    "adopt",
    "check_examples",
    "gather",
    "load",
    "read_pack",
    "shipped",
]
