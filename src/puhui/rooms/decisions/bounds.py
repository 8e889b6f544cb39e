"""The bounds of law for one day, as a decision stores and reads them."""

from datetime import date

from puhui.engines import law
from puhui.rooms.decisions.facts import Bounds


def bounds_on(day: date, laws: law.Laws | None = None) -> Bounds:
    """Give what the packs in force on the day of deciding set for this lender, with the versions they come from."""
    packs = laws or law.shipped()
    cap, lender = packs.ask(law.CapRules, on=day), packs.ask(law.LenderRules, on=day)
    line, borrower = packs.ask(law.InternetLoanRules, on=day), packs.ask(law.BorrowerRules, on=day)
    laundering = packs.ask(law.LaunderingRules, on=day)
    refs = {f"{ref.pack}@{ref.since.isoformat()}:{ref.sha256}" for rules in (cap, lender, line, borrower, laundering) for ref in rules.refs}
    return Bounds(
        hard_cap_ppm=cap.hard_cap_ppm,
        per_person_cap_fen=lender.per_person_cap_fen,
        line_max_fen=line.consumer_line_max_fen,
        age_min=borrower.age_min_years,
        hit_similarity_ppm=laundering.hit_similarity_ppm,
        purpose_barred=lender.purpose_barred,
        work_barred=borrower.work_barred,
        packs=tuple(sorted(refs)),
    )
