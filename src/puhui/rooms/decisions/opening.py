"""The artefacts a decision runs on, each named by the SHA-256 of its bytes, opened and checked."""

from dataclasses import dataclass

from puhui.rooms.decisions.policy import Policy, open_policy
from puhui.rooms.decisions.rulebook import Rulebook, open_rulebook
from puhui.rooms.decisions.scorecard import ArtefactDamaged, Scorecard, open_scorecard
from puhui.rooms.decisions.vector import names
from puhui.vocabulary.products import Product, read_product


@dataclass(frozen=True, slots=True)
class Artefacts:
    """A card, a policy and a product. The policy is a rulebook, or the first policy, by which records of the first kernel are decided again."""

    card: Scorecard
    policy: Policy | Rulebook
    product: Product

    @property
    def hashes(self) -> dict[str, str]:
        told = {"scorecard": self.card.sha256, "policy": self.policy.sha256, "product": self.product.sha256}
        return told | ({"rules": self.policy.artefact.sha256} if isinstance(self.policy, Rulebook) else {})


def open_artefacts(card: bytes, policy: bytes, product: bytes, rules: bytes = b"") -> Artefacts:
    """Open them: `policy` is the manifest of the artefact `rules`, or without one a first policy.

    A card of an earlier set of variables opens too: what it decided stands on the values of its records. Raises: ArtefactDamaged.
    """
    opened = open_rulebook(policy, rules) if rules else open_policy(policy)
    return Artefacts(open_scorecard(card), opened, read_product(product))


def demand_computed(card: Scorecard) -> None:
    """Refuse a card that reads what is not computed today: it cannot decide anything new. Raises: ArtefactDamaged."""
    if unknown := {item.name for item in card.characteristics} - set(names()):
        raise ArtefactDamaged(sha256=card.sha256, why=f"it reads variables nobody computes: {sorted(unknown)[:3]}")
