"""Customers: searching, one person whole, cases and pleas with their clocks. Personal data is masked; clear only with a reason, in the audit."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.work import Work
from puhui.journeys import contact, office
from puhui.rooms import boards, bureau, contacts, customers, decisions, histories, ledger, staff
from puhui.rooms.boards import ApplicationsWanted, LoansWanted
from puhui.rooms.customers import Case, CaseKind, CaseState, Customer, Identity
from puhui.rooms.staff import Duty, masked
from puhui.web.console.blocks import Block, Column, Fact, Facts, Field, Figure, Figures, Form, Lines, Links, Note, Sheet, Table
from puhui.web.console.lists import APPLICATION_COLUMNS, CUSTOMER, LOAN_COLUMNS, choices
from puhui.web.console.screen import Deed, Screen, of
from puhui.web.console.visit import Visit, address, rows_of

CASE = "/console/cases/{customer_id}/{case_id}"
FOUND_MOST = 20
FEW = 10
UNMASKABLE = ("name", "id_number", "phone", "card", "address")
OUTCOMES = ("upheld", "partly", "declined")
KINDS = tuple(kind.value for kind in CaseKind)
EASE_MONTHS = 12
_PHONE, _ID, _THING = re.compile(r"^1\d{10}$"), re.compile(r"^\d{17}[\dXx]$"), re.compile(r"^(cu|ln|ap|ca|po)-[0-9a-f]{3}-[\w-]{1,40}$")


# -- searching


async def search(visit: Visit) -> Sheet:
    """Search by name, phone, id number, or the id of a customer or loan. What was typed comes by form: it stands in no address and no log."""
    asked = visit.form.get("q", "").strip()
    if not asked:
        return Sheet("customers", [Note("search-help")])
    async with visit.reading() as work:
        people, links = await _find(work, visit, asked)
        rows = [await _found_row(work, customer_id) for customer_id in people]
    blocks: list[Block] = [Links("found-things", links)] if links else []
    columns = (
        Column("customer_id", "code", CUSTOMER),
        Column("name", "personal"),
        Column("phone", "personal"),
        Column("state", "state"),
        Column("registered_at", "at"),
    )
    if visit.may(Duty.SEE_CUSTOMER):
        blocks.append(Table("found-people", columns, rows, "found-nobody", note="found-note" if len(rows) == FOUND_MOST else ""))
    elif not links:
        blocks.append(Note("found-only-ids"))
    return Sheet("customers", blocks)


async def _find(work: Work, visit: Visit, asked: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Give the customers meant, and links to things named by id."""
    if _THING.fullmatch(asked):
        kind = asked[:2]
        if kind == "ln" and (owner := await ledger.borrower_of(work, asked)):
            return ([owner] if visit.may(Duty.SEE_CUSTOMER) else []), [("loan_id", asked, f"/console/loans/{asked}")]
        if kind == "ap" and (owner := await boards.applicant_of(work, asked)) and visit.may(Duty.SEE_DECISIONS):
            return [], [("application_id", asked, f"/console/applications/{owner}/{asked}")]
        if kind == "cu" and visit.may(Duty.SEE_CUSTOMER) and await customers.find_customer(work, asked):
            return [asked], []
        return [], []
    if not visit.may(Duty.SEE_CUSTOMER):
        return [], []
    if _PHONE.fullmatch(asked):
        return await customers.found_by_phone(work, asked, FOUND_MOST), []
    if _ID.fullmatch(asked):
        try:
            owner = await customers.who_has_id(work, customers.id_number(asked, today=work.today))
        except BadField:
            return [], []
        return ([owner] if owner else []), []
    return await customers.found_by_name(work, asked, FOUND_MOST), []


async def _found_row(work: Work, customer_id: str) -> dict[str, Any]:
    customer = await customers.find_customer(work, customer_id)
    assert customer is not None, customer_id
    identity = await _identity(work, customer_id)
    return {
        "customer_id": customer_id,
        "name": masked("name", identity.name) if identity else None,
        "phone": masked("phone", customer.phone) if customer.phone else None,
        "state": "frozen" if customer.frozen_because else customer.state.value,
        "registered_at": customer.registered_at,
    }


async def _find_deed(visit: Visit) -> dict[str, str]:
    """Note that somebody searched, and for what kind of thing; the words themselves stand nowhere."""
    asked = visit.form.get("q", "").strip()
    kind = "id" if _THING.fullmatch(asked) else "phone" if _PHONE.fullmatch(asked) else "id_number" if _ID.fullmatch(asked) else "name"
    if asked:
        async with visit.writing() as work:
            await staff.note(work, visit.member, verb="search", subject="customers", facts={"by": kind})
    return {}


async def _identity(work: Work, customer_id: str) -> Identity | None:
    try:
        return await customers.identity(work, customer_id)
    except customers.NotIdentified:
        return None


# -- one person


async def person(visit: Visit) -> Sheet:
    """Show one person whole: who he is (masked), where he stands, all he did with us, and who of us looked."""
    customer_id = visit.ids["customer_id"]
    async with visit.reading() as work:
        customer = await customers.find_customer(work, customer_id)
        if customer is None:
            raise NotFound(what="customer", which=customer_id)
        standing = await customers.standing(work, customer_id)
        exposure = await decisions.exposure_of(work, customer_id)
        blocks: list[Block] = [
            Figures(
                [
                    Figure("owed", exposure.owed_fen, "yuan", address("/console/loans", customer=customer_id)),
                    Figure("held", exposure.held_fen, "yuan"),
                    Figure("cap", exposure.cap_fen, "yuan"),
                    Figure("level", standing.level.value, "word"),
                    Figure("account-state", "frozen" if customer.frozen_because else customer.state.value, "word", tone="bad" if customer.frozen_because else ""),
                ]
            ),
            await _who(work, visit, customer),
            *await _dealings(work, customer_id),
            await _allowed(work, customer_id),
            await _read_about(work, customer_id),
            Links("values-with-reasons", [("customer_id", customer_id, f"/console/customers/{customer_id}/variables")]),
        ]
        aside: list[Block] = [await _may_contact(work, customer_id), await _messages(work, customer_id), await _looked_at(work, customer_id)]
    return Sheet("customer", blocks, about=customer_id, aside=aside)


async def _who(work: Work, visit: Visit, customer: Customer) -> Facts:
    """Give who the person is, each personal field masked unless it was asked for in clear this very moment."""
    known = await _identity(work, customer.customer_id)
    card = await customers.card(work, customer.customer_id)
    clear = visit.revealed
    may = visit.may(Duty.UNMASK)

    def personal(name: str, value: str | None) -> Fact:
        if not value:
            return Fact(name, None)
        shown = clear[name] if name in clear else masked(name, value)
        return Fact(name, shown, "personal", unmask=name if may else "")

    return Facts(
        "who-is",
        [
            personal("name", known.name if known else None),
            personal("id_number", known.id_number.text if known else None),
            personal("phone", customer.phone),
            personal("address", customer.living_place_code),
            Fact("card", f"{card.bank_code} ···· {card.tail}" if card else None),
            Fact("papers-until", known.expires_on if known else None, "day"),
            Fact("place_kind", customer.living_place_kind, "word"),
            Fact("is_thin_file", customer.is_thin_file, "yes"),
            Fact("registered_at", customer.registered_at, "at"),
            Fact("entry_id", customer.entry_id, "code", address("/console/applications", entry=customer.entry_id or None)),
            Fact("frozen_because", customer.frozen_because.value if customer.frozen_because else None, "word"),
            Fact("contact_closed", customer.contact_closed, "word"),
        ],
    )


async def _dealings(work: Work, customer_id: str) -> list[Block]:
    """Give applications, loans and cases of a person; the newest few of each, and the way to all of them."""
    applications, all_applications = await boards.applications_page(work, ApplicationsWanted(customer_id=customer_id), most=FEW)
    loans, all_loans = await boards.loans_page(work, LoansWanted(customer_id=customer_id), most=FEW)
    cases = await customers.cases_of(work, customer_id)
    own = ("customer_id", "entry_id", "scene", "place_kind", "seconds", "is_thin_file", "decided_ms", "months", "asset_class")
    return [
        Table("loans", [one for one in LOAN_COLUMNS if one.name not in own], rows_of(loans), "no-loans", total=all_loans, most=all_loans or 1),
        Table("applications", [one for one in APPLICATION_COLUMNS if one.name not in own], rows_of(applications), "no-applications", total=all_applications, most=all_applications or 1),
        Table("cases", CASE_COLUMNS, [_case_row(work, one) for one in cases[-FEW:]], "no-cases"),
    ]


async def _allowed(work: Work, customer_id: str) -> Table:
    columns = (Column("item", "word"), Column("purpose", "word"), Column("recipient", "code"), Column("given_at", "at"), Column("until", "at"), Column("withdrawn_at", "at"), Column("consent_id", "code"))
    given = await customers.consents_of(work, customer_id)
    newest = rows_of(sorted(given, key=lambda one: one.given_at, reverse=True)[:25])
    rows = [{**row, "item": f"item-{row['item']}", "purpose": f"use-{row['purpose']}"} for row in newest]
    return Table("consents", columns, rows, "no-consents")


async def _read_about(work: Work, customer_id: str) -> Table:
    """Give what was asked outside about a person, under which consent, and what became of it."""
    rows = [
        {"what": f"item-{row['source']}", "state": row["state"], "as_of": row["as_of"], "consent_id": row["consent_id"]} for row in await histories.fetches_of(work, customer_id)
    ]
    rows += [{"what": "item-bureau", "state": f"report-{one.state.value}", "as_of": one.as_of, "consent_id": one.consent_id} for one in await histories.reports_of(work, customer_id)]
    columns = (Column("what", "word"), Column("state", "state"), Column("as_of", "at"), Column("consent_id", "code"))
    return Table("asked-outside", columns, sorted(rows, key=lambda row: row["as_of"], reverse=True)[:25], "nothing-asked")


async def _may_contact(work: Work, customer_id: str) -> Facts:
    """Give what the one gate would say right now, by purpose, and how much of today is used up."""
    standing = await customers.contact_standing(work, customer_id)
    limits = contact.limits_on(work.today)
    facts, answers = await contacts.gate_now(
        work, customer_id=customer_id, closed_because=standing.closed_because, may_market=standing.may_market, limits=limits
    )
    shown = [Fact(f"purpose-{purpose.value}", answer.verdict.value, "state") for purpose, answer in answers.items()]
    again = next((answer.again_at for answer in answers.values() if answer.again_at), None)
    return Facts(
        "contact-gate",
        [
            *shown,
            Fact("attempts-today", f"{facts.attempts_today} / {limits.attempts_per_day_max}"),
            Fact("answered-today", f"{facts.answered_today} / {limits.answered_per_day_max}"),
            Fact("quiet-hours", f"{limits.quiet_from:%H:%M}–{limits.quiet_until:%H:%M}"),
            Fact("again-at", again, "at"),
        ],
    )


async def _messages(work: Work, customer_id: str) -> Table:
    rows = [
        {"at": one.wanted_at, "template": one.template, "state": one.state, "code": one.code} for one in await contacts.orders_of(work, customer_id, most=FEW)
    ]
    return Table("messages", (Column("at", "moment"), Column("template", "code"), Column("state", "state")), rows, "no-messages")


async def _looked_at(work: Work, customer_id: str) -> Table:
    rows = [{"at": line.at, "actor": line.actor, "verb": line.verb, "field": line.facts.get("field")} for line in await staff.lines_about(work, subject=customer_id, most=FEW)]
    return Table("who-looked", (Column("at", "moment"), Column("verb", "word"), Column("field", "word"), Column("actor", "code")), rows, "nobody-looked")


async def _unmask(visit: Visit) -> dict[str, str]:
    """Show one field in clear, once: the audit has it before the member sees it."""
    customer_id, field = visit.ids["customer_id"], visit.form.get("field", "")
    if field not in UNMASKABLE:
        raise BadField(field="field", why=f"one of {', '.join(UNMASKABLE)}")
    async with visit.writing() as work:
        customer = await customers.find_customer(work, customer_id)
        if customer is None:
            raise NotFound(what="customer", which=customer_id)
        await staff.unmask(work, visit.member, customer_id=customer_id, field=field, why=visit.form.get("why", ""))
        known = await _identity(work, customer_id)
    clear = {
        "name": known.name if known else "",
        "id_number": known.id_number.text if known else "",
        "phone": customer.phone or "",
        "address": customer.living_place_code or "",
    }
    return {field: clear.get(field, "")}


# -- cases

CASE_COLUMNS = (
    Column("case_id", "code", CASE),
    Column("kind", "word"),
    Column("state", "state"),
    Column("opened_at", "at"),
    Column("due", "day"),
    Column("days_left", "count"),
    Column("outcome", "word"),
    Column("subject", "code"),
)


def _case_row(work: Work, case: Case) -> dict[str, Any]:
    is_waiting = case.answered_at is None
    return {
        "customer_id": case.customer_id,
        "case_id": case.case_id,
        "kind": case.kind.value,
        "state": "overdue" if case.is_overdue(work.today) else case.state.value,
        "opened_at": case.opened_at,
        "due": case.due,
        "days_left": (case.due - work.today).days if is_waiting else None,
        "outcome": case.outcome,
        "subject": case.subject,
    }


async def cases(visit: Visit) -> Sheet:
    """List the cases that wait, the most urgent first, with the days their legal clock still gives."""
    kind, is_late = visit.one_of("kind", KINDS), visit.one_of("late", ("yes",)) == "yes"
    async with visit.reading() as work:
        found, total = await customers.cases_page(work, kind=kind, is_late=is_late, **visit.span)
        late = await customers.count_overdue(work)
        lines = await boards.cases(work)
        rows = [_case_row(work, one) for one in found]
    figures = [Figure("cases-overdue", late, href="/console/cases?late=yes", tone="bad" if late else "good")]
    figures += [Figure(line.kind, line.opened - line.closed, "count", address("/console/cases", kind=line.kind)) for line in lines if line.kind in KINDS]
    columns = (*CASE_COLUMNS[:6], CASE_COLUMNS[7], Column("customer_id", "code", CUSTOMER))
    table = Table("cases-waiting", columns, rows, "no-cases", total=total, page=visit.page, is_listing=True)
    return Sheet("cases", [Figures(figures), choices(visit, "kind", KINDS), choices(visit, "late", ("yes",)), table])


async def case(visit: Visit) -> Sheet:
    """Show one case: what the person wrote, what it is about, and the ways to answer. Opening it is in the audit."""
    customer_id, case_id = visit.ids["customer_id"], visit.ids["case_id"]
    async with visit.writing() as work:
        found = await customers.find_case(work, customer_id=customer_id, case_id=case_id)
        if not visit.form:
            await staff.note(work, visit.member, verb="read_case", subject=case_id, facts={"kind": found.kind.value})
        row = _case_row(work, found)
        reviewed = await decisions.find_record(work, customer_id, found.subject) if found.kind is CaseKind.REVIEW else None
        loan = await ledger.find_loan(work, customer_id, found.subject) if found.subject.startswith("ln-") else None
    facts = Facts(
        "case-facts",
        [
            Fact("kind", found.kind.value, "word"),
            Fact("state", row["state"], "state"),
            Fact("opened_at", found.opened_at, "at"),
            Fact("due", found.due, "day"),
            Fact("days_left", row["days_left"], "count"),
            Fact("customer_id", customer_id, "code", CUSTOMER.format(customer_id=customer_id) if visit.may(Duty.SEE_CUSTOMER) else ""),
            Fact("subject", found.subject, "code", _subject_href(found, reviewed.application_id if reviewed else "")),
            Fact("law-pack", " ".join(found.packs), "code"),
        ],
    )
    said = [("case-said-person", found.text), *([("case-said-house", found.answer)] if found.answer else [])]
    blocks: list[Block] = [facts, Lines("case-words", said), *_case_forms(visit, found, loan)]
    return Sheet("case", blocks, about=case_id)


def _subject_href(found: Case, application_id: str) -> str:
    if found.subject.startswith("ln-"):
        return f"/console/loans/{found.subject}"
    return f"/console/applications/{found.customer_id}/{application_id}" if application_id else ""


def _case_forms(visit: Visit, found: Case, loan: ledger.LoanView | None) -> Sequence[Form]:
    """Give what may be done with a case where it stands."""
    forms: list[Form] = []
    if found.kind is CaseKind.HARDSHIP and found.answered_at is None and loan is not None:
        months = Field("months", "number", min(EASE_MONTHS, loan.months + 6))
        forms.append(Form("ease", [months, Field("approval_id", "code", is_wanted=False, hint="approval-hint")], title="ease", note="ease-note"))
        forms.append(Form("refuse", [Field("text", "long")], title="refuse-plea", tone="bad"))
        return forms
    if found.state is CaseState.OPENED:
        forms.append(Form("investigate", title="investigate", note="investigate-note"))
    if found.answered_at is None:
        forms.append(Form("answer", [Field("outcome", "choice", "upheld", OUTCOMES), Field("text", "long")], title="answer-case", note="answer-note"))
    elif found.state is not CaseState.CLOSED:
        forms += [Form("mediate", title="mediate", note="mediate-note")] if found.state is CaseState.ANSWERED else []
        forms.append(Form("close", title="close-case"))
    return forms if visit.may(Duty.ANSWER_CASES) else []


async def _answer(visit: Visit) -> None:
    if visit.form.get("outcome") not in OUTCOMES or not visit.form.get("text", "").strip():
        raise BadField(field="outcome, text", why="an outcome of the list, and the words that the person reads")
    body = office.Answer(visit.ids["customer_id"], visit.form["outcome"], visit.form["text"].strip()[:4000])
    await office.answer_case(visit.desk, visit.member, visit.ids["case_id"], body)


async def _move_case(visit: Visit) -> None:
    """Move a case on: investigate, mediate, close, as the deed is called."""
    verb = visit.form["verb"]
    moves = {"investigate": customers.investigate, "mediate": customers.mediate, "close": customers.close_case}
    async with visit.writing() as work:
        await moves[verb](work, customer_id=visit.ids["customer_id"], case_id=visit.ids["case_id"])
        await staff.note(work, visit.member, verb=f"{verb}_case", subject=visit.ids["case_id"], facts={})


def _moving(verb: str) -> Deed:
    async def act(visit: Visit) -> None:
        from dataclasses import replace

        await _move_case(replace(visit, form={**visit.form, "verb": verb}))

    return Deed(verb, act, of(Duty.ANSWER_CASES))


async def _ease(visit: Visit) -> str | None:
    """Ask for the second yes to easing a loan, or ease it with the yes in hand."""
    months = visit.form.get("months", "")
    if not (months.isascii() and months.isdigit() and len(months) <= 3):
        raise BadField(field="months", why="a whole number")
    told = await office.ease(
        visit.desk, visit.member, visit.ids["case_id"], office.Ease(visit.ids["customer_id"], int(months), visit.form.get("approval_id", "").strip())
    )
    return f"/console/approvals?done=ask&which={told['approval_id']}" if "approval_id" in told else None


async def _refuse(visit: Visit) -> None:
    if not visit.form.get("text", "").strip():
        raise BadField(field="text", why="the words that the person reads")
    await office.refuse_ease(visit.desk, visit.member, visit.ids["case_id"], office.RefuseEase(visit.ids["customer_id"], visit.form["text"].strip()[:4000]))


async def bureau_disputes(work: Work) -> list[dict[str, Any]]:
    """Give the bureau's disputes that wait, as the desk shows them."""
    return [row | {"days_left": (row["due"] - work.today) // timedelta(days=1)} for row in await bureau.disputes_open(work)]


SEEKERS = of(Duty.SEE_CUSTOMER, Duty.SEE_BOARDS, Duty.SEE_BOOKS, Duty.SEE_DECISIONS)
SCREENS = [
    Screen("/console/customers", "customers", "customers", search, SEEKERS, [Deed("find", _find_deed, SEEKERS, reveals=True)], key="c"),
    Screen(
        "/console/customers/{customer_id}", "customer", "customers", person, of(Duty.SEE_CUSTOMER), [Deed("unmask", _unmask, of(Duty.UNMASK), reveals=True)],
        is_in_menu=False,
    ),
    Screen("/console/cases", "cases", "customers", cases, of(Duty.ANSWER_CASES), key="d"),
    Screen(
        "/console/cases/{customer_id}/{case_id}", "case", "customers", case, of(Duty.ANSWER_CASES),
        [
            Deed("answer", _answer, of(Duty.ANSWER_CASES)),
            Deed("ease", _ease, of(Duty.PROPOSE_MONEY)),
            Deed("refuse", _refuse, of(Duty.ANSWER_CASES)),
            *(_moving(verb) for verb in ("investigate", "mediate", "close")),
        ],
        is_in_menu=False,
    ),
]  # fmt: skip
