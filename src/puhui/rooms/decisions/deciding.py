"""Deciding: one pure function, used live, in counterfactual runs for the reasons, and in replay years later. No clock, no dice, no network."""

from puhui.rooms.decisions import first_kernel, ruling
from puhui.rooms.decisions.facts import Inputs
from puhui.rooms.decisions.opening import Artefacts
from puhui.rooms.decisions.outcome import Outcome
from puhui.rooms.decisions.rulebook import Rulebook


def decide(inputs: Inputs, artefacts: Artefacts) -> Outcome:
    """Decide an application. The same inputs and artefacts give the same outcome, to the byte, for ever."""
    policy = artefacts.policy
    if isinstance(policy, Rulebook):
        return ruling.decide(inputs, artefacts.card, policy, artefacts.product)
    return first_kernel.decide(inputs, first_kernel.First(artefacts.card, policy, artefacts.product))
