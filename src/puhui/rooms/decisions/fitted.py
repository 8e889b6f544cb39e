"""From a book to a card in one call, with the heavy libraries loaded only then."""

from collections.abc import Callable
from pathlib import Path

from puhui.rooms.decisions.book import read_book


def fit_book(folder: Path, *, tell: Callable[[str], None] = lambda _: None) -> bytes:
    """Fit a scorecard on the former lender's book in `folder` and give the artefact's bytes.

    Raises: BookUnreadable, BookTooThin.
    """
    from puhui.rooms.decisions.fitting import fit_scorecard

    tell("reading the book")
    cases, sha256 = read_book(folder)
    return fit_scorecard(cases, sha256, tell=tell)
