"""Which strategy decides: proposed by one person, approved by another, live with the transaction that says so, for every process at once.

A kill switch of one person holds every decision back until it is lifted (`decisions` among the switches); the way back to a strategy that is pinned is a
change of standing like any other, whose approval may be asked for beforehand.
"""

from puhui.foundation.desk import Desk
from puhui.foundation.work import Actor
from puhui.rooms import decisions, staff
from puhui.rooms.decisions import Bundle, Standing
from puhui.rooms.staff import Duty, Member

KIND = "policy.strategy"
DECISIONS = "decisions"


async def publish(desk: Desk, by: Member, bundle: Bundle) -> str:
    """Put a strategy into the registry as a draft and give its name. Raises NotYourDuty, and what `decisions.publish` refuses."""
    by.demand(Duty.PROPOSE_POLICY)
    async with desk.work(Actor("staff", by.staff_id)) as work:
        name = await decisions.publish(work, bundle)
        await staff.note(work, by, verb="publish_strategy", subject=name, facts={})
        return name


async def propose(desk: Desk, by: Member, strategy_sha256: str, standing: Standing, share_bp: int = 0) -> str:
    """Ask for a second person's yes to what a strategy is used for; give the approval's id. Raises NotYourDuty."""
    async with desk.work(Actor("staff", by.staff_id)) as work:
        content = decisions.change_content(strategy_sha256, standing, share_bp)
        return await staff.ask_approval(work, by, kind=KIND, subject=strategy_sha256, content=content)


async def change(desk: Desk, by: Member, strategy_sha256: str, standing: Standing, approval_id: str, share_bp: int = 0) -> None:
    """Use a strategy so from now on, with an approval in hand. Raises NotYourDuty, ApprovalMissing, NotFound, SharesTooLarge."""
    by.demand(Duty.PROPOSE_POLICY)
    async with desk.work(Actor("staff", by.staff_id)) as work:
        content = decisions.change_content(strategy_sha256, standing, share_bp)
        approval = await staff.use_approval(work, approval_id=approval_id, kind=KIND, content=content)
        await decisions.set_standing(work, strategy_sha256=strategy_sha256, standing=standing, share_bp=share_bp, approval=approval)
