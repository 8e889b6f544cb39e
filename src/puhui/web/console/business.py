"""The business: a loan under the microscope, payments and their reconciliation, partners and terms, settlement, books, day-end, arrears."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from puhui.engines.schedules import Parts
from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.work import Work
from puhui.journeys import contact, differences, fall_behind, office, register
from puhui.rooms import arrears, boards, bureau, contacts, customers, funding, ledger, partners, payments
from puhui.rooms.ledger import LoanView
from puhui.rooms.partners import Role, Standing
from puhui.rooms.staff import Duty
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId
from puhui.web.console.blocks import Block, Column, Fact, Facts, Field, Figure, Figures, Form, Links, Note, Sheet, Table
from puhui.web.console.lists import CUSTOMER, LOAN, choices
from puhui.web.console.screen import Deed, Screen, of
from puhui.web.console.visit import SHANGHAI, Visit, address, rows_of

PARTNER = "/console/partners/{partner_id}"
ORDER_STATES = ("unknown", "sent", "created", "paid", "failed", "returned", "cancelled")
STAGES = ("M1", "M2", "M3", "M4", "M5", "M6", "M7")
SETTLEMENT_STATES = ("nothing", "ordered", "paid", "failed")
FOLDED_FROM = 12


# -- a loan under the microscope


async def loan(visit: Visit) -> Sheet:
    """Show a loan whole: terms, plan, what happened, who funded it, every line in the books, every order to the rail, what the bureau was told."""
    loan_id = visit.ids["loan_id"]
    async with visit.reading() as work:
        customer_id = await ledger.borrower_of(work, loan_id)
        found = await ledger.find_loan(work, customer_id, loan_id) if customer_id else None
        if customer_id is None or found is None:
            raise NotFound(what="loan", which=loan_id)
        blocks: list[Block] = [_standing(found), _terms(visit, found), _plan(found), await _happened(work, found), _legs(found)]
        blocks += [await _booked(work, found)] if visit.may(Duty.SEE_BOOKS) else []
        blocks += [await _ordered(work, found), await _reported(work, found), *await _arrears_of(work, found)]
    aside: list[Block] = [Links("goes-on", _links(visit, found))]
    if found.standing.value == "active" and visit.may(Duty.PROPOSE_MONEY):
        aside.append(Form("write-off", [Field("approval_id", "code", is_wanted=False, hint="approval-hint")], "bad", "write-off-note", "write-off"))
    return Sheet("loan", blocks, about=loan_id, aside=aside)


def _standing(found: LoanView) -> Figures:
    shown = "late" if found.days_late and found.standing.value == "active" else found.standing.value
    return Figures(
        [
            Figure("standing", shown, "word", tone={"settled": "good", "written_off": "bad", "late": "warn"}.get(shown, "")),
            Figure("principal-owed", found.principal_owed_fen, "money"),
            Figure("due-now", found.due_fen, "money", tone="warn" if found.overdue_fen else ""),
            Figure("payoff-today", found.payoff_fen, "money"),
            Figure("days_late", found.days_late, "count", tone="bad" if found.days_late else "good"),
            Figure("asset_class", found.asset_class.value, "word"),
            Figure("credit", found.credit_fen, "money"),
        ]
    )


def _terms(visit: Visit, found: LoanView) -> Facts:
    return Facts(
        "loan-terms",
        [
            Fact("amount_fen", found.principal_fen, "money"),
            Fact("rate_ppm", found.rate_ppm, "rate"),
            Fact("months", found.months, "count"),
            Fact("method", found.method.value, "word"),
            Fact("product", found.product, "code"),
            Fact("opened_on", found.opened_on, "day"),
            Fact("maturity", found.maturity, "day"),
            Fact("next_due", found.next_due, "day"),
            Fact("next_due_fen", found.next_due_fen, "money"),
            Fact("settled_on", found.settled_on, "day"),
            Fact("restructured_on", found.restructured_on, "day"),
            Fact("written_off_on", found.written_off_on, "day"),
            Fact("customer_id", found.customer_id, "code", CUSTOMER.format(customer_id=found.customer_id) if visit.may(Duty.SEE_CUSTOMER) else ""),
            Fact("contract_sha256", found.contract_sha256, "code"),
        ],
    )


def _parts(parts: Parts) -> dict[str, int]:
    return {"principal_fen": parts.principal_fen, "interest_fen": parts.interest_fen, "fees_fen": parts.fees_fen, "penalty_fen": parts.penalty_fen}


PART_COLUMNS = (Column("principal_fen", "money"), Column("interest_fen", "money"), Column("fees_fen", "money"), Column("penalty_fen", "money"))


def _plan(found: LoanView) -> Table:
    rows = [
        {
            "number": row.number,
            "due": row.due,
            **_parts(row.asked),
            "asked_fen": row.asked.total_fen,
            "paid_fen": row.paid.total_fen,
            "owed_fen": row.owed.total_fen,
            "state": "paid" if not row.owed.total_fen else "overdue" if row.due < found.as_of else "planned",
        }
        for row in found.rows
    ]
    columns = (Column("number", "text"), Column("due", "day"), *PART_COLUMNS, Column("asked_fen", "money"), Column("paid_fen", "money"), Column("owed_fen", "money"), Column("state", "state"))
    return Table("plan", columns, rows)


async def _happened(work: Work, found: LoanView) -> Table:
    rows = [
        {
            "event_no": line.no,
            "kind": f"event-{line.kind.value}",
            "value_date": line.value_date,
            "booked_on": line.booked_on,
            "amount_fen": line.amount_fen,
            **_parts(line.parts),
            "principal_left_fen": line.principal_left_fen,
            "is_undone": line.is_undone,
        }
        for line in await ledger.statement(work, found.customer_id, found.loan_id)
    ]
    columns = (
        Column("event_no", "text"), Column("kind", "word"), Column("value_date", "day"), Column("booked_on", "day"), Column("amount_fen", "money"), *PART_COLUMNS,
        Column("principal_left_fen", "money"), *([Column("is_undone", "yes")] if any(row["is_undone"] for row in rows) else []),
    )  # fmt: skip
    return Table("happened", columns, rows)


def _legs(found: LoanView) -> Table:
    rows = [{"partner_id": leg.partner_id, "share_ppm": leg.share_ppm} for leg in found.legs]
    return Table("legs", (Column("partner_id", "code", "/console/loans?partner={partner_id}"), Column("share_ppm", "ppm")), rows)


async def _booked(work: Work, found: LoanView) -> Table:
    lines = await ledger.postings_of_loan(work, found.customer_id, found.loan_id)
    rows = [
        {
            "business_date": line.business_date,
            "value_date": line.value_date,
            "kind": line.kind,
            "ledger_account": line.account,
            "owner": line.owner,
            "debit_fen": line.amount_fen if line.amount_fen > 0 else None,
            "credit_fen": -line.amount_fen if line.amount_fen < 0 else None,
            "posting_id": line.posting_id,
        }
        for line in lines
    ]
    columns = (Column("business_date", "day"), Column("value_date", "day"), Column("kind", "word"), Column("ledger_account", "code"), Column("owner", "code"), Column("debit_fen", "money"), Column("credit_fen", "money"), Column("posting_id", "code"))
    return Table("postings", columns, rows, is_folded=True)


ORDER_COLUMNS = (
    Column("payment_order_id", "code"),
    Column("purpose", "word"),
    Column("state", "state"),
    Column("amount_fen", "money"),
    Column("done_fen", "money"),
    Column("code", "code"),
    Column("tries", "count"),
    Column("ordered_at", "at"),
    Column("ended_at", "at"),
)


async def _ordered(work: Work, found: LoanView) -> Table:
    rows = [
        {
            "payment_order_id": one.payment_order_id,
            "purpose": f"order-{one.purpose.value}",
            "state": one.state.value,
            "amount_fen": one.amount.fen,
            "done_fen": one.done.fen,
            "code": one.code,
            "tries": one.tries,
            "ordered_at": one.ordered_at,
            "ended_at": one.ended_at,
        }
        for one in await payments.orders_of(work, customer_id=CustomerId(found.customer_id), loan_id=LoanId(found.loan_id))
    ]
    return Table("orders", [one for one in ORDER_COLUMNS if one.name not in {"ended_at", "tries"}], rows[::-1], "no-orders", total=len(rows), most=len(rows) or 1, is_folded=len(rows) > FOLDED_FROM)


async def _reported(work: Work, found: LoanView) -> Table:
    columns = (Column("record_id", "code"), Column("record_type", "text"), Column("report_time", "text"), Column("report_day", "day"), Column("state", "state"), Column("is_bad", "yes"), Column("code", "code"))
    return Table("bureau-records", columns, await bureau.records_of_loan(work, found.customer_id, found.loan_id), "nothing-reported")


async def _arrears_of(work: Work, found: LoanView) -> list[Table]:
    own = [one for one in await arrears.cases_of(work, found.customer_id) if one.loan_id == found.loan_id]
    promises = [row | {"state": row["state"]} for row in await arrears.promises_of(work, found.customer_id) if row["loan_id"] == found.loan_id]
    columns = (Column("k", "text"), Column("opened_on", "day"), Column("late_since", "day"), Column("stage", "state"), Column("overdue_fen", "money"), Column("planned_day", "count"), Column("closed_on", "day"), Column("ended_by", "word"))
    tables = [Table("arrears-cases", columns, rows_of(own), "never-late")]
    if promises:
        tables.append(Table("promises", (Column("k", "text"), Column("day", "day"), Column("amount_fen", "money"), Column("state", "state")), promises))
    return tables


def _links(visit: Visit, found: LoanView) -> list[tuple[str, str, str]]:
    links = []
    if visit.may(Duty.SEE_DECISIONS):
        links.append(("application", found.application_id, f"/console/applications/{found.customer_id}/{found.application_id}"))
    if visit.may(Duty.SEE_CUSTOMER):
        links.append(("customer", found.customer_id, CUSTOMER.format(customer_id=found.customer_id)))
    links.append(("all-loans-of-month", f"{found.opened_on:%Y-%m}", address("/console/loans", month=f"{found.opened_on:%Y-%m}")))
    return links


async def _write_off(visit: Visit) -> str | None:
    """Ask for the second yes to writing a loan off, or do it with the yes in hand."""
    loan_id = visit.ids["loan_id"]
    async with visit.reading() as work:
        customer_id = await ledger.borrower_of(work, loan_id)
    if customer_id is None:
        raise NotFound(what="loan", which=loan_id)
    told = await office.write_off(visit.desk, visit.member, loan_id, office.WriteOff(customer_id, visit.form.get("approval_id", "").strip()))
    return f"/console/approvals?done=ask&which={told['approval_id']}" if "approval_id" in told else None


# -- payments and their reconciliation


async def all_payments(visit: Visit) -> Sheet:
    """Show the orders to the rail: what is on its way, what nobody answered, what came back."""
    state = visit.one_of("state", ORDER_STATES)
    async with visit.reading() as work:
        counts = {row["state"]: row for row in await payments.orders_by_state(work)}
        orders, total = await payments.orders_page(work, state=state, **visit.span)
        waiting = await payments.waiting(work)
        breaks, lost = waiting.open_breaks + await funding.count_open_breaks(work), waiting.unmatched
    figures = [Figure(f"orders-{name}", counts.get(name, {}).get("orders", 0), "count", address("/console/payments", state=name), tone="bad" if name == "unknown" and name in counts else "") for name in ORDER_STATES]
    can = visit.may(Duty.RECONCILE)
    figures += [
        Figure("differences", breaks, "count", "/console/differences" if can else "", tone="bad" if breaks else "good"),
        Figure("unmatched", lost, "count", "/console/unmatched" if can else "", tone="warn" if lost else "good"),
    ]
    rows = [{**row, "purpose": f"order-{row['purpose']}"} for row in orders]
    columns = (*ORDER_COLUMNS, Column("loan_id", "code", LOAN))
    return Sheet("payments", [Figures(figures), choices(visit, "state", ORDER_STATES), Table("orders", columns, rows, "no-orders", total=total, page=visit.page, is_listing=True)], again_s=30)


async def all_differences(visit: Visit) -> Sheet:
    """List what our books and the rail's or a funder's do not agree on, and say why."""
    found, total = await differences.differences_page(visit.desk, visit.member, **visit.span)
    rows = [
        {
            "book": one["book"], "business_date": one["business_date"], "subject": one["subject"], "kind": one["kind"], "state": one["state"], "found_at": one["found_at"],
            "explanation": one.get("explanation"), "ours": _short(one.get("ours")), "theirs": _short(one.get("theirs")),
        }
        for one in found
    ]  # fmt: skip
    columns = (
        Column("subject", "code", "/console/differences?book={book}&day={business_date}&subject={subject}&kind={kind}"), Column("book", "code"), Column("business_date", "day"),
        Column("kind", "word"), Column("state", "state"), Column("ours", "code"), Column("theirs", "code"), Column("explanation", "long"), Column("found_at", "at"),
    )  # fmt: skip
    chosen = {name: visit.query.get(name, "") for name in ("book", "day", "subject", "kind")}
    fields = [Field(name, "text", value) for name, value in chosen.items()]
    form = Form("explain", [*fields, Field("state", "choice", "explained", differences.STATES), Field("explanation", "long")], title="explain", note="explain-note")
    return Sheet("differences", [Table("differences", columns, rows, "no-differences", total=total, page=visit.page, is_listing=True), *([form] if chosen["subject"] else [Note("choose-difference")] if rows else [])])


def _short(side: Any) -> str | None:
    return " ".join(f"{name}={value}" for name, value in side.items())[:120] if isinstance(side, Mapping) else None


async def _explain(visit: Visit) -> None:
    form = visit.form
    if len(form.get("explanation", "").strip()) < 4:
        raise BadField(field="explanation", why="say in a few words why")
    body = differences.Explain(form.get("book", ""), form.get("day", ""), form.get("subject", ""), form.get("kind", ""), form["explanation"].strip()[:500], form.get("state", ""))
    await differences.explain(visit.desk, visit.member, body)


async def all_unmatched(visit: Visit) -> Sheet:
    """List money that named no debt, and give it its loan."""
    rows, total = await differences.unmatched_page(visit.desk, visit.member, **visit.span)
    columns = (Column("receipt_id", "code", "/console/unmatched?receipt={receipt_id}"), Column("amount_fen", "money"), Column("payer_tail", "text"), Column("account", "code"), Column("received_at", "at"))
    chosen = visit.query.get("receipt", "")
    form = Form("match", [Field("receipt_id", "text", chosen), Field("loan_id")], title="match", note="match-note")
    table = Table("unmatched", columns, [{name.name: row.get(name.name) for name in columns} for row in rows], "no-unmatched", total=total, page=visit.page, is_listing=True)
    return Sheet("unmatched", [table, *([form] if rows else [])])


async def _match(visit: Visit) -> None:
    await differences.match(visit.desk, visit.member, visit.form.get("receipt_id", "").strip(), differences.Match(visit.form.get("loan_id", "").strip()))


# -- partners


async def all_partners(visit: Visit) -> Sheet:
    """List the register: who, in which roles, how it stands."""
    roles, standings = tuple(role.value for role in Role), tuple(one.value for one in Standing)
    role, standing = visit.one_of("role", roles), visit.one_of("standing", standings)
    async with visit.reading() as work:
        found, total = await partners.partners_page(work, role=Role(role) if role else None, standing=Standing(standing) if standing else None, **visit.span)
        shown = [one["partner_id"] for one in found]
        terms = {row["partner_id"]: row for row in await funding.all_terms(work, partner_ids=shown)}
        shares = {line.partner_id: line for line in await boards.funding(work, shown)}
    rows = [
        {
            "partner_id": one["partner_id"],
            "name": one["name"],
            "roles": "role-" + one["roles"][0] if len(one["roles"]) == 1 else " · ".join(one["roles"]),
            "standing": one["standing"],
            "exposure_max_fen": one["exposure_max_fen"],
            "share_fen": shares[one["partner_id"]].share_fen if one["partner_id"] in shares else None,
            "loans": shares[one["partner_id"]].loans if one["partner_id"] in shares else None,
            "day_left_fen": terms.get(one["partner_id"], {}).get("day_left_fen"),
            "version": terms.get(one["partner_id"], {}).get("version"),
        }
        for one in found
    ]
    columns = (
        Column("partner_id", "code", PARTNER), Column("name"), Column("roles", "word"), Column("standing", "state"), Column("exposure_max_fen", "money"), Column("share_fen", "money"),
        Column("loans", "count", "/console/loans?partner={partner_id}"), Column("day_left_fen", "money"), Column("version", "code"),
    )  # fmt: skip
    return Sheet("partners", [choices(visit, "role", roles), choices(visit, "standing", standings), Table("partners", columns, rows, total=total, page=visit.page, is_listing=True)])


async def partner(visit: Visit) -> Sheet:
    """Show one partner: contracts, limits, terms of the day, keys, what became of it, files and settlement."""
    partner_id = PartnerId(visit.ids["partner_id"])
    async with visit.reading() as work:
        found = await partners.find(work, partner_id=partner_id)
        keys, changes = await partners.keys(work, partner_id=partner_id), await partners.changes_of(work, partner_id=partner_id)
        terms = next(iter(await funding.all_terms(work, partner_ids=[partner_id])), None)
        settled, _ = await funding.settlements_page(work, partner_id=partner_id, most=10)
        files = await funding.newest_files(work, partner_id=partner_id, most=10)
    blocks: list[Block] = [
        Facts(
            "partner-facts",
            [
                Fact("name", found.name),
                Fact("standing", found.standing.value, "state"),
                Fact("roles", ", ".join(role.zh if visit.language == "zh" else role.value for role in found.roles)),
                Fact("exposure_max_fen", found.limits.exposure_max.fen, "money"),
                Fact("day_max_fen", found.limits.day_max.fen, "money"),
                Fact("key-owner", found.key_owner, "code"),
                Fact("service-address", found.address, "code"),
            ],
        ),
        Table("contracts", (Column("contract_id", "code"), Column("role", "word"), Column("since", "day"), Column("until", "day"), Column("sha256", "code")), [{**row, "role": f"role-{row['role']}"} for row in rows_of(found.contracts)]),
        *([_terms_of(terms)] if terms else []),
        Table(
            "keys", (Column("key_id", "code"), Column("alg", "text"), Column("since", "at"), Column("until", "at")),
            [{"key_id": key.key_id, "alg": key.alg, "since": key.since, "until": key.until} for key in keys], "no-keys",
        ),
        Table("changes", (Column("at", "at"), Column("before", "word"), Column("after", "word"), Column("why"), Column("actor", "code"), Column("approval_id", "code")), changes, "no-changes"),
        *([Table("settlements", SETTLEMENT_COLUMNS, settled)] if settled else []),
        *([Table("files", (Column("name", "code"), Column("kind", "word"), Column("business_date", "day"), Column("row_count", "count"), Column("state", "state")), files)] if files else []),
    ]  # fmt: skip
    return Sheet("partner", blocks, about=partner_id, aside=_partner_forms(visit, found))


def _terms_of(terms: Mapping[str, Any]) -> Facts:
    return Facts(
        "funder-terms",
        [
            Fact("version", terms["version"], "code"),
            Fact("since", terms["since"], "at"),
            Fact("is_open", terms["is_open"], "yes"),
            Fact("day_left_fen", terms["day_left_fen"], "money"),
            Fact("total_left_fen", terms["total_left_fen"], "money"),
            Fact("share", f"{terms['share_min_ppm'] / 10000:g}–{terms['share_max_ppm'] / 10000:g} %"),
            Fact("rate", f"{terms['rate_min_ppm'] / 10000:g}–{terms['rate_max_ppm'] / 10000:g} %"),
            Fact("terms", ", ".join(map(str, terms["terms_months"]))),
            Fact("ages", f"{terms['age_min']}–{terms['age_max']}"),
            Fact("bands", " ".join(terms["bands"])),
            Fact("regions", " ".join(terms["regions_allowed"]) or None),
        ],
    )


def _partner_forms(visit: Visit, found: partners.Partner) -> list[Form]:
    if not visit.may(Duty.PROPOSE_PARTNER):
        return []
    forms = []
    if found.standing in {Standing.DUE_DILIGENCE, Standing.SUSPENDED}:
        forms.append(Form("list", [Field("approval_id", "code", is_wanted=False, hint="approval-hint")], title="list-partner", note="list-note"))
    if found.standing is Standing.CANDIDATE:
        forms.append(Form("examine", [Field("why", "text")], title="examine"))
    if found.standing is Standing.LISTED:
        forms.append(Form("suspend", [Field("why", "text")], "bad", "suspend-note", "suspend"))
    forms.append(
        Form(
            "key",
            [Field("key_id"), Field("alg", "choice", "ed25519", ("ed25519", "rsa-sha256")), Field("public_key", "long"), Field("ends", is_wanted=False, hint="ends-hint"), Field("overlap_days", "number", 7)],
            title="new-key", note="new-key-note",
        )
    )  # fmt: skip
    return forms


async def _list(visit: Visit) -> str | None:
    approval_id = visit.form.get("approval_id", "").strip()
    if not approval_id:
        approval_id = await register.propose_listing(visit.desk, visit.member, visit.ids["partner_id"])
        return f"/console/approvals?done=ask&which={approval_id}"
    await register.list_partner(visit.desk, visit.member, visit.ids["partner_id"], approval_id)
    return None


async def _suspend(visit: Visit) -> None:
    await register.change_standing(visit.desk, visit.member, visit.ids["partner_id"], Standing.SUSPENDED, visit.form.get("why", ""))


async def _examine(visit: Visit) -> None:
    await register.change_standing(visit.desk, visit.member, visit.ids["partner_id"], Standing.DUE_DILIGENCE, visit.form.get("why", ""))


async def _key(visit: Visit) -> None:
    days = visit.form.get("overlap_days", "0")
    if not (days.isascii() and days.isdigit() and len(days) < 4):
        raise BadField(field="overlap_days", why="a whole number")
    form = {name: visit.form.get(name, "").strip() for name in ("key_id", "alg", "public_key", "ends")}
    body = register.NewKey(form["key_id"], form["alg"], "".join(form["public_key"].split()), form["ends"], int(days))
    await register.take_key_by_staff(visit.desk, visit.member, visit.ids["partner_id"], body)


SETTLEMENT_COLUMNS = (Column("business_date", "day"), Column("partner_id", "code", PARTNER), Column("amount_fen", "money"), Column("carried_fen", "money"), Column("state", "state"), Column("payment_order_id", "code"))


async def settlement(visit: Visit) -> Sheet:
    """List what was settled with funders, day by day."""
    state = visit.one_of("state", SETTLEMENT_STATES)
    async with visit.reading() as work:
        rows, total = await funding.settlements_page(work, partner_id=visit.short("partner"), state=state, **visit.span)
        mirror = await funding.mirror_state(work)
    figures = [Figure(name, value) for name, value in rows_of([mirror])[0].items() if isinstance(value, int)]
    return Sheet("settlement", [Figures(figures), choices(visit, "state", SETTLEMENT_STATES), Table("settlements", SETTLEMENT_COLUMNS, rows, "no-settlements", total=total, page=visit.page, is_listing=True)])


# -- books and day-end


async def books(visit: Visit) -> Sheet:
    """Show the trial balance at the end of a day; it adds up to zero, and says so."""
    async with visit.reading() as work:
        day = visit.day("on") or work.today
        lines = await ledger.balances(work, day)
        closed = await ledger.closed_until(work)
    total = sum(line.balance_fen for line in lines)
    rows = [{**row, "ledger_account": row["account"]} for row in rows_of(lines)]
    columns = (Column("ledger_account", "code"), Column("owner", "code"), Column("kind", "word"), Column("debit_fen", "money"), Column("credit_fen", "money"), Column("balance_fen", "money"))
    days = [Figure("books-day", day, "day"), Figure("sum", total, "money", tone="bad" if total else "good", note="sum-note"), Figure("closed-until", closed, "day")]
    around = Links("other-days", [("day-before", f"{day - timedelta(days=1)}", address("/console/books", on=day - timedelta(days=1))), ("day-after", f"{day + timedelta(days=1)}", address("/console/books", on=day + timedelta(days=1)))])
    return Sheet("books", [Figures(days), Table("trial-balance", columns, rows, "no-books", total=len(rows), most=max(len(rows), 1), is_listing=True), around])


async def days(visit: Visit) -> Sheet:
    """Watch the day-end: which days are closed, how long each took, what it accrued and set aside."""
    async with visit.reading() as work:
        found, total = await ledger.days_ended(work, **visit.span)
        closed, today = await ledger.closed_until(work), work.today
    rows = [
        {
            **row,
            "took_ms": int((row["ended_at"] - row["began_at"]) / timedelta(milliseconds=1)),
            "state": "closed" if row["is_closed"] else "open",
        }
        for row in rows_of(found)
    ]
    behind = (today - closed).days - 1 if closed else None
    columns = (
        Column("business_date", "day", "/console/books?on={business_date}"), Column("state", "state"), Column("partitions", "text"), Column("loans", "count"), Column("late", "count"),
        Column("folded", "count"), Column("accrued_interest_fen", "money"), Column("accrued_penalty_fen", "money"), Column("provision_fen", "money"), Column("ended_at", "at"), Column("took_ms", "ms"),
    )  # fmt: skip
    figures = [Figure("business-date", today, "day"), Figure("closed-until", closed, "day"), Figure("days-behind", behind, "count", tone="bad" if behind else "good")]
    return Sheet("days", [Figures(figures), Table("day-ends", columns, rows, "no-days", total=total, page=visit.page, is_listing=True)], again_s=20)


# -- arrears


async def arrears_desk(visit: Visit) -> Sheet:
    """The arrears desk: who is late, how long, what the plan wants next, and what the one gate for contact would say this minute."""
    stage = visit.one_of("stage", STAGES)
    async with visit.reading() as work:
        limits = contact.limits_on(work.today)
        found, total = await arrears.cases_page(work, stage=stage, **visit.span)
        counts = {row["stage"]: row for row in await arrears.stage_counts(work)}
        rows = [await _desk_row(work, one, limits) for one in found]
        now = work.at.astimezone(SHANGHAI)
    is_quiet = not limits.quiet_until <= now.time() < limits.quiet_from
    clock = [
        Figure("gate-now", "gate-closed" if is_quiet else "gate-open", "word", tone="bad" if is_quiet else "good", note=f"{now:%H:%M}"),
        Figure("quiet-hours", f"{limits.quiet_from:%H:%M}–{limits.quiet_until:%H:%M}", "text", note=limits.versions[0]),
        Figure("attempts-max", limits.attempts_per_day_max, note="attempts-max-note"),
        Figure("answered-max", limits.answered_per_day_max, note="answered-max-note"),
    ]
    stages = [Figure(name, row["loans"], "count", address("/console/arrears", stage=name), f"¥{row['overdue_fen'] / 100:,.0f}") for name, row in sorted(counts.items())]
    columns = (
        Column("loan_id", "code", LOAN), Column("stage", "state"), Column("days_late", "count"), Column("overdue_fen", "money"), Column("late_since", "day"), Column("next_act", "word"), Column("next_day", "day"),
        Column("may_collect", "state"), Column("tried", "text"), Column("again_at", "at"), *([Column("customer_id", "code", CUSTOMER)] if visit.may(Duty.SEE_CUSTOMER) else []),
    )  # fmt: skip
    return Sheet("arrears", [Figures(clock), Figures(stages), choices(visit, "stage", STAGES), Table("arrears-open", columns, rows, "no-arrears", total=total, page=visit.page, is_listing=True)], again_s=30)


async def _desk_row(work: Work, found: arrears.CollectionCase, limits: contacts.Limits) -> dict[str, Any]:
    standing = await customers.contact_standing(work, found.customer_id)
    facts, answers = await contacts.gate_now(
        work, customer_id=found.customer_id, closed_because=standing.closed_because, may_market=standing.may_market, limits=limits
    )
    answer = answers[contacts.Purpose.COLLECTION]
    late = (work.today - found.late_since).days
    planned = arrears.next_planned(fall_behind.collection_rules(), await arrears.standing_of(work, found), max(found.planned_day, late - 1))
    return {
        "loan_id": found.loan_id,
        "customer_id": found.customer_id,
        "stage": found.stage.value,
        "days_late": late,
        "overdue_fen": found.overdue_fen,
        "late_since": found.late_since,
        "next_act": f"act-{planned.act.value}" if planned else None,
        "next_day": found.late_since + timedelta(days=planned.day) if planned else None,
        "may_collect": answer.verdict.value,
        "tried": f"{facts.attempts_today}/{limits.attempts_per_day_max}",
        "again_at": answer.again_at,
    }


async def write_offs(visit: Visit) -> Sheet:
    """List the loans whose write-off is proposed; two persons decide."""
    rows: Sequence[Mapping[str, Any]] = await office.write_offs(visit.desk, visit.member)
    span = visit.span
    return Sheet("write-offs", [Table("write-offs", (Column("loan_id", "code", LOAN), Column("customer_id", "code")), rows[span["skip"] : span["skip"] + span["most"]], "no-write-offs", total=len(rows), page=visit.page, is_listing=True)])


# -- what the bureau was told


async def all_bureau(visit: Visit) -> Sheet:
    """Show what was reported, what waits, what was rejected and why, and the disputes that wait for us."""
    async with visit.reading() as work:
        counts = await bureau.counts(work)
        batches = rows_of(await bureau.batches(work, most=15))
        rejected, total = await bureau.rejected_page(work, **visit.span)
        disputes = await bureau.disputes_open(work)
    figures = [Figure(f"records-{name}", count, tone="bad" if name == "rejected" else "") for name, count in sorted(counts.items())]
    blocks: list[Block] = [
        Figures(figures),
        Table(
            "rejected", (Column("record_id", "code"), Column("loan_id", "code", LOAN), Column("record_type", "text"), Column("report_day", "day"), Column("code", "code"), Column("batch_id", "code"), Column("line", "count")),
            rejected, "none-rejected", total=total, page=visit.page, is_listing=True,
        ),
        Table("disputes", (Column("dispute_id", "code"), Column("loan_id", "code", LOAN), Column("month", "text"), Column("claim"), Column("due", "day"), Column("case_id", "code", "/console/cases/{customer_id}/{case_id}")), disputes, "no-disputes"),
        Table("batches", (Column("file_name", "code"), Column("business_date", "day"), Column("record_type", "text"), Column("rows", "count"), Column("state", "state"), Column("accepted", "count"), Column("rejected", "count"), Column("made_at", "at")), batches, "no-batches"),
    ]  # fmt: skip
    return Sheet("bureau", blocks)


PROPOSES = of(Duty.PROPOSE_PARTNER)
SCREENS = [
    Screen("/console/loans/{loan_id}", "loan", "business", loan, of(Duty.SEE_BOOKS, Duty.SEE_CUSTOMER, Duty.SEE_BOARDS), [Deed("write-off", _write_off, of(Duty.PROPOSE_MONEY))], is_in_menu=False),
    Screen("/console/payments", "payments", "business", all_payments, of(Duty.SEE_BOOKS), key="p"),
    Screen("/console/differences", "differences", "business", all_differences, of(Duty.RECONCILE), [Deed("explain", _explain, of(Duty.RECONCILE))]),
    Screen("/console/unmatched", "unmatched", "business", all_unmatched, of(Duty.RECONCILE), [Deed("match", _match, of(Duty.RECONCILE))]),
    Screen("/console/partners", "partners", "business", all_partners, of(Duty.SEE_BOARDS), key="f"),
    Screen(
        "/console/partners/{partner_id}", "partner", "business", partner, of(Duty.SEE_BOARDS),
        [Deed("list", _list, PROPOSES), Deed("suspend", _suspend, PROPOSES), Deed("examine", _examine, PROPOSES), Deed("key", _key, PROPOSES)],
        is_in_menu=False,
    ),
    Screen("/console/settlement", "settlement", "business", settlement, of(Duty.SEE_BOOKS)),
    Screen("/console/books", "books", "business", books, of(Duty.SEE_BOOKS), key="b"),
    Screen("/console/days", "days", "business", days, of(Duty.SEE_BOOKS), key="n"),
    Screen("/console/arrears", "arrears", "business", arrears_desk, of(Duty.WORK_ARREARS, Duty.SEE_BOARDS), key="r"),
    Screen("/console/write-offs", "write-offs", "business", write_offs, of(Duty.SEE_BOOKS)),
]  # fmt: skip
BUREAU = [Screen("/console/bureau", "bureau", "risk", all_bureau, of(Duty.SEE_BOARDS), key="u")]
