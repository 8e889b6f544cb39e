"""The sample partner's page, in a process of its own: a person borrows inside its frame, and it gets every event, signed and in order."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

phone = pytest.importorskip("phone", reason="playwright is not installed")

from puhui.foundation.work import Actor  # noqa: E402
from puhui.rooms import channels, partners  # noqa: E402
from puhui.vocabulary.ids import PartnerId  # noqa: E402

pytestmark = pytest.mark.skipif(not phone.CHROMIUM, reason="no Chromium on this machine (apt-get install chromium)")
SAMPLE = Path(__file__).parents[2] / "samples" / "partner_page.py"


@pytest.fixture
def partner(bare_house, tmp_path):
    """The sample's process, with the key of the partner whose entry it is; the register says where it answers from now on."""
    entry = next(one for one in channels.entries().values() if one.kind.value == "h5")
    key = bare_house.loop.town.world.keys.own[entry.owner]
    (tmp_path / "key.pem").write_bytes(key.loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    options = ["--platform", bare_house.url, "--partner", entry.owner, "--entry", entry.entry_id, "--key", tmp_path / "key.pem", "--key-id", key.key_id]
    clock = bare_house.loop.desk.config.url_of("entry") + "/town/clock"
    child = subprocess.Popen([sys.executable, str(SAMPLE), *map(str, options), "--port", "0", "--clock", clock], stdout=subprocess.PIPE, text=True)
    try:
        url = child.stdout.readline().strip().rstrip("/")

        async def move():
            async with bare_house.loop.desk.work(Actor("test", "register")) as work:
                await partners.move(work, partner_id=PartnerId(entry.owner), address=url, why="its page runs elsewhere")

        bare_house.run(move())
        yield url
    finally:
        child.kill()
        child.wait()


def events_of(url):
    with urllib.request.urlopen(f"{url}/events", timeout=10) as reply:
        return json.loads(reply.read())


def test_people_borrow_and_are_declined_inside_a_partner_s_page_and_the_partner_gets_every_event(bare_house, partner):
    """One borrows and pays back, one is declined and lets the partner know: applied to closed, and declined, each signed, in order, once."""
    wanted = {"accept", "decisions/review"}
    with phone.chromium() as browser:
        for n in phone.with_phones_of_their_own(bare_house, 186, 14) + phone.with_phones_of_their_own(bare_house, 172, 14):
            with phone.a_phone(browser, bare_house, n) as one:
                came = comes_by_the_partner(one, partner)
                if came in wanted and came == "accept":
                    borrows_and_pays_back(one)
                wanted.discard(came)
            if not wanted:
                break
    bare_house.run(bare_house.loop.pass_time(hours=2))
    told = list(events_of(partner).values())
    assert ["applied", "approved", "signed", "paid", "repaid", "closed"] in [[event["kind"] for event in had] for had in told]
    assert ["applied", "declined"] in [[event["kind"] for event in had] for had in told]
    for had in told:
        assert [event["seq"] for event in had] == list(range(1, len(had) + 1))
        assert len({event["subject"] for event in had}) == 1
        assert all(not event["data"] for event in had), "nothing but the kind is told"


def comes_by_the_partner(one, partner):
    """Go through the frame to the answer and say which it was."""
    one.page.goto(f"{partner}/loan", wait_until="load")
    one.within(one.page.frames[-1])
    one.tap("开始", "Start")
    one.give_code()
    one.become_known("partner_events", "partner_declined")
    one.apply()
    return next(kind for kind in ("accept", "decisions/review", "proof") if one.view.locator(f"form[action='/borrower/{kind}']").count())


def borrows_and_pays_back(one):
    one.sign()
    one.open("/borrower/loans")
    one.tap("剩余本金", "principal left")
    one.open(f"{one.path}/repay?intent=payoff")
    one.pay()


def test_an_event_that_the_lender_did_not_sign_is_not_taken(partner):
    request = urllib.request.Request(f"{partner}/puhui/asset-1/events", b'{"subject": "ap-1", "seq": 1, "kind": "paid"}', {"Puhui-Key": "lender-1"}, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code in {401, 404}
    assert "ap-1" not in events_of(partner)
