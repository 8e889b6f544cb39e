"""Publishing the law: the lender's own rule packs are read at every start, prove their examples, and need two persons' yes.

The packs that come with Puhui need it too, except where the lender listens on loopback alone (a developer's machine).
"""

from collections.abc import Iterable
from pathlib import Path

from puhui.engines import law
from puhui.engines.law import Laws, PackRef
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import HOUSE, Work
from puhui.rooms import staff
from puhui.rooms.staff import Member

KIND = "law.pack"


class LawFolderMissing(Refusal):
    """The folder {path} with the lender's own rule packs does not exist; set PUHUI_LAW_FOLDER to one that does, or leave it empty."""

    code = "law.folder-missing"


def read_laws(folder: str) -> Laws:
    """Read our packs and those of the lender's folder, and work out every example. Raises LawFolderMissing and what `law` refuses."""
    own = Path(folder) if folder else None
    if own is not None and not own.is_dir():
        raise LawFolderMissing(path=own)
    laws = law.load(*([own] if own else []))
    for pack in laws.packs:
        law.check_examples(laws, pack)
    return laws


async def adopt(desk: Desk) -> Laws:
    """Let this process work under the law. Raises PackNotApproved, and what `read_laws` refuses: then the process does not start."""
    laws = read_laws(desk.config.law_folder)
    async with desk.look(HOUSE) as work:
        refs = [*laws.refs()] if not desk.config.is_loopback else _own(laws)
        missing = await _unapproved(work, refs)
    if missing:
        raise law.PackNotApproved(packs=", ".join(f"{ref.pack} of {ref.since}" for ref in missing))
    law.adopt(laws)
    return laws


def _own(laws: Laws) -> list[PackRef]:
    """Give the versions that did not come with Puhui."""
    ours = {ref.sha256 for ref in law.load().refs()}
    return [ref for ref in laws.refs() if ref.sha256 not in ours]


async def _unapproved(work: Work, refs: Iterable[PackRef]) -> list[PackRef]:
    return [
        ref for ref in refs if not await staff.approvals_given(work, kind=KIND, sha256=staff.content_sha256(content_of(ref)))
    ]


def content_of(ref: PackRef) -> dict[str, str]:
    """Give what two persons say yes to: exactly this version."""
    return {"pack": ref.pack, "since": ref.since.isoformat(), "sha256": ref.sha256}


async def ask_for(desk: Desk, by: Member, pack_id: str) -> list[str]:
    """Ask for a second yes to every version of a pack (or of "all") that has none; give the approval ids. Raises NotFound, NotYourDuty."""
    laws = read_laws(desk.config.law_folder)
    refs = [ref for ref in laws.refs() if pack_id in {"all", ref.pack}]
    if not refs:
        raise NotFound(what="rule pack", which=pack_id)
    async with desk.work() as work:
        return [
            await staff.ask_approval(work, by, kind=KIND, subject=f"{ref.pack}@{ref.since}", content=content_of(ref))
            for ref in await _unapproved(work, refs)
        ]
