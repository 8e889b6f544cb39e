"""A pack's own examples, asked of the rules that read it. A pack whose examples fail cannot be published."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from puhui.engines.law import twin
from puhui.engines.law.book import ClassRules
from puhui.engines.law.contact import ContactRules, MarketingRules, ReminderRules
from puhui.engines.law.lending import BorrowerRules, FacilitationRules, InternetLoanRules, JointLoanRules, LenderRules
from puhui.engines.law.pack import Example, Pack
from puhui.engines.law.person import ComplaintRules, CreditRecordRules, PrivacyRules, SignatureRules
from puhui.engines.law.price import AnnualRateRules, CapRules, CoolingOffRules, CostTableRules, PenaltyRules, uplifted_ppm
from puhui.engines.law.stack import Laws
from puhui.foundation.days import add_months
from puhui.foundation.refusals import Refusal

Given = Mapping[str, Any]
Answers = dict[str, Callable[[], Any]]


class ExampleFails(Refusal):
    """The pack {pack} expects {expected} where {given} is given, but the rules answer {answer}. It cannot be published."""

    code = "law.example-fails"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the laws, where, on which day, and the facts given."""

    laws: Laws
    jurisdiction: str
    on: date
    given: Given


def check_examples(laws: Laws, pack: Pack) -> int:
    """Work out every example of a pack and give how many there were. Raises ExampleFails.

    A pack answers under the layers above it, not under those below: a lender's stricter cap does not make the law's own example wrong.
    """
    above = Laws(tuple(one for one in laws.packs if one.layer <= pack.layer))
    for example in pack.examples:
        answered = _answer(above, pack, example)
        if answered != dict(example.expect):
            raise ExampleFails(pack=pack.id, expected=dict(example.expect), given=dict(example.given), answer=answered)
    return len(pack.examples)


def _answer(laws: Laws, pack: Pack, example: Example) -> dict[str, Any]:
    on = example.given.get("on") or example.given["signed_on"]
    asked = Asked(laws, pack.within, on, example.given)
    questions = QUESTIONS[pack.topic](asked) if pack.topic in QUESTIONS else {}
    stack = laws.rules_for(pack.within, pack.topic, on=on)
    answered: dict[str, Any] = {}
    for name in example.expect:
        if name in questions:
            answered[name] = questions[name]()
        elif name == "in_force":
            answered[name] = stack.find(example.given["rule"]) is not None
        else:
            found = stack.find(name)
            value = found.value if found else None
            answered[name] = list(value) if isinstance(value, tuple) else value
    return answered


def _cost_table(asked: Asked) -> Answers:
    rules = asked.laws.find(CostTableRules, on=asked.on, jurisdiction=asked.jurisdiction)

    def refusal() -> str:
        shown, confirmed = (datetime.combine(asked.on, asked.given[name]) for name in ("shown_at", "confirmed_at"))
        return "agreements.read-too-fast" if rules and not rules.is_read(confirmed - shown) else ""

    return {"table_required": lambda: rules is not None, "refusal": refusal}


def _annual_rate(asked: Asked) -> Answers:
    rules = asked.laws.ask(AnnualRateRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given

    def all_in() -> int:
        flows = [(add_months(given["due_from"], n), fen) for n, fen in enumerate(given["installments_fen"])]
        return twin.all_in_ppm(paid_out_fen=given["paid_out_fen"], paid_out_on=given["paid_out_on"], flows=flows, year_days=rules.year_days)

    return {
        "all_in_ppm": all_in,
        "simple_ppm": lambda: twin.simple_ppm(paid_out_fen=given["paid_out_fen"], installments_fen=given["installments_fen"]),
    }


def _cap(asked: Asked) -> Answers:
    rules = asked.laws.ask(CapRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"verdict": lambda: rules.verdict(asked.given["all_in_ppm"]).value}


def _lender(asked: Asked) -> Answers:
    rules = asked.laws.ask(LenderRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given
    return {
        "within_cap": lambda: rules.is_within_cap(owed_fen=given["owed_fen"], held_fen=given["held_fen"], wanted_fen=given["wanted_fen"]),
        "purpose_allowed": lambda: rules.is_purpose_allowed(given["purpose"]),
    }


def _internet_loan(asked: Asked) -> Answers:
    rules = asked.laws.ask(InternetLoanRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given
    return {"allowed": lambda: rules.is_allowed(line_fen=given["line_fen"], method=given["method"], months=given["months"])}


def _joint_loan(asked: Asked) -> Answers:
    rules = asked.laws.find(JointLoanRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"share_allowed": lambda: rules is None or rules.is_share_allowed(asked.given["partner_share_ppm"])}


def _facilitation(asked: Asked) -> Answers:
    rules = asked.laws.ask(FacilitationRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"fresh": lambda: rules.is_fresh(timedelta(milliseconds=asked.given["listed_age_ms"]))}


def _privacy(asked: Asked) -> Answers:
    rules = asked.laws.ask(PrivacyRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"one_consent_enough": lambda: rules.may_share_a_consent(frozenset(asked.given["items"]))}


def _credit_record(asked: Asked) -> Answers:
    rules = asked.laws.ask(CreditRecordRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given
    return {"answer_by": lambda: rules.answer.due(given["opened_on"]), "mark_until": lambda: rules.mark_until(given["bad_until"])}


def _asset_class(asked: Asked) -> Answers:
    rules = asked.laws.ask(ClassRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given

    def name() -> str:
        if "restructured_days" not in given:
            return rules.class_of(given["days_late"])
        return rules.class_after_restructure(
            given["days_late"], days_since=given["restructured_days"], payments=given["restructured_payments"]
        )

    return {"class": name}


def _collection(asked: Asked) -> Answers:
    rules = asked.laws.ask(ContactRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given
    return {
        "quiet": lambda: rules.is_quiet(given["at"]),
        "connected_allowed": lambda: rules.may_connect(given["connected_today"]),
        "attempt_allowed": lambda: rules.may_try(given["attempts_today"]),
        "hardship_answer_by": lambda: rules.hardship_answer and rules.hardship_answer.due(given["pleaded_on"]),
    }


def _penalty(asked: Asked) -> Answers:
    stack = asked.laws.rules_for(asked.jurisdiction, PenaltyRules.topic, on=asked.on)
    rate_ppm = asked.given.get("rate_ppm", 0)
    return {
        "penalty_ppm": lambda: PenaltyRules.read(stack).penalty_ppm(rate_ppm),
        "penalty_max_ppm": lambda: uplifted_ppm(rate_ppm, stack.int("penalty_uplift_max_ppm")),
    }


def _signature(asked: Asked) -> Answers:
    rules = asked.laws.ask(SignatureRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"reliable": lambda: rules.is_reliable(frozenset(asked.given["proven"]))}


def _complaint(asked: Asked) -> Answers:
    rules = asked.laws.ask(ComplaintRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"answer_by": lambda: rules.answer.due(asked.given["opened_on"])}


def _cooling_off(asked: Asked) -> Answers:
    rules = asked.laws.ask(CoolingOffRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"may_give_back": lambda: rules.may_give_back(paid_out_on=asked.given["paid_out_on"], on=asked.on)}


def _marketing(asked: Asked) -> Answers:
    rules = asked.laws.ask(MarketingRules, on=asked.on, jurisdiction=asked.jurisdiction)
    given = asked.given
    return {
        "marketing_allowed": lambda: rules.may_send(given["at"], sent_today=given["sent_today"], sent_this_week=given["sent_this_week"])
    }


def _reminders(asked: Asked) -> Answers:
    rules = asked.laws.ask(ReminderRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"remind": lambda: rules.is_reminder_day(on=asked.on, due=asked.given["due"])}


def _students(asked: Asked) -> Answers:
    rules = asked.laws.ask(BorrowerRules, on=asked.on, jurisdiction=asked.jurisdiction)
    return {"may_borrow": lambda: rules.may_borrow(born=asked.given["born"], work=asked.given["work"], on=asked.on)}


QUESTIONS: Mapping[str, Callable[[Asked], Answers]] = {
    "cost-table": _cost_table,
    "annual-rate": _annual_rate,
    "all-in-cap": _cap,
    "consumer-finance-company": _lender,
    "internet-loan": _internet_loan,
    "joint-loan": _joint_loan,
    "facilitation": _facilitation,
    "personal-information": _privacy,
    "credit-register": _credit_record,
    "asset-class": _asset_class,
    "collection": _collection,
    "penalty": _penalty,
    "e-sign": _signature,
    "consumer-protection": _complaint,
    "cooling-off": _cooling_off,
    "marketing": _marketing,
    "reminders": _reminders,
    "students": _students,
}
