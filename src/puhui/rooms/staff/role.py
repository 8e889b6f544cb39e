"""Roles and duties: who may do what, with least privilege, and which roles one person may not hold together."""

from dataclasses import dataclass
from enum import Enum

from puhui.foundation.refusals import Refusal


class NotYourDuty(Refusal):
    """This needs the duty {duty}, which the roles of {login} ({roles}) do not carry. Ask someone with one of: {who}."""

    code = "staff.not-your-duty"
    zh = "您的岗位没有这项权限，请联系有权限的同事。"
    status = 403


class RolesConflict(Refusal):
    """One person may not hold {roles} together: {why}."""

    code = "staff.roles-conflict"
    zh = "这些岗位不能由同一人兼任：{why}。"


class Role(Enum):
    RISK_ANALYST = "risk_analyst"
    RISK_HEAD = "risk_head"
    OPERATIONS = "operations"
    FINANCE = "finance"
    SERVICE_AGENT = "service_agent"
    COLLECTOR = "collector"
    COMPLIANCE = "compliance"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Duty(Enum):
    SEE_BOARDS = "see_boards"
    SEE_CUSTOMER = "see_customer"
    UNMASK = "unmask"
    ANSWER_CASES = "answer_cases"
    REVIEW_DECISIONS = "review_decisions"
    WORK_ARREARS = "work_arrears"
    SEE_DECISIONS = "see_decisions"
    PROPOSE_POLICY = "propose_policy"
    APPROVE_POLICY = "approve_policy"
    SEE_BOOKS = "see_books"
    RECONCILE = "reconcile"
    PROPOSE_MONEY = "propose_money"
    APPROVE_MONEY = "approve_money"
    PROPOSE_PARTNER = "propose_partner"
    APPROVE_PARTNER = "approve_partner"
    PROPOSE_LAW = "propose_law"
    APPROVE_LAW = "approve_law"
    STOP_BUSINESS = "stop_business"
    RESUME_BUSINESS = "resume_business"
    READ_AUDIT = "read_audit"
    MANAGE_ACCOUNTS = "manage_accounts"


DUTIES: dict[Role, frozenset[Duty]] = {
    Role.RISK_ANALYST: frozenset({Duty.SEE_BOARDS, Duty.SEE_DECISIONS, Duty.PROPOSE_POLICY}),
    Role.RISK_HEAD: frozenset(
        {Duty.SEE_BOARDS, Duty.SEE_DECISIONS, Duty.PROPOSE_POLICY, Duty.APPROVE_POLICY, Duty.REVIEW_DECISIONS, Duty.STOP_BUSINESS, Duty.RESUME_BUSINESS}
    ),
    Role.OPERATIONS: frozenset(
        {Duty.SEE_BOARDS, Duty.SEE_CUSTOMER, Duty.ANSWER_CASES, Duty.PROPOSE_PARTNER, Duty.PROPOSE_MONEY, Duty.STOP_BUSINESS}
    ),
    Role.FINANCE: frozenset({Duty.SEE_BOARDS, Duty.SEE_BOOKS, Duty.RECONCILE, Duty.PROPOSE_MONEY, Duty.APPROVE_MONEY}),
    Role.SERVICE_AGENT: frozenset({Duty.SEE_CUSTOMER, Duty.UNMASK, Duty.ANSWER_CASES}),
    Role.COLLECTOR: frozenset({Duty.SEE_CUSTOMER, Duty.WORK_ARREARS}),
    Role.COMPLIANCE: frozenset(
        {
            Duty.SEE_BOARDS,
            Duty.SEE_CUSTOMER,
            Duty.UNMASK,
            Duty.ANSWER_CASES,
            Duty.REVIEW_DECISIONS,
            Duty.PROPOSE_LAW,
            Duty.APPROVE_LAW,
            Duty.APPROVE_PARTNER,
            Duty.READ_AUDIT,
            Duty.STOP_BUSINESS,
        }
    ),
    Role.AUDITOR: frozenset({Duty.SEE_BOARDS, Duty.SEE_DECISIONS, Duty.SEE_BOOKS, Duty.READ_AUDIT}),
    Role.ADMIN: frozenset({Duty.MANAGE_ACCOUNTS}),
}

ALONE = {
    Role.ADMIN: "who manages accounts touches no business",
    Role.AUDITOR: "who checks the work does not do it",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff who has logged in, or stands at the machine itself: who he is, and what he may do."""

    staff_id: str
    login: str
    roles: frozenset[Role]

    @property
    def duties(self) -> frozenset[Duty]:
        return frozenset(duty for role in self.roles for duty in DUTIES[role])

    def may(self, duty: Duty) -> bool:
        return duty in self.duties

    def demand(self, duty: Duty) -> None:
        """Raise NotYourDuty unless one of the member's roles carries the duty."""
        if not self.may(duty):
            who = ", ".join(role.value for role in Role if duty in DUTIES[role])
            raise NotYourDuty(duty=duty.value, login=self.login, roles=", ".join(sorted(role.value for role in self.roles)), who=who)


CONSOLE = Member("st-000-console", "console", frozenset({Role.ADMIN}))
"""Whoever has the machine and its keys; it can only manage accounts, and what it does is in the audit under this name."""


def check_together(roles: frozenset[Role]) -> None:
    """Raise RolesConflict if one person may not hold these roles together."""
    for role, why in ALONE.items():
        if role in roles and len(roles) > 1:
            raise RolesConflict(roles=", ".join(sorted(one.value for one in roles)), why=why)
