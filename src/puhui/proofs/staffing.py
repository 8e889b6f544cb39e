"""Who plays the staff in a simulated run, and by which written policy. The report of a run names it.

Policy "decent-1", every morning of the run's clock through the staff's own API:
- a plea for mercy: granted if the loan is not written off, to run twice the months that are left (at most 24); operations asks, finance says the second yes;
- a question, a complaint, a review or a claim: answered the same day with the standing words of this policy, `partly`;
- a proposed write-off: finance asks, another of finance says the second yes, and it is done.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.work import Actor
from puhui.proofs.driver import SideAway
from puhui.rooms import arrears, customers, staff
from puhui.rooms.staff import Role

POLICY = "decent-1"
PEOPLE: Mapping[str, frozenset[Role]] = {
    "demo.operations": frozenset({Role.OPERATIONS}),
    "demo.finance-a": frozenset({Role.FINANCE}),
    "demo.finance-b": frozenset({Role.FINANCE}),
    "demo.compliance": frozenset({Role.COMPLIANCE}),
}
ANSWERED = frozenset({"question", "complaint", "review", "not_mine", "freeze"})
MOST = 1000
ANSWER = "您反映的情况我们已经核对，处理结果请在“我的”里查看。如仍不满意，可以申请调解。"


@dataclass(slots=True)
class Office:
    """The played staff: tokens by login, and what they did, by kind."""

    base_url: str
    session: aiohttp.ClientSession
    secret: str
    tokens: dict[str, str] = field(default_factory=dict)
    did: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    async def open(self, desk: Desk) -> None:
        """Make the accounts of the played staff, once."""
        async with desk.work(Actor("staff", "st-000-console")) as work:
            known = {account.login for account in await staff.accounts(work)}
            for login, roles in PEOPLE.items():
                if login not in known:
                    await staff.add_account(work, staff.CONSOLE, login=login, name=login, roles=roles, given_password=self._password(login))

    async def morning(self, desk: Desk) -> None:
        """Do one morning's work, if there is any; nobody logs in for nothing."""
        async with desk.look() as work:
            waiting = {case.kind.value for case in await customers.cases_waiting(work, most=MOST)}
            has_write_offs = bool(await arrears.proposed_write_offs(work))
        self.tokens.clear()
        if "hardship" in waiting:
            await self._pleas()
        if waiting & ANSWERED:
            await self._cases()
        if has_write_offs:
            await self._write_offs()

    async def _pleas(self) -> None:
        for plea in await self.get("demo.operations", "/staff/v1/hardships"):
            months = min(max(2 * int(plea["months_left"]), 2), 24)
            body: dict[str, Any] = {"customer_id": plea["customer_id"], "months": months}
            path = f"/staff/v1/hardships/{plea['case_id']}/ease"
            asked = await self.post("demo.operations", path, body)
            await self.post("demo.finance-a", f"/staff/v1/approvals/{asked['approval_id']}/approve", {})
            await self.post("demo.operations", path, body | {"approval_id": asked["approval_id"]})
            self._count("eased")

    async def _cases(self) -> None:
        for case in await self.get("demo.compliance", "/staff/v1/cases"):
            if case["kind"] in ANSWERED:
                body = {"customer_id": case["customer_id"], "outcome": "partly", "text": ANSWER}
                await self.post("demo.compliance", f"/staff/v1/cases/{case['case_id']}/answer", body)
                self._count(case["kind"])

    async def _write_offs(self) -> None:
        for one in await self.get("demo.finance-a", "/staff/v1/write-offs"):
            path = f"/staff/v1/loans/{one['loan_id']}/write-off"
            asked = await self.post("demo.finance-a", path, {"customer_id": one["customer_id"]})
            await self.post("demo.finance-b", f"/staff/v1/approvals/{asked['approval_id']}/approve", {})
            await self.post("demo.finance-a", path, {"customer_id": one["customer_id"], "approval_id": asked["approval_id"]})
            self._count("written_off")

    async def get(self, login: str, path: str) -> Any:
        return await self._send("GET", path, None, token=await self._token(login))

    async def post(self, login: str, path: str, body: object) -> Any:
        return await self._send("POST", path, body, token=await self._token(login))

    async def _token(self, login: str) -> str:
        if login not in self.tokens:
            answer = await self._send("POST", "/staff/v1/login", {"login": login, "password": self._password(login)}, token="")
            self.tokens[login] = answer["token"]
        return self.tokens[login]

    async def _send(self, method: str, path: str, body: object, *, token: str) -> Any:
        self.asked += 1
        payload = b"" if body is None else msgspec.json.encode(body)
        key = hashlib.sha256(f"{path}|{self.asked}".encode() + payload).hexdigest()[:40]
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        async with self.session.request(method, self.base_url + path, data=payload or None, headers=headers) as response:
            raw = await response.read()
        if response.status >= 300:
            raise SideAway(side=path, why=f"{response.status} {raw[:300].decode('utf-8', 'replace')}", log="")
        return msgspec.json.decode(raw) if raw else None

    def _password(self, login: str) -> str:
        return hashlib.sha256(f"{self.secret}|{login}".encode()).hexdigest()[:24] + "aA1!"

    def _count(self, what: str) -> None:
        self.did[what] = self.did.get(what, 0) + 1
