"""`puhui replay`, `puhui explain`, `puhui fit`: decisions run again, told in words, and the scorecard they stand on."""

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("decision_id", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every decision of this house, oldest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
def replay(*, decision_id: str | None, is_all: bool, as_json: bool) -> None:
    """Run DECISION_ID (or --all) again, from its stored inputs and the artefacts its hashes name, and compare to the byte; and compute its
    variables again from the event log as it was known then, to the bit.

    Exit status 1 if anything differs.
    """
    from puhui.cli.house import open_house, read_config, run
    from puhui.foundation.refusals import BadField, NotFound
    from puhui.journeys.look_again import START, Looked, look_again, look_again_page
    from puhui.rooms import decisions

    if is_all == bool(decision_id):
        raise BadField(field="DECISION_ID", why="name one decision, or --all")

    async def again() -> list[Looked]:
        async with open_house(read_config()) as desk:
            if decision_id:
                async with desk.look() as work:
                    record = await decisions.find_record_by_id(work, decision_id)
                    if record is None:
                        raise NotFound(what="decision", which=decision_id)
                    return [await look_again(work, record)]
            looked: list[Looked] = []
            after: Any = START
            while after is not None:
                async with desk.look() as work:
                    page, after = await look_again_page(work, after)
                looked += page
            return looked

    done = run(again())
    differing = [one for one in done if not one.is_equal]
    for one in differing:
        click.echo(f"{one.replayed.decision_id}: {one.replayed.difference}", err=True)
    told = {"replayed": len(done), "recomputed": sum(one.is_recomputed for one in done), "differing": len(differing)}
    words = f"{len(done)} decisions replayed, {told['recomputed']} of them from the event log too, {len(differing)} differ"
    click.echo(json.dumps(told) if as_json else words)
    if differing:
        sys.exit(1)


@click.group()
def explain() -> None:
    """Say why: a loan, or a decision."""


@explain.command()
@click.argument("decision_id")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Everything, as one JSON object.")
def decision(decision_id: str, lang: str, *, as_json: bool) -> None:
    """Tell why DECISION_ID came out as it did: the answer, the reasons that would have flipped it, what was read, and by which rules."""
    from puhui.cli.house import open_house, read_config, run
    from puhui.foundation.refusals import NotFound
    from puhui.rooms import decisions

    async def tell() -> dict[str, Any]:
        async with open_house(read_config()) as desk, desk.look() as work:
            record = await decisions.find_record_by_id(work, decision_id)
            if record is None:
                raise NotFound(what="decision", which=decision_id)
            return decisions.explained(record) | {"told": decisions.told(record, lang), "why": await decisions.why(work, record)}

    told = run(tell())
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    click.echo(f"{told['told']['outcome']}  band {told['band']}  {told['points']} points  {told['probability_ppm']} ppm")
    for reason in told["told"]["reasons"]:
        click.echo(f"  {reason['code']}: {reason['text']}")
    click.echo(f"  fired: {', '.join(told['fired']) or 'nothing'}")
    for table in told["why"]["tables"]:
        for one in table["fired"]:
            click.echo(f"  {table['table']:<18} rule {one['rule']:>2}  {one['meaning']}")
    for flip in told["why"]["flips"]:
        click.echo(f"  would change the answer: {', '.join(f'{name} = {value}' for name, value in flip.items())}")
    click.echo(f"  rule packs: {', '.join(told['packs'])}")
    click.echo(f"  strategy {told['strategy_sha256'][:16]}…  replay: puhui replay {decision_id}")


@explain.command()
@click.argument("loan_id")
def loan(loan_id: str) -> None:
    """Tell the life of LOAN_ID: terms, funders, what happened, what is owed today, and how every payment met the debt."""
    from puhui.cli.house import open_house, read_config, run
    from puhui.foundation.money import Money
    from puhui.foundation.refusals import NotFound
    from puhui.rooms import ledger

    async def read() -> tuple[ledger.LoanView, list[ledger.StatementLine]]:
        async with open_house(read_config()) as desk, desk.look() as work:
            customer_id = await ledger.borrower_of(work, loan_id)
            found = await ledger.find_loan(work, customer_id, loan_id) if customer_id else None
            if customer_id is None or found is None:
                raise NotFound(what="loan", which=loan_id)
            return found, await ledger.statement(work, customer_id, loan_id)

    told, lines = run(read())
    funders = ", ".join(f"{leg.partner_id} {leg.share_ppm / 10_000:g}%" for leg in told.legs)
    click.echo(f"{Money(told.principal_fen)} yuan at {told.rate_ppm / 10_000:g}% over {told.months} months from {told.opened_on}, {told.method.value}")
    click.echo(f"funders: {funders}")
    click.echo(f"{told.standing.value}, class {told.asset_class.value}, {told.days_late} days late; owed {Money(told.principal_owed_fen)}, payoff today {Money(told.payoff_fen)}")
    for row in told.rows:
        click.echo(f"  {row.number:>2}  {row.due}  asked {Money(row.asked.total_fen)!s:>12}  paid {Money(row.paid.total_fen)!s:>12}  open {Money(row.owed.total_fen)!s:>12}")
    for line in lines:
        parts = line.parts
        split = f"principal {Money(parts.principal_fen)}, interest {Money(parts.interest_fen)}, penalty {Money(parts.penalty_fen)}"
        click.echo(f"  {line.value_date}  {line.kind.value:<14} {Money(line.amount_fen)!s:>12}  {split}{'  (undone)' if line.is_undone else ''}")


@click.group()
def fit() -> None:
    """Fit what decisions stand on, from a former lender's book."""


@fit.command()
@click.option("--book", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="Folder of `puhui town histories`.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the artefact; its name is its SHA-256.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
def scorecard(book: Path, out: Path, *, as_json: bool) -> None:
    """Fit the scorecard: at least forty variables, on applications of another lender and other persons; never on truth, never on the future."""
    import hashlib
    import os

    from puhui.rooms import decisions

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads would only wait for each other, and bytes must not depend on them
    artefact = decisions.fit_book(book, tell=lambda text: click.echo(text, err=True))
    digest = hashlib.sha256(artefact).hexdigest()
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{digest}.json"
    path.write_bytes(artefact)
    papers = json.loads(artefact).get("paper", {})
    told = {"sha256": digest, "path": str(path), "bytes": len(artefact), "papers": papers}
    click.echo(json.dumps(told, ensure_ascii=False) if as_json else f"{path}\n{json.dumps(papers, ensure_ascii=False, indent=2)}")
