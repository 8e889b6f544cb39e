"""Derived variables as staff see them: a browser of the catalogue, one variable from its source to its drift, and one person's values with reasons."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

from puhui.engines.variables import Catalogue, lending, over
from puhui.engines.variables.describing import Language
from puhui.engines.variables.lending import TABLES
from puhui.engines.variables.origination import bare, origination
from puhui.engines.variables.refusals import NoSuchVariable
from puhui.foundation.refusals import BadField, NotFound
from puhui.rooms import customers, decisions
from puhui.rooms.decisions import Characteristic, Drift, Missing, Paper, Scorecard, Value
from puhui.rooms.staff import Duty
from puhui.vocabulary.reasons import SENTENCES
from puhui.web.console import charts
from puhui.web.console.blocks import Block, Chart, Column, Fact, Facts, Figure, Figures, Form, Note, Row, Sheet, Table
from puhui.web.console.blocks import Field as Entry
from puhui.web.console.lists import choices
from puhui.web.console.render import yuan
from puhui.web.console.screen import Deed, Screen, of
from puhui.web.console.visit import MOST, Visit, address
from puhui.web.console.words import word

ONE = "/console/variables/one"
SEARCH_MOST = 100
SETS = ("deciding", "declared", "lending")
MASK = "•••"
SEES = of(Duty.SEE_DECISIONS)


# -- the catalogue


async def catalogue(visit: Visit) -> Sheet:
    """List variables: those that decide, or all that are declared; narrowed by source and by words of the name or of the sentence."""
    whole = visit.one_of("set", SETS) or "deciding"
    tables = tuple(table.name for table in (TABLES if whole == "lending" else bare().tables)) + (("application",) if whole == "deciding" else ())
    table, asked = visit.one_of("table", tables), visit.query.get("q", "").strip()[:SEARCH_MOST]
    names = await asyncio.to_thread(found, whole, table or "", asked, _language(visit))
    async with visit.reading() as work:
        card = await decisions.card_of(work)
    inside = {item.name for item in card.characteristics} if card else set()
    page = names[(visit.page - 1) * MOST : visit.page * MOST] if not visit.is_export else names[:5000]
    rows = [_line(name, visit, inside) for name in page]
    columns = (Column("variable", "text", ONE + "?name={address}"), Column("meaning"), Column("source", "word"), Column("unit", "word"), Column("sign", "word"), Column("in_card", "yes"))
    listing = Table("variables", columns, rows, "no-variable-found", total=len(names), page=visit.page, is_listing=True, note="variables-note")
    search: list[Block] = [Form("find", [Entry("q", value=asked, is_wanted=False, hint="variables-hint")], title="find-variables")]
    return Sheet("variables", [choices(visit, "set", SETS), choices(visit, "table", tables, word="item-"), listing], about=asked, aside=search)


def found(whole: str, table: str, asked: str, language: Language) -> Sequence[str]:
    """Give the names of a set, of one table or all, in which every word asked for stands, in the name or in the sentence."""
    names: Sequence[str] = decisions.names() if whole == "deciding" else origination().names if whole == "declared" else lending().names
    names = [name for name in names if not table or _source(name) == table]
    words = asked.lower().split()
    if not words:
        return names
    sentences = _sentences(whole, language)
    return [name for name in names if all(one in name.lower() or one in sentences.get(name, "") for one in words)]


@cache
def _sentences(whole: str, language: Language) -> Mapping[str, str]:
    """Give every sentence of a set in small letters, made once: half a second for all that origination declares. `lending` is searched by names alone."""
    if whole == "lending":
        return {}
    if whole == "deciding":
        return {name: _said(paper, language).lower() for name, paper in decisions.papers().items()}
    every = origination()
    return {name: every.describe(name, language).lower() for name in every.names}


@cache
def _lending_tables() -> Catalogue:
    return Catalogue(*(over(table) for table in TABLES))


def _home(name: str) -> Catalogue:
    """Give the catalogue whose tables a name is about: that of decisions, else that of lending. Raises: BadField."""
    for every in (bare(), _lending_tables()):
        try:
            every.parse(name)
        except NoSuchVariable:
            continue
        return every
    raise BadField(field="name", why="no variable has this name")


def _said(paper: Paper, language: Language) -> str:
    return paper.zh if language == "zh" else paper.en


def _source(name: str) -> str:
    paper = decisions.papers().get(name)
    return paper.source if paper else name.partition(".")[0]


def _line(name: str, visit: Visit, inside: set[str]) -> Row:
    paper = decisions.papers().get(name)
    meaning = _said(paper, _language(visit)) if paper else _home(name).describe(name, _language(visit))
    return {
        "variable": name,
        "address": address("", name=name).removeprefix("?name="),
        "meaning": meaning,
        "source": f"item-{_source(name)}",
        "unit": f"unit-{paper.unit.replace('/', '-')}" if paper else None,
        "sign": f"sign-{paper.sign}" if paper and paper.reason else None,
        "in_card": name in inside,
    }


async def _find(visit: Visit) -> str:
    """Lead to the list narrowed by what was typed. Names of variables are nobody's secret, so they may stand in an address."""
    return address("/console/variables", q=visit.form.get("q", "").strip()[:SEARCH_MOST] or None, set=visit.query.get("set") or None)


# -- one variable


async def variable(visit: Visit) -> Sheet:
    """Show one variable: its sentence, where it comes from and under which consent, what it costs, how it is spread and how it drifts."""
    name = visit.query.get("name") or next(iter(decisions.names()))
    paper = decisions.papers().get(name)
    if paper is None:
        _home(name[:200])
    async with visit.reading() as work:
        card = await decisions.card_of(work)
        seen = await decisions.values_seen(work, name)
    item = next((one for one in card.characteristics if one.name == name), None) if card else None
    drift = decisions.drift_of(seen, item.edges if item else ())
    blocks: list[Block] = [_what(visit, name, paper), _lineage(name, paper)]
    if name not in decisions.names():
        return Sheet("variable", [*blocks, Note("variable-not-kept")], about=name)
    newest = drift.months[-1].psi if drift.months else None
    blocks.insert(
        0,
        Figures(
            [
                Figure("decisions-seen", len(seen), note="decisions-seen-note"),
                Figure("missing-share", drift.totals[-1] * 1_000_000 // len(seen) if seen else None, "ppm"),
                Figure("psi", f"{newest:.3f}" if newest is not None else None, "text", note="psi-note", tone=_tone(newest)),
                Figure("in_card", item is not None, "yes"),
            ]
        ),
    )
    blocks += [_spread(visit, drift, paper), _by_month(visit, drift), *([_points(item, paper)] if item else []), _why_missing(drift)]
    return Sheet("variable", blocks, about=name)


def _tone(psi: float | None) -> str:
    return "" if psi is None or psi < 0.1 else "warn" if psi < 0.25 else "bad"


def _what(visit: Visit, name: str, paper: Paper | None) -> Facts:
    reason = paper.reason if paper else ""
    facts = [
        Fact("variable", name, "name"),
        Fact("meaning-zh", paper.zh if paper else _home(name).describe(name, "zh")),
        Fact("meaning-en", paper.en if paper else _home(name).describe(name, "en")),
    ]
    if paper:
        facts += [
            Fact("unit", f"unit-{paper.unit.replace('/', '-')}", "word"),
            Fact("sign", f"sign-{paper.sign}" if reason else None, "word"),
            Fact("missing-means", paper.missing),
            Fact("reason-told", SENTENCES[reason][_language(visit)] if reason in SENTENCES else None),
            Fact("is-protected", paper.is_protected, "yes"),
        ]
    return Facts("variable-is", facts)


def _lineage(name: str, paper: Paper | None) -> Facts:
    """Give table, columns, source, purpose, consent, identity and cost; a measure has none of the engine's."""
    if paper is not None and name not in decisions.asked_of_log():
        return Facts("lineage", [Fact("source", f"item-{paper.source}", "word"), Fact("computed-by", "measure", "word")])
    every = _home(name)
    lineage = every.lineage(name)
    asked = decisions.asked_of_log()
    cost = every.cost(asked if name in asked else [name]).by_name[name]
    facts = [
        Fact("source", f"item-{lineage.table}", "word"),
        Fact("columns", ", ".join(lineage.columns) or "—"),
        Fact("source-system", lineage.source, "code"),
        Fact("purpose", lineage.purpose, "word"),
        Fact("consent-needed", f"item-{lineage.consent}" if lineage.consent else "consent-none", "word"),
        Fact("ordinal", _ordinal(name, origination() if every is bare() else lending()), "count"),
        Fact("id", every.id(name), "code"),
        Fact("cost-us", f"{cost.us:.2f} µs"),
        Fact("cost-bytes", cost.bytes, "count"),
    ]
    return Facts("lineage", facts)


def _ordinal(name: str, declared: Catalogue) -> int | None:
    return declared.ordinal(name) if name in declared else None


def _labels(edges: Sequence[int], paper: Paper | None) -> list[str]:
    texts = [shown(edge, paper.unit if paper else "count") for edge in edges]
    if not texts:
        return ["—"]
    return [f"≤ {texts[0]}", *(f"{low} – {high}" for low, high in pairwise(texts)), f"> {texts[-1]}"]


def _spread(visit: Visit, drift: Drift, paper: Paper | None) -> Chart:
    labels = [*_labels(drift.edges, paper), word("missing", visit.language)]
    rows = [{"bin": label, "people": count} for label, count in zip(labels, drift.totals, strict=True)] if drift.months else []
    return Chart("spread", charts.bars(labels, {"": list(drift.totals)}), Table("spread", (Column("bin"), Column("people", "count")), rows, "no-decisions-yet"))


def _by_month(visit: Visit, drift: Drift) -> Chart:
    """Shares of bins by month as curves, and the index of each month against the first."""
    del visit
    rows = [
        {"month": one.month, "people": one.people, "missing_ppm": one.counts[-1] * 1_000_000 // one.people, "psi": f"{one.psi:.3f}" if one.psi is not None else None}
        for one in drift.months
    ]
    option = charts.lines(
        [one.month for one in drift.months],
        {"PSI": [round(one.psi, 3) if one.psi is not None else None for one in drift.months], "missing": [round(one.counts[-1] / one.people, 3) for one in drift.months]},
    )
    columns = (Column("month"), Column("people", "count"), Column("missing_ppm", "ppm"), Column("psi"))
    return Chart("drift", option, Table("drift", columns, rows, "no-decisions-yet"), note="drift-note")


def _points(item: Characteristic, paper: Paper | None) -> Table:
    labels = [*_labels(item.edges, paper)]
    rows = [{"bin": label, "points": points} for label, points in zip(labels, item.points, strict=True)]
    rows.append({"bin": MISSING_BIN, "points": item.missing_points})
    return Table("points-of-card", (Column("bin"), Column("points", "count")), rows)


MISSING_BIN = "∅"


def _why_missing(drift: Drift) -> Table:
    return Table("why-missing", (Column("missing", "word"), Column("people", "count")), [{"missing": why, "people": count} for why, count in drift.missing], "nothing-missing")


def shown(value: int, unit: str) -> str:
    """Give a value as its unit reads."""
    match unit:
        case "fen" | "fen/day":
            return yuan(value)
        case "ppm":
            return f"{value / 10_000:.2f}%"
        case _:
            return f"{value:,}"


# -- one person


async def person(visit: Visit) -> Sheet:
    """Show the values of a person's newest decision: what each means, why it is missing, the points it cost, the reason it would be told by.

    Who may not see decisions sees which sources spoke and why others did not; the values themselves are masked.
    """
    customer_id = visit.ids["customer_id"]
    async with visit.reading() as work:
        if await customers.find_customer(work, customer_id) is None:
            raise NotFound(what="customer", which=customer_id)
        record = await decisions.newest_record_of(work, customer_id)
        card = await decisions.card_of(work, record) if record else None
    if record is None or card is None:
        return Sheet("person-variables", [Note("no-decision-yet", tone="warn")], about=customer_id)
    values = decisions.read_inputs(record.inputs).values
    table = visit.one_of("table", tuple(sorted({_source(name) for name in values})))
    rows = [_value_row(visit, name, value, card) for name, value in sorted(values.items()) if table in {None, _source(name)}]
    columns = [Column("variable", "text", ONE + "?name={address}"), Column("meaning"), Column("value_text"), Column("missing", "word"), Column("reason_told")]
    if visit.may(Duty.SEE_DECISIONS):
        columns.insert(4, Column("points_lost", "count"))
    facts = Facts(
        "decision-read",
        [
            Fact("decided_at", record.at, "at"),
            Fact("application_id", record.application_id, "code", f"/console/applications/{customer_id}/{record.application_id}"),
            Fact("plan-asked", record.sources.get("plan_sha256"), "code"),
            Fact("events", record.sources.get("events_sha256"), "code"),
        ],
    )
    sources = tuple(sorted({_source(name) for name in values}))
    note = [] if visit.may(Duty.SEE_DECISIONS) else [Note("values-masked")]
    return Sheet(
        "person-variables",
        [facts, *note, choices(visit, "table", sources, word="item-"), Table("variables", tuple(columns), rows, total=len(rows), most=max(len(rows), 1))],
        about=customer_id,
    )


def _value_row(visit: Visit, name: str, value: Value, card: Scorecard) -> Row:
    paper = decisions.papers().get(name)
    item = next((one for one in card.characteristics if one.name == name), None)
    why = value.value if isinstance(value, Missing) else None
    text = None if isinstance(value, Missing) else shown(value, paper.unit if paper else "count") if visit.may(Duty.SEE_DECISIONS) else MASK
    reason = paper.reason if paper else ""
    return {
        "variable": name,
        "address": address("", name=name).removeprefix("?name=") if paper else "",
        "meaning": _said(paper, _language(visit)) if paper else None,
        "value_text": text,
        "missing": why,
        "points_lost": item.best_points - item.points_for(value) if item else None,
        "reason_told": SENTENCES[reason][_language(visit)] if item and reason in SENTENCES else None,
    }


def _language(visit: Visit) -> Language:
    return "en" if visit.language == "en" else "zh"


SCREENS = [
    Screen("/console/variables", "variables", "risk", catalogue, SEES, [Deed("find", _find, SEES)], key="v"),
    Screen(ONE, "variable", "risk", variable, SEES, is_in_menu=False),
    Screen("/console/customers/{customer_id}/variables", "person-variables", "risk", person, of(Duty.SEE_DECISIONS, Duty.SEE_CUSTOMER), is_in_menu=False),
]
