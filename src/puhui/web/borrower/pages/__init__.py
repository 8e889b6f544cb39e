"""The way through, page by page: coming in, becoming known, borrowing, one's loans, speaking up, one's own data."""

from puhui.web.borrower.pages import borrowing, entering, known, loans, own, speaking

PAGES = [*entering.PAGES, *known.PAGES, *borrowing.PAGES, *loans.PAGES, *speaking.PAGES, *own.PAGES]
