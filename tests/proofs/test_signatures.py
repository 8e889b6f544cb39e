"""The doors under attack: nothing that is not honestly signed gets through, and what is does."""

from puhui.journeys.wiring import wiring
from puhui.proofs import signatures
from puhui.web import app


async def test_no_forged_stale_replayed_altered_or_foreign_request_is_accepted(desk):
    desk.wiring = wiring()
    told = await signatures.attack(desk, build=app.build, n=6 * len(signatures.ATTACKS), seed=5)
    assert told["accepted"] == 0, told
    assert told["tried"] == 6 * len(signatures.ATTACKS)
    assert set(told["tried_by_kind"]) == {kind for kind, _ in signatures.ATTACKS}
    assert told["honest_accepted"] == told["honest"] > 0, told
    assert not [answer for answer in told["answers"] if answer.split()[-1] in {"0", "500", "503"}], told["answers"]
