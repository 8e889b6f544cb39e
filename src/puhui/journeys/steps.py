"""All steps of the borrower, in one table: what the API offers is what stands here."""

from collections.abc import Mapping

from puhui.journeys import accept, apply, cancel, cases, collect, enter, explain, fall_behind, onboard, privacy, sign, statement
from puhui.vocabulary.steps import BorrowerStep

MODULES = (enter, onboard, apply, explain, accept, sign, cancel, collect, statement, fall_behind, cases, privacy)


def _joined() -> Mapping[str, BorrowerStep]:
    steps: dict[str, BorrowerStep] = {}
    for module in MODULES:
        for name, step in module.BORROWER.items():
            assert name not in steps, f"the step {name} is answered twice"
            steps[name] = step
    return steps


BORROWER: Mapping[str, BorrowerStep] = _joined()
