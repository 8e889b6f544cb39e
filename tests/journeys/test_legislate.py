"""A lender's own rule pack works only after two persons said yes to exactly this version."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from puhui.engines import law
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import NotFound
from puhui.journeys import legislate
from puhui.rooms import staff
from puhui.rooms.staff import Member, Role

DAY = date(2026, 9, 1)
CAP = """
id = "lender.cap"
topic = "all-in-cap"
jurisdiction = "lender:ours"
within = "cn"
title = "Our own cap"
issued = 2026-01-01
reviewed = 2026-09-01
counts_by = "signing"
label = "verify"
sources = ["own policy"]
[[version]]
since = 2026-01-01
[version.parameters]
hard_cap_ppm = { value = 200000, unit = "ppm", label = "verify" }
[[example]]
given = { signed_on = 2026-09-01, all_in_ppm = 200001 }
expect = { verdict = "barred" }
"""


@pytest.fixture
def folder(desk: Desk, tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "law"
    made.mkdir()
    (made / "lender.cap.toml").write_text(CAP, "utf-8")
    desk.config = replace(desk.config, law_folder=str(made))
    yield made
    law.adopt(None)


async def asker_and_yes(desk: Desk) -> tuple[Member, Member]:
    """Two members of compliance: one asks, the other says yes."""
    async with desk.work() as work:
        wang, li = [
            await staff.add_account(
                work, staff.CONSOLE, login=login, name=name, roles=frozenset({Role.COMPLIANCE}), given_password="long enough a word 7!"
            )
            for login, name in (("wang", "王小明"), ("li", "李小红"))
        ]
    return wang, li


async def test_a_pack_without_two_yeses_stops_the_start(desk, folder):
    with pytest.raises(law.PackNotApproved) as refusal:
        await legislate.adopt(desk)
    assert "lender.cap" in refusal.value.text
    assert law.shipped().ask(law.CapRules, on=DAY).hard_cap_ppm == 240_000


async def test_a_pack_with_two_yeses_is_in_force_from_the_next_start(desk, folder):
    wang, li = await asker_and_yes(desk)
    (approval_id,) = await legislate.ask_for(desk, wang, "lender.cap")
    async with desk.work() as work:
        await staff.approve(work, li, approval_id=approval_id)
    await legislate.adopt(desk)
    rules = law.shipped().ask(law.CapRules, on=DAY)
    assert (rules.hard_cap_ppm, [ref.pack for ref in rules.refs]) == (200_000, ["cn.all-in-cap", "lender.cap"])


async def test_a_yes_counts_for_this_version_only(desk, folder):
    wang, li = await asker_and_yes(desk)
    (approval_id,) = await legislate.ask_for(desk, wang, "lender.cap")
    async with desk.work() as work:
        await staff.approve(work, li, approval_id=approval_id)
    (folder / "lender.cap.toml").write_text(CAP.replace("value = 200000", "value = 210000"), "utf-8")
    with pytest.raises(law.ExampleFails):
        await legislate.adopt(desk)
    (folder / "lender.cap.toml").write_text(CAP.replace("value = 200000", "value = 199999"), "utf-8")
    with pytest.raises(law.PackNotApproved):
        await legislate.adopt(desk)


async def test_a_real_lender_needs_the_yes_for_our_packs_too(desk, folder):
    (folder / "lender.cap.toml").unlink()
    await legislate.adopt(desk)
    desk.config = replace(desk.config, host="0.0.0.0")
    with pytest.raises(law.PackNotApproved):
        await legislate.adopt(desk)


async def test_a_missing_folder_or_pack_is_said(desk, folder):
    with pytest.raises(NotFound):
        await legislate.ask_for(desk, (await asker_and_yes(desk))[0], "lender.nothing")
    desk.config = replace(desk.config, law_folder=str(folder / "gone"))
    with pytest.raises(legislate.LawFolderMissing):
        await legislate.adopt(desk)
