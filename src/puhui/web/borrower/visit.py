"""One person at the door: his visit, his language, his form, and who may show our pages in a frame.

Cookies are HttpOnly and SameSite; a page in a partner's frame gets a cookie for that frame alone where the house is reached by TLS. Every
form carries a token made from the cookie's secret and a fresh salt, so that no other site can send it, and a key of its own, so that a
second tap is the first one.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from puhui.foundation.days import business_date
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Actor
from puhui.journeys import enter
from puhui.vocabulary.steps import Session
from puhui.web.borrower import stepping
from puhui.web.borrower.api import LogInFirst
from puhui.web.borrower.form import Form

SESSION, DEVICE, LANGUAGE, DRAFT = "puhui_visit", "puhui_device", "puhui_language", "puhui_draft"
DEVICE_S = 2 * 365 * 86_400
DRAFT_S = 86_400
OPENS_MORE = frozenset({"login", "identity", "change_phone", "change_card", "export"})
"""Steps after which more is open to a visit than before: each gives its cookie a new secret."""

Language = Literal["zh", "en"]


class ForeignForm(Refusal):
    """This form did not come from our own page, or it is too old; open the page again and send it anew. Nothing was done."""

    code = "borrower.foreign-form"
    zh = "这个页面放得太久了，请重新打开再提交一次。什么都没有改变。"
    status = 403


@dataclass(slots=True)
class Visit:
    """A request of a person. `device` is the name his browser keeps. `framed_by` is the origin of the listed partner in whose app the visit began, "" anywhere else.

    `ended` is a secret that opens nothing any more; `has_new_secret` says that the answer brings the cookie another one.
    """

    desk: Desk
    request: Request
    secret: str = ""
    session: Session | None = None
    framed_by: str = ""
    partner: str = ""
    form: Form = field(default_factory=Form)
    refusal: stepping.Refused | None = None
    device: str = ""
    ended: str = ""
    has_new_secret: bool = False

    @property
    def language(self) -> Language:
        return "en" if self.request.cookies.get(LANGUAGE) == "en" else "zh"

    @property
    def is_known(self) -> bool:
        return self.session is not None and self.session.customer_id is not None

    @property
    def who(self) -> Session:
        """The visit of a person who has logged in. Raises LogInFirst."""
        if self.session is None or self.session.customer_id is None:
            raise LogInFirst
        return self.session

    @property
    def visitor(self) -> Session:
        """The visit, logged in or not. Raises LogInFirst."""
        if self.session is None:
            raise LogInFirst
        return self.session

    @property
    def actor(self) -> Actor:
        return Actor("customer", self.who.who)

    @property
    def today(self) -> Any:
        return business_date(self.desk.clock.now())

    @property
    def is_secure(self) -> bool:
        return self.desk.config.base_url.startswith("https://")

    @property
    def key(self) -> str:
        """The key of the form that was sent."""
        return self.form.text("key")

    def fresh_key(self) -> str:
        """Give the key of a form to be shown: the old one where the same request may be sent again, else a new one."""
        if self.refusal is not None and self.refusal.status >= 500 and self.key:
            return self.key
        return f"pg-{secrets.token_hex(12)}"

    def token(self) -> str:
        """Give a token by which a form is known as our own; another one each time, so that compression tells nothing of it."""
        salt = secrets.token_hex(8)
        return f"{salt}.{_mark(self.secret or self.device, salt)}"

    def demand_own_form(self) -> None:
        """Raises ForeignForm."""
        salt, _, mark = self.form.text("token").partition(".")
        site = self.request.headers.get("sec-fetch-site", "same-origin")
        origin = self.request.headers.get("origin", "")
        is_ours = origin in {"", "null"} or urlsplit(origin).netloc == self.request.headers.get("host", "")
        if site not in {"same-origin", "none"} or not is_ours or not hmac.compare_digest(mark, _mark(self.secret or self.device, salt)):
            raise ForeignForm

    async def take(self, name: str, key: str = "", **body: Any) -> dict[str, Any]:
        """Take a step under the form's key; where it opens more, the cookie's secret is renewed. Raises Refused."""
        told = await stepping.take(self.desk, self.visitor, name, body, key or self.key)
        if name in OPENS_MORE and "more" not in told["show"]:
            self.secret, self.has_new_secret = await enter.renew(self.desk, self.visitor, key or self.key), True
        return told

    async def find_repeated(self) -> None:
        """Recognize a form that is sent again with the very secret that it ended: the answer with the new one was lost on the way."""
        if self.session is None and self.ended and self.key:
            async with self.desk.work(durable=False) as work:
                self.session = await enter.session_repeating(work, self.ended, self.key)
            self.secret = self.ended if self.session is not None else ""

    def set_cookie(self, response: Response, name: str, value: str, *, most_s: int | None = None) -> None:
        """Set a cookie of ours. In a partner's frame on another site it must say so, which browsers take by TLS alone."""
        is_framed = bool(self.framed_by) and self.is_secure
        response.set_cookie(
            name, value, max_age=most_s, path="/", httponly=True, secure=self.is_secure, samesite="none" if is_framed else "lax", partitioned=False
        )
        if is_framed:
            response.raw_headers[-1] = (response.raw_headers[-1][0], response.raw_headers[-1][1] + b"; Partitioned")


def _mark(secret: str, salt: str) -> str:
    return hmac.new(hashlib.sha256(secret.encode()).digest(), salt.encode(), hashlib.sha256).hexdigest()[:32]


def fresh_name(prefix: str) -> str:
    """Give a name nobody has had: of a visit, of a device."""
    return f"{prefix}-{secrets.token_hex(12)}"


async def recognize(request: Request) -> Visit:
    """Find whose request this is; an unknown or ended visit is nobody's."""
    desk: Desk = request.app.state.desk
    visit = Visit(desk, request, secret=request.cookies.get(SESSION, ""), device=request.cookies.get(DEVICE) or fresh_name("dv"))
    if not visit.secret:
        return visit
    async with desk.work(durable=False) as work:
        try:
            visit.session = await enter.session_in(work, visit.secret)
        except Refusal:
            visit.secret, visit.ended = "", visit.secret
            return visit
        framed = await enter.framed_by(work, visit.session.session_id)
    if framed is not None:
        visit.framed_by, visit.partner = framed.origin, framed.partner_id
    return visit
