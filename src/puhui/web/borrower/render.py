"""Drawing a page: templates with both languages side by side, one sheet of style, one small script, and headers that let nothing else run."""

import gzip
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from puhui.foundation.clock import ClockMode
from puhui.foundation.days import business_date, local
from puhui.foundation.money import Money
from puhui.foundation.rates import YearRate
from puhui.rooms import agreements
from puhui.web.borrower import words
from puhui.web.borrower.icons import icon
from puhui.web.borrower.visit import Visit

HERE = Path(__file__).parent
GZIP_FROM = 600
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


SECTIONS = (
    dict.fromkeys(("loans", "papers"), "/borrower/loans")
    | dict.fromkeys(("help", "ask", "complain", "dispute", "freeze", "cases"), "/borrower/help")
    | dict.fromkeys(("me", "queries", "decisions", "export", "close", "phone"), "/borrower/me")
)
"""Under which part of the main menu a page stands; all others stand under home."""


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE / "templates", HERE.parent / "site" / "templates"]), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    made.globals |= {"icon": icon, "style": style(), "script": script(), "percent": percent, "lender": agreements.lender()}
    return made


@cache
def style() -> Markup:
    """Give the sheet of style, without the spaces that only its authors need."""
    return Markup(re.sub(r"\s*\n\s*", "", (HERE / "style.css").read_text("utf-8")))  # noqa: S704  (our own file)


@cache
def script() -> Markup:
    lines = (line.strip() for line in (HERE / "script.js").read_text("utf-8").splitlines())
    return Markup("\n".join(line for line in lines if line and not line.startswith("//")))  # noqa: S704  (our own file)


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def safety(visit: Visit) -> dict[str, str]:
    """Give the headers of a page: only our own style and script, and no frame but that of the partner in whose app the visit began."""
    ancestors = visit.framed_by or "'none'"
    policy = (
        f"default-src 'none'; style-src {_source(style())}; script-src {_source(script())}; img-src 'self' data:; connect-src 'self'; worker-src 'self'; "
        f"manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
    return headers if visit.framed_by else headers | {"X-Frame-Options": "DENY"}


def show(visit: Visit, template: str, *, status: int = 200, **facts: Any) -> Response:
    """Draw a page. What the form held and why it was refused stand in `form` and `refusal`."""
    text = environment().get_template(template).render(_facts(visit) | facts)
    return send(visit, text.encode(), "text/html; charset=utf-8", status=visit.refusal.status if visit.refusal and status == 200 else status)


def send(visit: Visit, data: bytes, media_type: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Send bytes, packed where the browser takes it so and it is worth while."""
    extra = safety(visit) | (headers or {})
    if len(data) >= GZIP_FROM and "gzip" in visit.request.headers.get("accept-encoding", ""):
        data = gzip.compress(data, 6, mtime=0)
        extra |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(data, status, extra, media_type)


def go(visit: Visit, path: str) -> Response:
    """Send the person on, so that a page opened again never sends a form again."""
    return RedirectResponse(path, 303, safety(visit))


def _facts(visit: Visit) -> dict[str, Any]:
    is_english = visit.language == "en"

    def say(zh: str, en: str) -> str:
        return en if is_english else zh

    return {
        "v": visit,
        "w": say,
        "en": is_english,
        "path": visit.request.url.path,
        "form": visit.form,
        "refusal": visit.refusal,
        "hidden": lambda: _hidden(visit),
        "money": lambda fen: money(fen, is_english=is_english),
        "round_money": lambda fen: money(fen, is_english=is_english, is_round=True),
        "short_day": lambda value: short_day(value, is_english=is_english),
        "plain_money": plain_money,
        "section": _section(visit.request.url.path),
        "day": lambda value: day(value, is_english=is_english),
        "at": lambda value: instant(value, is_english=is_english),
        "word": lambda kind, code: words.word(kind, code, visit.language),
        "day_s": _day_s(visit),
    }


def _section(path: str) -> str:
    parts = path.split("/")
    return "/borrower/me" if path == "/borrower/consents" else SECTIONS.get(parts[2], "/borrower/") if len(parts) > 2 else ""


def _day_s(visit: Visit) -> int:
    """Give the real seconds of a day where the clock runs fast, 0 where it does not: every page says so."""
    clock = visit.desk.clock
    return max(86_400 // clock.speed, 1) if clock.mode is ClockMode.FAST else 0


def _hidden(visit: Visit) -> Markup:
    return Markup('<input type="hidden" name="token" value="{}"><input type="hidden" name="key" value="{}">').format(visit.token(), visit.fresh_key())


def money(fen: int, *, is_english: bool = False, is_round: bool = False) -> str:
    """Give an amount as a person reads it: 3,000.00 元, or ¥3,000.00; without the cents where they are none and `is_round`."""
    text = str(Money(abs(fen)))
    whole, _, cents = text.partition(".")
    whole = f"{int(whole.replace(',', '')):,}"
    cents = "" if is_round and cents in {"", "00"} else "." + (cents or "00").ljust(2, "0")
    sign = "−" if fen < 0 else ""
    return f"{sign}¥{whole}{cents}" if is_english else f"{sign}{whole}{cents} 元"


def percent(ppm: int) -> str:
    """Give a rate a year to the hundredth of a percent, rounded up: what is shown is never less than what it costs. Papers have every digit."""
    return str(YearRate(-(-ppm // 100) * 100))


def short_day(value: str, *, is_english: bool = False) -> str:
    """Give a day for a narrow table."""
    found = date.fromisoformat(value)
    return f"{found.day} {MONTHS[found.month - 1]} {found:%y}" if is_english else f"{found:%y}年{found.month}月{found.day}日"


def plain_money(fen: int) -> str:
    """Give an amount for a table whose head names the unit."""
    return money(fen, is_english=True).replace("¥", "")


def day(value: str | date, *, is_english: bool = False) -> str:
    found = value if isinstance(value, date) and not isinstance(value, datetime) else business_date(value) if isinstance(value, datetime) else None
    found = found or (date.fromisoformat(str(value)) if len(str(value)) == 10 else business_date(datetime.fromisoformat(str(value))))
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}" if is_english else f"{found.year}年{found.month}月{found.day}日"


def instant(value: str | datetime, *, is_english: bool = False) -> str:
    there = local(value if isinstance(value, datetime) else datetime.fromisoformat(value))
    return f"{day(there.date(), is_english=is_english)} {there:%H:%M}"


Draw = Callable[..., Response]
