"""The first policy: rules as data, conditions as plain functions of typed facts, each with the change that would undo it."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib import resources
from typing import Any, Literal

import msgspec

from puhui.foundation.refusals import Refusal
from puhui.rooms.decisions.facts import Bounds, Facts, Inputs
from puhui.rooms.decisions.known import Missing, Value
from puhui.rooms.decisions.scorecard import ArtefactDamaged, canonical, sha256_of
from puhui.rooms.decisions.vector import names

Parameters = Mapping[str, Any]
Slots = dict[str, str]
Effect = Literal["decline", "proof"]
INQUIRIES = "bureau.count.{days}d[kind=inquiry&reason=loan_application]"


class PolicyExampleFails(Refusal):
    """The rule {rule} does not do what its own example {number} says; the policy cannot be published. Mend the rule or the example."""

    code = "decisions.policy-example-fails"


@dataclass(frozen=True, slots=True)
class Condition:
    """`fires` gives the slots of the sentence, or None; `undone` gives the inputs with the one fact changed so that it no longer fires."""

    fires: Callable[[Inputs, Parameters], Slots | None]
    undone: Callable[[Inputs, Parameters], Inputs]


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    condition: str
    effect: Effect
    parameters: Parameters
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fired, with the facts for its sentence."""

    rule: Rule
    slots: Slots


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, named by the SHA-256 of its canonical JSON."""

    sha256: str
    id: str
    version: int
    rules: tuple[Rule, ...]

    def fired(self, inputs: Inputs) -> list[Fired]:
        """Try every rule in order and give those that fire."""
        found = []
        for rule in self.rules:
            slots = CONDITIONS[rule.condition].fires(inputs, rule.parameters)
            if slots is not None:
                found.append(Fired(rule, slots))
        return found


def shipped_policy() -> bytes:
    """Give the canonical bytes of `policy.toml`."""
    return publish((resources.files(__package__) / "policy.toml").read_bytes())


def publish(text: bytes) -> bytes:
    """Turn a policy's TOML into its artefact, if its own examples hold.

    Raises: PolicyExampleFails.
    """
    data = tomllib.loads(text.decode())
    artefact = canonical(msgspec.to_builtins(data))
    for rule, row in zip(open_policy(artefact).rules, data["rule"], strict=True):
        for number, example in enumerate(row["example"], start=1):
            if (CONDITIONS[rule.condition].fires(_example(example), rule.parameters) is not None) != example["fires"]:
                raise PolicyExampleFails(rule=rule.code, number=number)
    return artefact


def open_policy(data: bytes) -> Policy:
    """Read a policy's artefact. Raises ArtefactDamaged."""
    name = sha256_of(data)
    try:
        content = msgspec.json.decode(data)
        rules = tuple(
            Rule(row["code"], row["condition"], row["effect"], row.get("parameters", {}), row.get("wanted", "")) for row in content["rule"]
        )
        policy = Policy(name, content["id"], content["version"], rules)
    except (msgspec.DecodeError, KeyError, TypeError):
        raise ArtefactDamaged(sha256=name, why="it does not read") from None
    if unknown := {rule.condition for rule in rules} - CONDITIONS.keys():
        raise ArtefactDamaged(sha256=name, why=f"it asks for conditions nobody wrote: {sorted(unknown)}")
    return policy


def ordinary() -> Inputs:
    """Give the inputs of an ordinary applicant of 30 of whom little is known but an income."""
    values: dict[str, Value] = dict.fromkeys(names(), Missing.NO_EVENT)
    return Inputs(ORDINARY, EXAMPLE_BOUNDS, values | {"application.income": 500_000})


def _example(example: Mapping[str, Any]) -> Inputs:
    base = ordinary()
    values = dict(base.values) | {name: Missing(value) if isinstance(value, str) else value for name, value in example.get("values", {}).items()}
    return replace(base, facts=replace(base.facts, **example["given"]), values=values)


ORDINARY = Facts(
    today=date(2026, 9, 1), age=30, amount_fen=300_000, months=6, purpose="daily", region="790101", work="factory", id_expires=date(2036, 1, 1)
)
EXAMPLE_BOUNDS = Bounds(240_000, 20_000_000, 20_000_000, 18, 850_000, frozenset({"home", "car", "securities"}), frozenset({"student"}))


# -- conditions -----------------------------------------------------------------------------------------------------------


def _known(inputs: Inputs, name: str) -> int:
    """Give a value where there is one; missing never fires a rule."""
    value = inputs.values[name]
    return 0 if isinstance(value, Missing) else value


def _with_facts(inputs: Inputs, **changed: Any) -> Inputs:
    return replace(inputs, facts=replace(inputs.facts, **changed))


def _with_value(inputs: Inputs, name: str, value: Value) -> Inputs:
    return replace(inputs, values=dict(inputs.values) | {name: value})


def yuan(fen: int) -> str:
    """Write whole yuan for a sentence, rounded down."""
    return f"{fen // 100:,}"


def _expires(inputs: Inputs, within: int) -> Slots | None:
    expires = inputs.facts.id_expires
    return {"expires": expires.isoformat()} if expires and expires < inputs.facts.today + timedelta(days=within) else None


def _listed(inputs: Inputs, _: Parameters) -> Slots | None:
    return {} if inputs.facts.screening_similarity_ppm >= inputs.bounds.hit_similarity_ppm else None


def _face(inputs: Inputs, given: Parameters) -> Slots | None:
    facts = inputs.facts
    return {} if facts.face_live_ppm < given["live_min_ppm"] or facts.face_same_ppm < given["same_min_ppm"] else None


def _taken_over(inputs: Inputs, given: Parameters) -> Slots | None:
    device, card = inputs.facts.hours_since_new_device, inputs.facts.hours_since_new_card
    is_new = device is not None and device < given["hours"] and card is not None and card < given["hours"]
    return {"hours": str(given["hours"])} if is_new else None


def _outside(inputs: Inputs, given: Parameters) -> Slots | None:
    served: Sequence[str] = given["regions"]
    return {} if served and not any(inputs.facts.region.startswith(prefix) for prefix in served) else None


def _inquiries(inputs: Inputs, given: Parameters) -> Slots | None:
    count = _known(inputs, INQUIRIES.format(days=given["days"]))
    return {"days": str(given["days"]), "count": str(count)} if count > given["count"] else None


def _serious(inputs: Inputs, given: Parameters) -> Slots | None:
    return {"months": str(given["months"])} if _known(inputs, f"bureau.worst.{given['months']}m") >= given["status_min"] else None


def _overdue(inputs: Inputs, given: Parameters) -> Slots | None:
    overdue = _known(inputs, "bureau.overdue.sum")
    return {"amount": yuan(overdue)} if overdue >= given["amount_min_fen"] else None


def income_fen(inputs: Inputs) -> int | None:
    """Give the monthly income that counts: the proven one, else the estimate; None if neither is known."""
    estimate = inputs.values["application.income"]
    known = [fen for fen in (inputs.facts.proven_income_fen, None if isinstance(estimate, Missing) else estimate) if fen]
    return max(known) if known else None


CONDITIONS: Mapping[str, Condition] = {
    "is_minor": Condition(
        lambda i, _: {"age_min": str(i.bounds.age_min)} if i.facts.age < i.bounds.age_min else None,
        lambda i, _: _with_facts(i, age=i.bounds.age_min),
    ),
    "is_older": Condition(
        lambda i, p: {"age_max": str(p["age_max"])} if i.facts.age > p["age_max"] else None, lambda i, p: _with_facts(i, age=p["age_max"])
    ),
    "has_barred_work": Condition(lambda i, _: {} if i.facts.work in i.bounds.work_barred else None, lambda i, _: _with_facts(i, work="")),
    "has_barred_purpose": Condition(
        lambda i, _: {"purpose": i.facts.purpose} if i.facts.purpose in i.bounds.purpose_barred else None,
        lambda i, _: _with_facts(i, purpose="daily"),
    ),
    "is_not_verified": Condition(lambda i, _: None if i.facts.is_verified else {}, lambda i, _: _with_facts(i, is_verified=True)),
    "id_has_expired": Condition(lambda i, _: _expires(i, 0), lambda i, _: _with_facts(i, id_expires=i.facts.today + timedelta(days=3_650))),
    "id_expires_within": Condition(
        lambda i, p: None if _expires(i, 0) else _expires(i, p["days"]),
        lambda i, _: _with_facts(i, id_expires=i.facts.today + timedelta(days=3_650)),
    ),
    "is_on_a_list": Condition(_listed, lambda i, _: _with_facts(i, screening_similarity_ppm=0)),
    "is_blocked": Condition(lambda i, _: {} if i.facts.is_blocked else None, lambda i, _: _with_facts(i, is_blocked=False)),
    "card_is_not_his": Condition(lambda i, _: None if i.facts.is_card_matched else {}, lambda i, _: _with_facts(i, is_card_matched=True)),
    "face_is_not_his": Condition(_face, lambda i, _: _with_facts(i, face_live_ppm=1_000_000, face_same_ppm=1_000_000)),
    "looks_taken_over": Condition(_taken_over, lambda i, p: _with_facts(i, hours_since_new_device=p["hours"])),
    "device_is_busy": Condition(
        lambda i, p: {"count": str(i.facts.device_persons_30d)} if i.facts.device_persons_30d > p["persons"] else None,
        lambda i, _: _with_facts(i, device_persons_30d=1),
    ),
    "applied_often": Condition(
        lambda i, p: {"count": str(i.facts.applications_30d), "days": str(p["days"])} if i.facts.applications_30d > p["count"] else None,
        lambda i, _: _with_facts(i, applications_30d=0),
    ),
    "lives_outside": Condition(_outside, lambda i, p: _with_facts(i, region=p["regions"][0])),
    "is_late_with_us": Condition(lambda i, _: {} if i.facts.days_late_with_us > 0 else None, lambda i, _: _with_facts(i, days_late_with_us=0)),
    "is_overdue_elsewhere": Condition(_overdue, lambda i, _: _with_value(i, "bureau.overdue.sum", 0)),
    "was_seriously_late": Condition(_serious, lambda i, p: _with_value(i, f"bureau.worst.{p['months']}m", 0)),
    "has_many_inquiries": Condition(_inquiries, lambda i, p: _with_value(i, INQUIRIES.format(days=p["days"]), p["count"])),
    "income_is_unknown": Condition(
        lambda i, _: None if income_fen(i) is not None else {}, lambda i, _: _with_facts(i, proven_income_fen=10_000_000)
    ),
}
