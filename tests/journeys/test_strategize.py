"""A strategy is published, approved by a second person, live at once for everybody, stopped by one, and replayed for ever by its own rules."""

import hashlib
from dataclasses import replace
from importlib import resources

import pytest

from puhui.engines.rules import PolicyFails
from puhui.foundation.desk import Desk
from puhui.journeys import strategize
from puhui.rooms import decisions, staff
from puhui.rooms.decisions import Answer, Bundle, RulebookUnfit, Standing, opening, strategies
from puhui.rooms.decisions.policy import ordinary
from puhui.rooms.staff import ApprovalMissing, Member, NotYourDuty, Role, SamePerson

LI = "cu-1a3-li"
PACK = resources.files("puhui.engines.rules") / "packs"
DMN, TOML = (PACK / "lending.dmn").read_text("utf-8"), (PACK / "lending.toml").read_bytes()
OLDER = ("<text>&gt; 65</text>", "<text>&gt; 29</text>")
ITS_EXAMPLES = (('"age": 65, "under age": false}, gives: {"outcome": "pass"', '"age": 29, "under age": false}, gives: {"outcome": "pass"'),
                ('"age": 30,', '"age": 28,'))  # fmt: skip


def other(*changes: tuple[str, str]) -> Bundle:
    """The shipped strategy with other words in its tables."""
    text = DMN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return decisions.bundled(text.encode(), TOML, decisions.shipped())


@pytest.fixture
async def people(desk: Desk) -> tuple[Member, Member]:
    """An analyst and the head of risk."""
    async with desk.work() as work:
        await decisions.seed_development(work)
        roles = {"wang": Role.RISK_ANALYST, "li": Role.RISK_HEAD}
        wang, li = [
            await staff.add_account(work, staff.CONSOLE, login=login, name=login, roles=frozenset({role}), given_password="long enough a word 7!")
            for login, role in roles.items()
        ]
    return wang, li


async def crowned(desk: Desk, people: tuple[Member, Member], bundle: Bundle) -> str:
    wang, li = people
    name = await strategize.publish(desk, wang, bundle)
    approval_id = await strategize.propose(desk, wang, name, Standing.CHAMPION)
    async with desk.work() as work:
        await staff.approve(work, li, approval_id=approval_id)
    await strategize.change(desk, wang, name, Standing.CHAMPION, approval_id)
    return name


async def decided(desk: Desk, customer_id: str) -> decisions.Record:
    async with desk.work() as work:
        application, _ = await decisions.receive(
            work, customer_id=customer_id, session_id="se-1", entry_id="e01", device_id=customer_id, amount_fen=300_000, months=6, purpose="daily"
        )
        record, _ = await decisions.decide_application(work, application=application, inputs=ordinary(), sources={})
    return record


async def test_a_new_strategy_needs_a_second_person_and_then_decides_for_every_process_at_once(desk, people) -> None:
    wang, li = people
    name = await strategize.publish(desk, wang, other(OLDER, *ITS_EXAMPLES))
    approval_id = await strategize.propose(desk, wang, name, Standing.CHAMPION)
    with pytest.raises(ApprovalMissing):
        await strategize.change(desk, wang, name, Standing.CHAMPION, approval_id)
    async with desk.work() as work:
        with pytest.raises((SamePerson, NotYourDuty)):
            await staff.approve(work, wang, approval_id=approval_id)
    async with desk.work() as work:
        await staff.approve(work, li, approval_id=approval_id)
    before = await decided(desk, "cu-001-a")
    async with desk.work() as other_process:  # its transaction began before the change
        await strategies.live(other_process, "starter", LI)
        await strategize.change(desk, wang, name, Standing.CHAMPION, approval_id)
        assert (await strategies.live(other_process, "starter", LI)).strategy_sha256 == name
    after = await decided(desk, "cu-001-b")
    assert (before.answer, after.answer, after.fired) != ("declined", "declined", before.fired)
    assert "too-old" not in before.fired
    assert "too-old" in after.fired
    assert after.artefacts["rules"] != before.artefacts["rules"]
    with pytest.raises(ApprovalMissing):
        await strategize.change(desk, wang, name, Standing.CHAMPION, approval_id)


async def test_records_of_both_strategies_replay_by_their_own_rules_and_the_old_one_may_come_back(desk, people) -> None:
    wang, li = people
    async with desk.work() as work:
        (first,) = await decisions.strategies_of(work, "starter")
    await decided(desk, "cu-001-a")
    await crowned(desk, people, other(OLDER, *ITS_EXAMPLES))
    await decided(desk, "cu-001-b")
    approval_id = await strategize.propose(desk, wang, first.strategy_sha256, Standing.CHAMPION)
    async with desk.work() as work:
        await staff.approve(work, li, approval_id=approval_id)
    await strategize.change(desk, wang, first.strategy_sha256, Standing.CHAMPION, approval_id)
    back = await decided(desk, "cu-001-c")
    strategies._OPENED.clear()
    async with desk.work() as work:
        page = await decisions.replay_page(work)
        assert (len(page.replayed), [one.difference for one in page.replayed if not one.is_equal]) == (3, [])
        assert back.strategy_sha256 == first.strategy_sha256


async def test_a_wrong_rule_in_the_store_is_found_by_the_replay(desk, people, monkeypatch) -> None:
    """Whoever could put other rules under an old name would change what is decided: the replay tells it."""
    record = await decided(desk, "cu-001-a")
    wrong = other(OLDER, *ITS_EXAMPLES)
    planted = opening.open_artefacts(wrong.scorecard, wrong.policy, wrong.product, wrong.rules)
    monkeypatch.setitem(strategies._OPENED, tuple(record.artefacts[kind] for kind in ("scorecard", "policy", "product")), planted)
    async with desk.work() as work:
        (again,) = (await decisions.replay_page(work)).replayed
    assert again.difference.startswith("outcome: ")


@pytest.mark.parametrize(("changes", "refusal"), [
    ((('gives: {"outcome": "decline", "reason": "too-old", "figure": 65}', 'gives: {"outcome": "pass", "reason": null, "figure": null}'),), PolicyFails),
    ((('<text>"late-with-us"</text>', '<text>"no-sentence"</text>'), ('"reason": "late-with-us"', '"reason": "no-sentence"')), RulebookUnfit),
    ((('<text>"takeover-signs"</text></outputEntry><outputEntry id="a_device_2_3"><text>24</text>', '<text>"takeover-signs"</text></outputEntry><outputEntry id="a_device_2_3"><text>null</text>'), ('"reason": "takeover-signs", "figure": 24', '"reason": "takeover-signs", "figure": null')), RulebookUnfit),
])  # fmt: skip
async def test_what_fails_its_own_examples_or_cannot_be_told_is_not_published(desk, people, changes, refusal) -> None:
    with pytest.raises(refusal):
        await strategize.publish(desk, people[0], other(*changes))


async def test_without_examples_nothing_is_published_nor_by_who_has_no_duty(desk, people) -> None:
    start = DMN.index("p:example='", DMN.index('name="Region" p:'))
    bare = DMN[:start] + DMN[DMN.index("'>", start) + 1 :]
    with pytest.raises(RulebookUnfit, match="Region has no example"):
        await strategize.publish(desk, people[0], decisions.bundled(bare.encode(), TOML, decisions.shipped()))
    async with desk.work() as work:
        clerk = await staff.add_account(work, staff.CONSOLE, login="zhao", name="zhao", roles=frozenset({Role.SERVICE_AGENT}), given_password="long enough a word 7!")
    with pytest.raises(NotYourDuty):
        await strategize.publish(desk, clerk, decisions.shipped())


async def test_rules_that_are_not_those_of_their_source_are_refused(desk, people) -> None:
    bundle = decisions.shipped()
    with pytest.raises(decisions.ArtefactDamaged):
        await strategize.publish(desk, people[0], replace(bundle, rules=bundle.rules[:-1] + b"x"))
    with pytest.raises(decisions.ArtefactDamaged):
        await strategize.publish(desk, people[0], replace(bundle, rules=other(OLDER, *ITS_EXAMPLES).rules))


async def test_a_decline_is_explained_by_its_tables_and_what_would_turn_it(desk, people) -> None:
    async with desk.work() as work:
        application, _ = await decisions.receive(
            work, customer_id=LI, session_id="se-1", entry_id="e01", device_id="d", amount_fen=300_000, months=6, purpose="daily"
        )
        usual = ordinary()
        values = dict(usual.values)
        for item in opening.open_scorecard(decisions.shipped().scorecard).characteristics:
            place = max(range(len(item.points)), key=lambda i, item=item: item.points[i])
            values[item.name] = item.edges[place] if place < len(item.edges) else item.edges[-1] + 1
        values |= {"application.income": 600_000, "bureau.overdue.sum": 90_000, "bureau.worst.24m": 0, "bureau.count.90d[kind=inquiry&reason=loan_application]": 0}
        record, outcome = await decisions.decide_application(work, application=application, inputs=replace(usual, values=values), sources={})
        told = await decisions.why(work, record)
    assert (outcome.answer, [one.code for one in outcome.reasons]) == (Answer.DECLINED, ["overdue-now"])
    tables = {one["table"]: one for one in told["tables"]}
    assert len(tables) >= 20
    assert [one["rule"] for one in tables["Bureau lateness"]["fired"]] == [1]
    assert "当前逾期" in tables["Bureau lateness"]["fired"][0]["meaning"]
    assert {"rule": 2, "columns": [one for one in tables["Bureau lateness"]["seen"] if "worst" in one]} in tables["Bureau lateness"]["missed"]
    assert {"overdue yuan": "499.99"} in told["flips"]


def test_the_shipped_strategy_names_its_plan_and_card() -> None:
    bundle = decisions.shipped()
    opened = opening.open_artefacts(bundle.scorecard, bundle.policy, bundle.product, bundle.rules)
    assert opened.policy.manifest.portfolio == hashlib.sha256(bundle.scorecard).hexdigest() == opened.card.sha256
    assert opened.policy.manifest.plan == decisions.plan_sha256()
