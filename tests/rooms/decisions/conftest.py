"""A small book of strangers for fitting: lives of one hidden quality, drawn from a seed of their own, that tell a little in every source."""

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from puhui.rooms.decisions.book import read_book
from puhui.rooms.decisions.fitting import fit_scorecard
from puhui.rooms.decisions.opening import Artefacts, open_artefacts
from puhui.rooms.decisions.policy import shipped_policy
from puhui.rooms.decisions.rulebook import shipped_rulebook
from puhui.rooms.decisions.strategies import Bundle
from puhui.rooms.decisions.vector import plan_sha256

START = datetime(2024, 1, 1, tzinfo=UTC)
HABITS = {
    "telco": [("top_up", 1.2, 0.1, 5_000), ("bill", 1, 0, 8_000), ("overdue_bill", 0.25, -0.8, 0), ("call_digest", 1.5, 0.1, 0), ("number_change", 0.05, -0.5, 0)],
    "utility": [("bill", 1, 0, 12_000), ("paid_late", 0.25, -0.8, 0)],
    "shopping": [("order", 1.5, 0.15, 15_000), ("refund", 0.25, -0.4, 9_000), ("cash_on_delivery", 0.2, -0.5, 8_000)],
    "wallet": [("pay", 4, 0.1, 4_000), ("receive", 1.5, 0.35, 60_000), ("transfer", 0.8, 0, 20_000)],
    "bank_flow": [("wage", 0.9, 0.12, 450_000), ("withdrawal", 0.6, 0, 60_000), ("failed_debit", 0.25, -0.8, 30_000)],
    "social_insurance": [("contribution", 0.8, 0.2, 40_000), ("gap", 0.1, -0.7, 0)],
    "device": [("app_open", 2, 0, 0), ("install", 0.7, -0.3, 0), ("new_device", 0.06, -0.5, 0), ("location_cell", 2, 0, 0)],
}
KNOWS = {"telco": 0.97, "utility": 0.7, "shopping": 0.7, "wallet": 0.88, "bank_flow": 0.85, "social_insurance": 0.45, "device": 0.99}


def write_book(folder: Path, people: int, seed: int = 1) -> Path:
    """Write a book of one application a person, in the form of the former lender's."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "applications.csv").open("w", newline="") as a,
        (folder / "events.csv").open("w", newline="") as e,
        (folder / "reports.jsonl").open("w") as r,
        (folder / "months.csv").open("w", newline="") as m,
    ):
        applications, events, months = csv.writer(a), csv.writer(e), csv.writer(m)
        applications.writerow(["person_no", "applied_at", "amount_fen", "months", "purpose", "scene", "place_code", "age", "outcome", "rate_ppm"])
        events.writerow(["person_no", "source", "event_id", "at", "known_at", "kind", "data"])
        months.writerow(["person_no", "applied_at", "month", "status", "days_late", "balance_fen"])
        for person in range(people):
            quality, at = float(rng.normal()), START + timedelta(days=int(rng.integers(360)), hours=int(rng.integers(24)))
            is_white = bool(rng.random() < 0.35)
            granted = not is_white or rng.random() < 0.15
            amount, term = int(rng.integers(5, 200)) * 10_000, int(rng.choice([3, 6, 9, 12]))
            applications.writerow(
                [person, at.isoformat(), amount, term, "daily", "s1", "790101000000", int(rng.integers(20, 60)), "granted" if granted else "declined", 180_000]
            )
            _write_events(events, rng, person, at, quality)
            r.write(json.dumps(_report(rng, person, at, quality, is_white=is_white)) + "\n")
            if granted:
                bad = rng.random() < 1 / (1 + np.exp(1.6 + 1.3 * quality))
                for month in range(1, 13):
                    late = 30 * (month - 2) if bad and month > 2 else 0
                    ended = not bad and month >= term
                    months.writerow([person, at.isoformat(), month, "C" if ended else "N" if not late else str(min(month - 2, 7)), late, 0 if ended else amount])
    return folder


def _write_events(events, rng, person, at, quality) -> None:
    for source, habits in HABITS.items():
        if rng.random() > KNOWS[source]:
            continue
        for kind, rate, pull, fen in habits:
            n = int(rng.poisson(8 * rate * np.exp(pull * quality)))
            ages, lags, ids = (rng.integers(low, high, n).tolist() for low, high in ((1, 380 * 86_400), (3_600, 108_000), (0, 10**9)))
            amounts = (fen * np.exp(0.15 * quality + 0.4 * rng.normal(size=n))).astype(np.int64).tolist()
            for age, lag, number, amount in zip(ages, lags, ids, amounts, strict=True):
                when = at - timedelta(seconds=age)
                data = f'{{"amount_fen":{amount}}}' if fen else ""
                events.writerow([person, source, number, when.isoformat(), (when + timedelta(seconds=lag)).isoformat(), kind, data])


def _report(rng, person, at, quality, *, is_white) -> dict[str, object]:
    row: dict[str, object] = {"person_no": person, "applied_at": at.isoformat(), "found": not is_white}
    if is_white:
        return row
    accounts = []
    for _ in range(int(rng.poisson(2)) + 1):
        length = int(rng.integers(3, 40))
        statuses = "".join("1" if rng.random() < 0.05 * np.exp(-0.9 * quality) else "N" for _ in range(length))
        closed = rng.random() < 0.4
        row_of = {
            "kind": str(rng.choice(["D1", "R2", "R4"])), "lender_kind": str(rng.choice(["bank", "card", "micro_loan"])),
            "opened": (at - timedelta(days=31 * length)).date().isoformat(), "credit_fen": 2_000_000,
            "balance_fen": 0 if closed else int(900_000 * np.exp(-0.3 * quality)), "statuses": statuses + ("C" if closed else ""), "overdue_fen": 0, "class": 1,
        }  # fmt: skip
        accounts.append(row_of | ({"closed": at.date().isoformat()} if closed else {}))
    queries = [
        {"at": (at - timedelta(days=int(rng.integers(1, 400)))).isoformat(), "reason": "loan_application", "lender_kind": "bank"}
        for _ in range(int(rng.poisson(3 * np.exp(-0.3 * quality))))
    ]
    return row | {"report": {"report_id": f"r{person}", "as_of": at.isoformat(), "accounts": accounts, "queries": queries, "notices": []}}


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    return write_book(tmp_path_factory.mktemp("book"), 1_500)


@pytest.fixture(scope="session")
def read_cases(book):
    return read_book(book)


@pytest.fixture(scope="session")
def artefact(read_cases) -> bytes:
    return fit_scorecard(*read_cases)


@pytest.fixture(scope="session")
def product_bytes() -> bytes:
    return (resources.files("puhui.products") / "starter.toml").read_bytes()


@pytest.fixture(scope="session")
def bundle(artefact, product_bytes) -> Bundle:
    """The card of the book, the rules that are shipped, and the product."""
    policy, rules = shipped_rulebook(plan_sha256(), hashlib.sha256(artefact).hexdigest())
    return Bundle(artefact, policy, rules, product_bytes)


@pytest.fixture(scope="session")
def artefacts(bundle) -> Artefacts:
    return open_artefacts(bundle.scorecard, bundle.policy, bundle.product, bundle.rules)


@pytest.fixture(scope="session")
def first(artefact, product_bytes) -> Artefacts:
    """The same card under the first policy, as records of the first kernel name it."""
    return open_artefacts(artefact, shipped_policy(), product_bytes)
