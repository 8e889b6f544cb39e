"""The staff console over HTTP, for tests: one member of each role with a browser of his own, and the words of a page."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

import requests

from puhui.foundation.work import Actor
from puhui.rooms import boards, customers, staff
from puhui.rooms.staff import Role

PASSWORD = "correct-horse-battery-9"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Browser:
    """A browser: its cookies, and what a form of a page would send."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.url + path, allow_redirects=False, timeout=60, **more)

    def post(self, path: str, form: dict[str, str] | None = None, **more: Any) -> requests.Response:
        headers = FORM | more.pop("headers", {})
        return self.session.post(self.url + path, data=form or {}, headers=headers, allow_redirects=False, timeout=60, **more)

    def log_in(self, login: str, password: str = PASSWORD, code: str = "") -> requests.Response:
        return self.post("/console/login", {"login": login, "password": password, "code": code, "to": "/console"})

    def csrf(self) -> str:
        """Give the form token of this session, from the page of one's own account."""
        found = re.search(r'name="csrf" value="([0-9a-f]{40})"', self.get("/console/me").text)
        assert found, "no form token on the page"
        return found.group(1)

    def do(self, path: str, key: str = "k-1", **form: str) -> requests.Response:
        """Send a deed as a form of the console does."""
        return self.post(path, {"csrf": self.csrf(), "key": key, **form})


@dataclass
class Console:
    """The house behind its console, with a logged-in browser for every role."""

    house: Any
    members: dict[Role, Browser]

    @property
    def url(self) -> str:
        return str(self.house.url)

    def stranger(self) -> Browser:
        return Browser(self.url)


def login_of(role: Role) -> str:
    return "c." + role.value.replace("_", "-")


def open_console(house: Any) -> Console:
    """Give every role an account and log it in."""

    members = {}
    for role in Role:
        house.run(add_member(house, login_of(role), frozenset({role})))
        members[role] = Browser(house.url)
        answer = members[role].log_in(login_of(role))
        assert answer.status_code == 303, (role, answer.status_code)
    return Console(house, members)


async def add_member(house: Any, login: str, roles: frozenset[Role]) -> None:
    """Give a new member an account."""
    async with house.desk.work(Actor("staff", "st-000-console")) as work:
        await staff.add_account(work, staff.CONSOLE, login=login, name=login, roles=roles, given_password=PASSWORD)


def ids_of(console: Console) -> dict[str, str]:
    """Give ids of the house for every place of a screen's path; a case and a request for approval are made once."""
    house = console.house
    if "screen_ids" not in vars(house):

        async def read() -> dict[str, str]:
            async with house.desk.work(Actor("customer", house.customer_id)) as work:
                case = await customers.open_case(work, customer_id=house.customer_id, kind=customers.CaseKind.COMPLAINT, subject=house.loan_id, text="太难懂")
            async with house.desk.work(durable=False) as work:
                found, _ = await boards.applications_page(work, boards.ApplicationsWanted(customer_id=house.customer_id))
            return {"case_id": case.case_id, "application_id": found[0].application_id, "customer_id": house.customer_id, "loan_id": house.loan_id}

        ids = house.run(read())
        asked = console.members[Role.FINANCE].do(f"/console/loans/{house.loan_id}/write-off", key="ids-1", approval_id="")
        ids["approval_id"] = asked.headers["Location"].split("which=")[1]
        house.screen_ids = ids | {"partner_id": "funder-01", "login": login_of(Role.COLLECTOR)}
    return dict(house.screen_ids)


def alert_of(page: requests.Response) -> str:
    """Give what the page says went wrong."""
    found = re.search(r'role="alert"><strong>(.*?)</strong>', page.text, re.DOTALL)
    return html.unescape(found.group(1)) if found else ""


def code_of(page: requests.Response) -> str:
    """Give the code of the refusal on a page."""
    found = re.search(r'role="alert">.*?<span class="mono">(.*?)</span>', page.text, re.DOTALL)
    return found.group(1) if found else ""
