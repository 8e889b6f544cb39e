"""What is true of the former lender's book: for evaluation only, never beside the book itself."""

import csv
from pathlib import Path

import numpy as np

from puhui_town.people.assumptions import Assumptions
from puhui_town.people.ceiling import Loan, auc, futures
from puhui_town.people.histories import Borrower, schedule
from puhui_town.people.person import TRAITS

FUTURES_EACH = 48
PART = 600
COLUMNS = ("person_no", "applied_at", *TRAITS, "white", "pd_3", "pd_6", "pd_12", "bayes_score", "reservation_ppm", "was_bad")


def write_truth(folder: Path, borrowers: list[Borrower], a: Assumptions) -> float:
    """Write `people.csv` with a line for each loan granted, and `ceiling.csv`; gives the AUC of the Bayes score."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [(borrower, one) for borrower in borrowers for one in borrower.applications if one.outcome == "granted"]
    shares: dict[int, list[float]] = {3: [], 6: [], 12: []}
    for low in range(0, len(cases), PART):
        loans = [
            Loan(
                borrower.life, one.applied_at.date(), schedule(one.applied_at.date(), one.need.amount_fen, one.rate_ppm, one.need.months)[0].due_fen / 100,
                one.need.months, one.purse, f"{borrower.person.n}-{one.need.k}",
            )
            for borrower, one in cases[low : low + PART]
        ]  # fmt: skip
        lived = futures(loans, a, each=FUTURES_EACH)
        for months, column in shares.items():
            column += lived.share(months).tolist()
    with (folder / "people.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for k, (borrower, one) in enumerate(cases):
            person = borrower.person
            traits = [f"{getattr(person.traits, name):.4f}" for name in TRAITS]
            pds = [f"{shares[m][k]:.4f}" for m in (3, 6, 12)]
            writer.writerow(
                (person.n, one.applied_at.isoformat(timespec="milliseconds"), *traits, int(person.is_white), *pds, pds[2],
                 person.reservation_ppm, int(one.was_bad))
            )  # fmt: skip
    ceiling = auc(np.array(shares[12]), np.array([one.was_bad for _, one in cases], dtype=np.bool_))
    (folder / "ceiling.csv").write_text(
        f"population_sha256,loans,bad,auc_of_bayes_score\n{a.sha256},{len(cases)},{sum(one.was_bad for _, one in cases)},{ceiling:.4f}\n", encoding="utf-8"
    )
    return ceiling
