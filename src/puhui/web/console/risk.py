"""Data and risk: one application from data to decision, replayed before one's eyes; strategies; whom we reach; the eight directions."""

import json
from collections.abc import Mapping
from typing import Any

from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.work import Work
from puhui.journeys import explain
from puhui.journeys.look_again import look_again
from puhui.rooms import boards, channels, customers, decisions, histories, staff
from puhui.rooms.boards import GROUPS
from puhui.rooms.decisions import Application, Record
from puhui.rooms.staff import Duty
from puhui.web.console import charts
from puhui.web.console.blocks import Block, Chart, Code, Column, Fact, Facts, Field, Figure, Figures, Form, Lines, Links, Note, Sheet, Table
from puhui.web.console.lists import CUSTOMER, LOAN
from puhui.web.console.screen import Deed, Screen, of
from puhui.web.console.visit import Visit, address, rows_of
from puhui.web.console.words import word

PRODUCT = "starter"
SCENES_SHOWN = 15


# -- one application


async def application(visit: Visit) -> Sheet:
    """Show one application: what was asked, what was read under which consent, every value, the reasons, and the record's hashes."""
    customer_id, application_id = visit.ids["customer_id"], visit.ids["application_id"]
    async with visit.reading() as work:
        found = await decisions.find_application(work, customer_id, application_id)
        if found is None:
            raise NotFound(what="application", which=application_id)
        record = await decisions.last_record(work, customer_id, application_id)
        loans, _ = await boards.loans_page(work, boards.LoansWanted(customer_id=customer_id), most=50)
        loan_id = next((one.loan_id for one in loans if one.application_id == application_id), None)
        read = await _read_for(work, found)
        proofs = await decisions.proofs_of(work, customer_id, application_id)
    blocks: list[Block] = [_asked(visit, found, loan_id, record)]
    if record is None:
        return Sheet("application", [*blocks, Note("no-decision-yet", tone="warn"), read], about=application_id)
    told = decisions.explained(record) | {"reasons": decisions.told(record, visit.language)["reasons"]}
    again = visit.revealed.get("replay")
    if again is not None:
        blocks.insert(0, Note("replay-equal", tone="good") if not again else Note("replay-differs", {"difference": again}, tone="bad"))
    blocks += [
        _decided(told),
        *([Lines("reasons", [(f"#{one['code']}", one["text"]) for one in told["reasons"]])] if told["reasons"] else []),
        _offers(told),
        read,
        *([_proofs(proofs)] if proofs else []),
        Links("values-with-reasons", [("customer_id", found.customer_id, f"/console/customers/{found.customer_id}/variables")]),
        _values(told["values"]),
        _artefacts(record, told),
        Code("facts-of-decision", json.dumps(told["facts"], ensure_ascii=False, indent=2, sort_keys=True)),
    ]
    forms: list[Block] = [Form("replay", title="replay", note="replay-note")]
    if visit.may(Duty.REVIEW_DECISIONS) and told["may_review"]:
        forms.append(
            Form("review", [Field("text", "long"), Field("set_aside", is_wanted=False, hint="set-aside-hint"), Field("proven_income", "number", is_wanted=False)], title="review", note="review-note")
        )
    return Sheet("application", blocks, about=application_id, aside=forms)


def _asked(visit: Visit, found: Application, loan_id: str | None, record: Record | None) -> Facts:
    return Facts(
        "asked-for",
        [
            Fact("amount_fen", found.amount_fen, "money"),
            Fact("months", found.months, "count"),
            Fact("purpose", f"for-{found.purpose}", "word"),
            Fact("state", found.state.value, "state"),
            Fact("ended_why", found.why, "word"),
            Fact("tapped_at", found.tapped_at, "at"),
            Fact("decided-at", record.at if record else None, "at"),
            Fact("entry_id", found.entry_id, "code", address("/console/applications", entry=found.entry_id or None)),
            Fact("scene", found.scene, "code"),
            Fact("customer_id", found.customer_id, "code", CUSTOMER.format(customer_id=found.customer_id) if visit.may(Duty.SEE_CUSTOMER) else ""),
            Fact("loan_id", loan_id, "code", LOAN.format(loan_id=loan_id) if loan_id else ""),
        ],
    )


def _decided(told: Mapping[str, Any]) -> Figures:
    return Figures(
        [
            Figure("outcome", told["outcome"], "word", tone={"offer": "good", "declined": "bad"}.get(told["outcome"], "warn")),
            Figure("band", told["band"], "text"),
            Figure("points", told["points"], "count"),
            Figure("probability", told["probability_ppm"], "ppm", note="probability-note"),
            Figure("limit", told["limit_fen"], "yuan"),
            Figure("ladder", told["ladder"], "word"),
            Figure("decided-by", told["decided_by"], "word"),
        ]
    )


async def _read_for(work: Work, found: Application) -> Table:
    """Give the data used: every asking for this application, its consent, its end."""
    rows = [
        {"what": f"item-{row['source']}", "state": row["state"], "as_of": row["as_of"], "consent_id": row["consent_id"]}
        for row in await histories.fetches_of(work, found.customer_id)
        if row["parent"] == found.application_id
    ]
    rows += [
        {"what": "item-bureau", "state": f"report-{one.state.value}", "as_of": one.as_of, "consent_id": one.consent_id}
        for one in await histories.reports_of(work, found.customer_id)
        if one.parent == found.application_id
    ]
    columns = (Column("what", "word"), Column("state", "state"), Column("as_of", "at"), Column("consent_id", "code"))
    return Table("data-used", columns, rows, "nothing-asked")


def _values(values: Mapping[str, Any]) -> Table:
    """Give every variable of the decision; a missing one says why it is missing."""
    rows = [{"variable": name, "value": value if isinstance(value, int) else None, "missing": None if isinstance(value, int) else value} for name, value in sorted(values.items())]
    return Table("variables", (Column("variable", "name"), Column("value", "count"), Column("missing", "word")), rows, is_folded=True)


def _offers(told: Mapping[str, Any]) -> Table:
    rows = [
        {
            "method": one["method"],
            "amount_min_fen": one["amount_min_fen"],
            "amount_max_fen": one["amount_max_fen"],
            "terms": ", ".join(map(str, one["months"])),
            "rate_ppm": one["rate_ppm"],
            "all_in_max_ppm": one.get("all_in_max_ppm"),
        }
        for one in told["offers"]
    ]
    columns = (Column("method", "word"), Column("amount_min_fen", "money"), Column("amount_max_fen", "money"), Column("terms"), Column("rate_ppm", "rate"), Column("all_in_max_ppm", "rate"))
    return Table("offers", columns, rows, "no-offers")


def _proofs(proofs: list[decisions.Proof]) -> Table:
    return Table("proofs", (Column("kind", "word"), Column("at", "at")), [{"kind": one.kind, "at": one.at} for one in proofs])


def _artefacts(record: Record, told: Mapping[str, Any]) -> Table:
    """Give what decided: artefacts by hash, rule packs, the rules that fired, and what the shadows would have said."""
    named = {"strategy": record.strategy_sha256, **told["artefacts"], "inputs": record.inputs_sha256, "outcome": record.outcome_sha256}
    rows = [{"artefact": f"artefact-{name}", "what-it-is": digest[:24] + "…"} for name, digest in named.items()]
    rows += [{"artefact": "rule-pack", "what-it-is": f"{pack.partition(':')[0]} {pack.partition(':')[2][:12]}…"} for pack in told["packs"]]
    rows += [{"artefact": "rule-fired", "what-it-is": rule} for rule in told["fired"]]
    rows += [{"artefact": "rule-fired", "what-it-is": f"{name} {', '.join(map(str, rules))}"} for name, rules in told["tables"].items() if rules]
    rows += [{"artefact": "shadow", "what-it-is": f"{one['strategy'][:12]} {one['answer']} {one['band']} {one['points']}"} for one in told["shadows"]]
    return Table("artefacts", (Column("artefact", "word"), Column("what-it-is", "name")), rows)


async def _replay(visit: Visit) -> dict[str, str]:
    """Run the decision again from its stored inputs and the artefacts its hashes name; say whether every byte is the same."""
    customer_id, application_id = visit.ids["customer_id"], visit.ids["application_id"]
    async with visit.writing() as work:
        record = await decisions.last_record(work, customer_id, application_id)
        if record is None:
            raise NotFound(what="decision", which=application_id)
        again = (await look_again(work, record)).replayed
        await staff.note(work, visit.member, verb="replay", subject=record.decision_id, facts={"is_equal": int(again.is_equal)})
    return {"replay": again.difference}


async def _review(visit: Visit) -> None:
    """Look again as a person: rules found not to apply are set aside, an income proven is taken; bars of law stand."""
    customer_id, application_id = visit.ids["customer_id"], visit.ids["application_id"]
    text, income = visit.form.get("text", "").strip(), visit.form.get("proven_income", "").strip()
    if not text or (income and not (income.isascii() and income.isdigit() and len(income) < 9)):
        raise BadField(field="text, income", why="the words that the person reads; an income in whole yuan")
    async with visit.reading() as work:
        record = await decisions.last_record(work, customer_id, application_id)
    if record is None:
        raise NotFound(what="decision", which=application_id)
    body = explain.Review(text[:4000], visit.form.get("set_aside", "").replace(",", " ").split(), int(income) * 100 if income else None)
    await explain.review(visit.desk, reviewer=visit.member.staff_id, decision_id=record.decision_id, body=body)
    async with visit.writing() as work:
        await staff.note(work, visit.member, verb="review", subject=record.decision_id, facts={"set_aside": " ".join(body.set_aside)})


# -- strategies, inclusion, directions


async def strategies(visit: Visit) -> Sheet:
    """List the strategies of the product with their standing and share."""
    async with visit.reading() as work:
        found = await decisions.strategies_of(work, PRODUCT)
        tried = sum(one.share_bp for one in found if one.standing is not decisions.Standing.CHAMPION)
        rows = [
            {
                "version": one.version,
                "standing": one.standing.value,
                "share_ppm": (10_000 - tried if one.standing is decisions.Standing.CHAMPION else one.share_bp) * 100,
                "strategy": one.strategy_sha256,
                "scorecard": one.scorecard_sha256,
                "policy": one.policy_sha256,
                "approval_id": one.approval_id,
            }
            for one in found
        ]
    columns = (Column("version", "text"), Column("standing", "state"), Column("share_ppm", "ppm"), Column("strategy", "code"), Column("scorecard", "code"), Column("policy", "code"), Column("approval_id", "code"))
    return Sheet("strategies", [Table("strategies", columns, rows, total=len(rows), most=max(len(rows), 1), is_listing=True, note="strategies-note")])


async def inclusion(visit: Visit) -> Sheet:
    """Show whom we reach: each figure by a written definition, with what lies in two groups printed."""
    async with visit.reading() as work:
        groups = await boards.reach(work)
        thin = await boards.thin_file(work)
    whole = next(one for one in groups if one.group == "all")
    rows = [
        {
            "key": one.group,
            "group": one.group,
            "loans": one.loans,
            "loans_ppm": one.loans * 1_000_000 // whole.loans if whole.loans else None,
            "persons": one.persons,
            "amount_fen": one.amount_fen,
            "mean_fen": one.amount_fen // one.loans if one.loans else None,
            "median_fen": one.median_fen,
            "per_person": f"{one.loans / one.persons:.2f}" if one.persons else "",
        }
        for one in groups
    ]
    columns = (
        Column("group", "word", "/console/loans?group={key}"),
        Column("loans", "count", "/console/loans?group={key}"),
        Column("loans_ppm", "ppm"),
        Column("persons", "count"),
        Column("amount_fen", "money"),
        Column("mean_fen", "money"),
        Column("median_fen", "money"),
        Column("per_person", "text"),
    )
    overlap = [{"group": one.group} | dict(zip(GROUPS, one.overlaps, strict=True)) for one in groups]
    option = charts.bars(
        [word(one.group, visit.language) for one in groups[:-1]],
        {"": [charts.point(one.amount_fen / 100, f"/console/loans?group={one.group}") for one in groups[:-1]]},
        is_lying=True,
    )
    return Sheet(
        "inclusion",
        [
            Figures(
                [
                    Figure("thin-decided", thin.decided, href="/console/applications?thin=yes"),
                    Figure("thin-offered", thin.offered, href="/console/applications?thin=yes&outcome=offer"),
                    Figure("thin-paid", thin.paid_out, href="/console/loans?group=thin_file"),
                    Figure("first-records", thin.first_loans, note="first-records-note"),
                    Figure("first-record-people", thin.first_loan_customers),
                ]
            ),
            Table("reach", columns, rows, total=len(rows), most=len(rows), is_listing=True),
            Table("overlaps", (Column("group", "word"), *(Column(name, "count") for name in GROUPS)), overlap, note="overlaps-note"),
            Chart("reach-amount", option, Table("reach-amount", columns[:5], rows), is_wide=True),
            Lines("definitions", [(one, word(f"definition-{one}", visit.language)) for one in GROUPS]),
        ],
    )


async def directions(visit: Visit) -> Sheet:
    """Show the experience board: one live measure for each direction whose rooms exist; the others are named and left out."""
    async with visit.reading() as work:
        ever, timings = await boards.funnel(work), await boards.timings(work)
        by_state = {row["state"]: row["events"] for row in await channels.events_by_state(work)}
        strategies_now = await decisions.strategies_of(work, PRODUCT)
        overdue = await customers.count_overdue(work)
        happened = await boards.happened(work)
        scenes, in_scenes = await boards.by_scene(work, most=SCENES_SHOWN)
        through = await boards.through(work, [one.entry_id for one in channels.entries().values() if one.kind.value == "h5"])
    sent = sum(count for state, count in by_state.items() if state in {"taken", "parked", "waiting"})
    figures = [
        Figure("direction-scenes", in_scenes, href="/console/applications", note="direction-scenes-note"),
        Figure("direction-open", by_state.get("taken", 0) * 1_000_000 // sent if sent else None, "ppm", "/console/deliveries" if visit.may(Duty.PROPOSE_PARTNER) else "", "direction-open-note"),
        Figure("direction-embedded", through, note="direction-embedded-note"),
        Figure("direction-experience", ever.paid_out * 1_000_000 // ever.received if ever.received else None, "ppm", "/console/applications?reached=paid", "direction-experience-note"),
        Figure("direction-cases", overdue, tone="bad" if overdue else "good", note="direction-cases-note"),
        Figure("direction-safety", happened.frozen, note="direction-safety-note"),
        Figure("direction-collects", happened.failed_collects, note="direction-collects-note"),
        Figure("direction-release", sum(one.standing.value in {"challenger", "shadow"} for one in strategies_now), href="/console/strategies" if visit.may(Duty.SEE_DECISIONS) else "", note="direction-release-note"),
    ]
    steps = (Column("step", "word"), Column("people", "count"), Column("p50_ms", "ms"), Column("p95_ms", "ms"))
    fell = [("received", ever.received), ("offered", ever.offered), ("accepted", ever.accepted), ("signed", ever.signed), ("paid", ever.paid_out)]
    rows = [
        {"step": f"reach-{name}", "people": count, "of_all": count * 1_000_000 // ever.received if ever.received else None, "lost": before - count}
        for (name, count), before in zip(fell, [ever.received, *(count for _, count in fell)], strict=False)
    ]
    option = charts.bars([word(f"reach-{name}", visit.language) for name, _ in fell], {"": [count for _, count in fell]})
    return Sheet(
        "directions",
        [
            Figures(figures),
            Table("step-timing", steps, [{**row, "step": f"step-{row['step']}"} for row in rows_of(timings)], note="step-timing-note"),
            Chart("drop-off", option, Table("drop-off", (Column("step", "word"), Column("people", "count"), Column("of_all", "ppm"), Column("lost", "count")), rows), is_wide=True),
            Table("by-scene", (Column("scene", "code", "/console/applications?scene={scene}"), Column("applications", "count"), Column("paid_out", "count")), [{"scene": scene, "applications": count, "paid_out": paid} for scene, count, paid in scenes], "no-scenes"),
            Lines("directions-left-out", [(f"direction-{name}", word("direction-later", visit.language)) for name in ("wealth", "ai", "digital")]),
        ],
    )


SCREENS = [
    Screen(
        "/console/applications/{customer_id}/{application_id}", "application", "risk", application, of(Duty.SEE_DECISIONS),
        [Deed("replay", _replay, of(Duty.SEE_DECISIONS), reveals=True), Deed("review", _review, of(Duty.REVIEW_DECISIONS))],
        is_in_menu=False,
    ),
    Screen("/console/strategies", "strategies", "risk", strategies, of(Duty.SEE_DECISIONS)),
    Screen("/console/inclusion", "inclusion", "risk", inclusion, of(Duty.SEE_BOARDS), key="i"),
    Screen("/console/directions", "directions", "risk", directions, of(Duty.SEE_BOARDS), key="e"),
]  # fmt: skip
