"""The registry: which artefacts decide. A strategy is named by the hash of its manifest; one is champion, others shadow or take a share."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from importlib import resources
from typing import Any

from puhui.engines.rules import BadInput
from puhui.engines.rules import shipped as shipped_rules
from puhui.foundation import sql
from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import Work
from puhui.rooms.decisions import store
from puhui.rooms.decisions.deciding import decide
from puhui.rooms.decisions.opening import Artefacts, demand_computed, open_artefacts
from puhui.rooms.decisions.policy import ordinary
from puhui.rooms.decisions.rulebook import Rulebook, RulebookUnfit, demand_fit, rules_named, shipped_rulebook
from puhui.rooms.decisions.scorecard import canonical, sha256_of
from puhui.rooms.decisions.vector import names, plan_sha256
from puhui.rooms.decisions.vector import warm as warm_variables
from puhui.vocabulary.permits import Approval
from puhui.vocabulary.products import read_product
from puhui.vocabulary.reasons import sentences_sha256

SHARES = 10_000


class ApprovalDoesNotMatch(Refusal):
    """The approval {approval_id} is for something else than this change of strategy; nothing was changed. Have exactly this change approved by two."""

    code = "decisions.approval-does-not-match"


class NoStrategy(Refusal):
    """No strategy is in force for the product {product}, so nothing can be decided. Publish one and have it approved by two people."""

    code = "decisions.no-strategy"
    status = 503
    retry = "later"


class SharesTooLarge(Refusal):
    """The shares of the challengers of {product} would be more than all applications; nothing was changed."""

    code = "decisions.shares-too-large"


class Standing(Enum):
    """What a strategy is used for."""

    DRAFT = "draft"
    SHADOW = "shadow"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy as it stands in the registry."""

    strategy_sha256: str
    product_id: str
    version: int
    scorecard_sha256: str
    policy_sha256: str
    product_sha256: str
    standing: Standing
    share_bp: int
    approval_id: str


@dataclass(frozen=True, slots=True)
class Live:
    """What decides one person's application, and what only looks on."""

    strategy_sha256: str
    artefacts: Artefacts
    shadows: tuple[tuple[str, Artefacts], ...]


def manifest(scorecard_sha256: str, policy_sha256: str, product_sha256: str) -> bytes:
    """Give the canonical bytes that name a strategy."""
    return canonical({"kind": "strategy", "scorecard": scorecard_sha256, "policy": policy_sha256, "product": product_sha256})


def change_content(strategy_sha256: str, standing: Standing, share_bp: int = 0) -> bytes:
    """Give the canonical bytes of a change of standing: what two people approve."""
    return canonical({"change": "strategy", "strategy": strategy_sha256, "standing": standing.value, "share_bp": share_bp})


@dataclass(frozen=True, slots=True)
class Bundle:
    """The bytes of a strategy: card, manifest of the rules, the rules, product."""

    scorecard: bytes
    policy: bytes
    rules: bytes
    product: bytes


async def publish(work: Work, bundle: Bundle) -> str:
    """Put a strategy into the registry as a draft and give its name. It is opened, its source is compiled again, and its own examples are run.

    Raises: ArtefactDamaged, RulebookUnfit, PolicyFails.
    """
    opened = open_artefacts(bundle.scorecard, bundle.policy, bundle.product, bundle.rules)
    demand_computed(opened.card)
    assert isinstance(opened.policy, Rulebook), "a strategy comes with its rules"
    demand_fit(opened.policy, frozenset(names()))
    try:
        decide(ordinary(), opened)
    except BadInput as bad:
        raise RulebookUnfit(name=opened.policy.sha256, why=str(bad)) from None
    for kind, content in (("scorecard", bundle.scorecard), ("manifest", bundle.policy), ("rules", bundle.rules), ("product", bundle.product)):
        await store.add_artefact(work, sha256_of(content), kind, content)
    return await _add(work, opened)


async def _add(work: Work, opened: Artefacts) -> str:
    name = sha256_of(manifest(*(opened.hashes[kind] for kind in ("scorecard", "policy", "product"))))
    await store.SQL.add_strategy.run(
        work,
        strategy_sha256=name,
        product_id=opened.product.id,
        scorecard_sha256=opened.card.sha256,
        policy_sha256=opened.policy.sha256,
        product_sha256=opened.product.sha256,
        at=work.at,
    )
    return name


async def set_standing(work: Work, *, strategy_sha256: str, standing: Standing, share_bp: int = 0, approval: Approval) -> None:
    """Change what a strategy is used for; a new champion retires the old one, by one reference swapped.

    Raises: NotFound, ApprovalDoesNotMatch, SharesTooLarge.
    """
    content = change_content(strategy_sha256, standing, share_bp)
    if approval.content_sha256 != hashlib.sha256(content).hexdigest():
        raise ApprovalDoesNotMatch(approval_id=approval.approval_id)
    await _set_standing(work, strategy_sha256, standing, share_bp, approval.approval_id)


async def seed_development(work: Work) -> str:
    """Make what this release ships the champion where a product has none yet. Gives the champion's name. For development and the first day only."""
    bundle = shipped()
    product_id = read_product(bundle.product).id
    for row in await store.live_strategies(work, product_id):
        if row["standing"] == Standing.CHAMPION.value:
            return str(row["strategy_sha256"])
    name = await publish(work, bundle)
    await _set_standing(work, name, Standing.CHAMPION, 0, "shipped")
    return name


def shipped() -> Bundle:
    """Give the scorecard, rules and product that this release ships."""
    (card,) = [file for file in (resources.files(__package__) / "artefacts").iterdir() if file.name.endswith(".json")]
    content = card.read_bytes()
    assert card.name == f"{sha256_of(content)}.json", f"{card.name} does not hold what its name says"
    policy, rules = shipped_rulebook(plan_sha256(), sha256_of(content))
    return Bundle(content, policy, rules, (resources.files("puhui.products") / "starter.toml").read_bytes())


def bundled(dmn: bytes, inputs: bytes, base: Bundle) -> Bundle:
    """Give a strategy of other rules: a model in DMN and the TOML of its inputs, with the card and product of another.

    Raises: RulebookUnfit (it does not compile), and what `rules` refuses.
    """
    try:
        pack = shipped_rules.packed(dmn, inputs)
    except ValueError as error:
        raise RulebookUnfit(name="given", why=str(error)) from None
    manifest = replace(pack.manifest, plan=plan_sha256(), portfolio=sha256_of(base.scorecard))
    return replace(base, policy=manifest.to_bytes(), rules=pack.artefact.to_bytes())


async def bundle_of(work: Work, strategy_sha256: str) -> Bundle:
    """Give the bytes of a strategy in the registry. Raises NotFound."""
    product_id = await _product_of(work, strategy_sha256)
    (row,) = [one for one in await strategies_of(work, product_id) if one.strategy_sha256 == strategy_sha256]
    card, policy, product = [await store.artefact(work, one) for one in (row.scorecard_sha256, row.policy_sha256, row.product_sha256)]
    rules = rules_named(policy)
    return Bundle(card, policy, await store.artefact(work, rules) if rules else b"", product)


def warm() -> None:
    """Load and compile what a decision needs, so that no applicant waits for it."""
    warm_variables()
    bundle = shipped()
    decide(ordinary(), open_artefacts(bundle.scorecard, bundle.policy, bundle.product, bundle.rules))


async def strategies_of(work: Work, product_id: str) -> list[Strategy]:
    rows = await store.SQL.strategies_of.rows(work, product_id=product_id)
    return [
        Strategy(
            row["strategy_sha256"], row["product_id"], row["version"], row["scorecard_sha256"], row["policy_sha256"], row["product_sha256"],
            Standing(row["standing"]), row["share_bp"], row["approval_id"],
        )
        for row in rows
    ]  # fmt: skip


async def live(work: Work, product_id: str, customer_id: str) -> Live:
    """Give what decides for this person. A person keeps his arm: it follows from his id alone.

    Raises: NoStrategy.
    """
    rows = await store.live_strategies(work, product_id)
    champion = next((row for row in rows if row["standing"] == Standing.CHAMPION.value), None)
    if champion is None:
        raise NoStrategy(product=product_id)
    chosen, edge, ticket = champion, 0, _ticket(product_id, customer_id)
    for row in rows:
        if row["standing"] == Standing.CHALLENGER.value:
            if edge <= ticket < edge + row["share_bp"]:
                chosen = row
            edge += row["share_bp"]
    shadows = [row for row in rows if row["standing"] == Standing.SHADOW.value]
    return Live(
        chosen["strategy_sha256"],
        await opened(work, _hashes(chosen)),
        tuple([(row["strategy_sha256"], await opened(work, _hashes(row))) for row in shadows]),
    )


_OPENED: dict[tuple[str, str, str], Artefacts] = {}  # what is named by its bytes never changes, so it is opened once


async def opened(work: Work, hashes: Mapping[str, str]) -> Artefacts:
    """Open artefacts by their hashes from the store. Raises KeyError for one that is not there."""
    key = (hashes["scorecard"], hashes["policy"], hashes["product"])
    if key not in _OPENED:
        card, policy, product = [await store.artefact(work, sha256) for sha256 in key]
        rules = rules_named(policy)
        _OPENED[key] = open_artefacts(card, policy, product, await store.artefact(work, rules) if rules else b"")
    return _OPENED[key]


def hashes_of(artefacts: Artefacts) -> dict[str, str]:
    """Give the hashes that a record keeps: the artefacts and the sentences of reasons in force."""
    return artefacts.hashes | {"reasons": sentences_sha256()}


async def _set_standing(work: Work, strategy_sha256: str, standing: Standing, share_bp: int, approval_id: str) -> None:
    product_id = await _product_of(work, strategy_sha256)
    for row in await store.SQL.lock_strategies.rows(work, product_id=product_id):
        if standing is Standing.CHAMPION and row["standing"] == Standing.CHAMPION.value and row["strategy_sha256"] != strategy_sha256:
            await _write(work, row["strategy_sha256"], Standing.RETIRED, 0, approval_id)
    await _write(work, strategy_sha256, standing, share_bp if standing is Standing.CHALLENGER else 0, approval_id)
    if sum(row["share_bp"] for row in await store.live_strategies(work, product_id)) > SHARES:
        raise SharesTooLarge(product=product_id)


async def _write(work: Work, strategy_sha256: str, standing: Standing, share_bp: int, approval_id: str) -> None:
    change: dict[str, Any] = {
        "strategy_sha256": strategy_sha256, "standing": standing.value, "share_bp": share_bp, "approval_id": approval_id, "at": work.at
    }  # fmt: skip
    await store.SQL.set_standing.run(work, **change)
    await store.SQL.add_change.run(work, **change)


async def _product_of(work: Work, strategy_sha256: str) -> str:
    found = await store.SQL.product_of_strategy.value(work, strategy_sha256=strategy_sha256)
    if found is None:
        raise NotFound(what="strategy", which=strategy_sha256)
    return str(found)


def _hashes(row: sql.Row) -> dict[str, str]:
    return {"scorecard": row["scorecard_sha256"], "policy": row["policy_sha256"], "product": row["product_sha256"]}


def _ticket(product_id: str, customer_id: str) -> int:
    digest = hashlib.blake2b(customer_id.encode(), key=f"strategy|{product_id}".encode()[:64], digest_size=8).digest()
    return int.from_bytes(digest, "big") % SHARES
