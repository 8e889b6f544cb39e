"""What the platform asks of entries and partners: swapping one-time codes, and taking events in order."""

import hashlib
from collections.abc import Awaitable
from typing import Any

import msgspec

from puhui_town.entries.entry import ASSETS, AUDIENCE, TOKEN_LIVES_S, Entry, h5_token, own_entries, told_entries
from puhui_town.people.line import insist
from puhui_town.wire import Ask, PlatformReply, Refused, Reply, Route, Service, World, not_found, wrong_state

CODE_LIVES_MS = 60_000


class Code(msgspec.Struct):
    """A one-time code that an entry gave a person's window."""

    entry_id: str
    partner_user: str
    phone: str
    made_ms: int
    is_used: bool = False


class Swap(msgspec.Struct, frozen=True):
    """Body of a swap."""

    code: str


class Event(msgspec.Struct, frozen=True):
    """An event of an application, as a partner gets it."""

    event_id: str
    kind: str
    subject: str
    seq: int
    at: str
    data: dict[str, Any] = {}


class Received(msgspec.Struct):
    """What a partner has of one application."""

    last_seq: int
    kinds: list[str]


class Entries:
    """All entries and receiving partners of the town."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._codes = world.store.table("entries.codes", Code)
        self._received = world.store.table("entries.received", Received)
        self._told: tuple[Entry, ...] = ()

    def services(self) -> list[Service]:
        swaps = Route("POST", "/entry/{entry}/v1/codes", "codes", self.swap)
        events = Route("POST", "/puhui/{partner}/events", "event", self.event, is_kept=False)
        return [
            Service("entry", "/entry/{entry}", "entry-{entry}", (swaps,), has_commons=False),
            Service("partner", "/puhui/{partner}", "{partner}", (events,), has_commons=False),
        ]

    # -- towards the platform ---------------------------------------------------------------------------------------------

    async def all(self) -> tuple[Entry, ...]:
        """The entries that the platform has open; the town's own list when it does not say. Raises Unanswered."""
        if not self._told:
            reply = await insist(self.world, lambda: self.world.client.signed("entry-e01", "GET", "/entry/v1/entries"))
            self._told = (told_entries(reply.body) if reply.is_good else ()) or own_entries()
        return self._told

    def ask_again(self) -> None:
        """An entry refused a visit: ask the platform anew which are open."""
        self._told = ()

    async def open_session(
        self, entry: Entry, *, session_id: str, device: dict[str, Any], phone: str, sub: str, scene: str, key: str
    ) -> dict[str, Any]:  # fmt: skip
        """Open a session for a person and give the platform's answer (`page_url`, `expires_at`). Raises Unanswered, Refused."""
        body: dict[str, Any] = {"session_id": session_id, "entry_id": entry.entry_id, "kind": entry.kind, "device": device}
        if scene:
            body["scene"] = scene
        match entry.kind:
            case "alipay_window" | "wechat_account":
                body["code"] = self._code(entry, sub=sub, phone=phone, session_id=session_id)
            case "h5":
                body["token"] = self._token(entry, sub=sub, phone=phone, scene=scene, session_id=session_id)
            case "app":
                pass

        def call() -> Awaitable[PlatformReply]:
            return self.world.client.signed(entry.key_id, "POST", "/entry/v1/sessions", body, key=key, timeout_s=10)

        reply = await insist(self.world, call)
        if not reply.is_good:
            raise Refused(str(reply.body.get("code", reply.status)), "the session was not opened", str(reply.body.get("retry", "never")), reply.status)
        return reply.body

    def _code(self, entry: Entry, *, sub: str, phone: str, session_id: str) -> str:
        code = f"ac-{hashlib.sha256(f'{session_id}|code'.encode()).hexdigest()[:30]}"
        if code not in self._codes:
            self._codes.put(code, Code(entry.entry_id, sub, phone, self.world.clock.sign_ms()))
        return code

    def issuer(self, entry: Entry) -> str:
        """Who signs the embedding tokens of an entry: the asset partner whose app it is, else the entry itself."""
        return entry.owner if entry.owner in self.world.keys.own else entry.key_id

    def _token(self, entry: Entry, *, sub: str, phone: str, scene: str, session_id: str) -> str:
        now_s = self.world.clock.sign_ms() // 1000
        claims: dict[str, object] = {
            "iss": self.issuer(entry), "aud": AUDIENCE, "entry_id": entry.entry_id, "sub": sub,
            "phone_sha256": hashlib.sha256(phone.encode()).hexdigest(), "iat": now_s, "exp": now_s + TOKEN_LIVES_S,
            "jti": hashlib.sha256(f"{session_id}|token".encode()).hexdigest()[:32],
        }  # fmt: skip
        if scene:
            claims["scene"] = scene
        return h5_token(self.world.keys.own[self.issuer(entry)], claims)

    # -- from the platform -------------------------------------------------------------------------------------------------

    def swap(self, ask: Ask) -> dict[str, Any]:
        """Swap a code, once, within 60 s. Refused: `entry.code-wrong`."""
        code = ask.read(Swap).code
        row = self._codes.get(code)
        if row is None or row.entry_id != ask.args["entry"]:
            raise not_found("this code")
        if row.is_used or self.world.clock.sign_ms() - row.made_ms > CODE_LIVES_MS:
            raise Refused("entry.code-wrong", "this code was used, or is older than 60 s")
        self._codes.put(code, Code(row.entry_id, row.partner_user, row.phone, row.made_ms, is_used=True))
        told: dict[str, Any] = {"partner_user": row.partner_user, "scopes": ["profile"], "simulated": True}
        if row.phone:
            told |= {"phone": row.phone, "scopes": ["profile", "phone"]}
        return told

    def event(self, ask: Ask) -> Reply:
        """Take an event: 204 for the next one of its application and for one had before, 409 for one that jumps ahead."""
        partner, event = ask.args["partner"], ask.read(Event)
        if partner not in self.world.keys.own:
            raise not_found("this partner")
        row = self._received.get(f"{partner}|{event.subject}") or Received(0, [])
        if event.seq > row.last_seq + 1:
            raise wrong_state(f"number {row.last_seq + 1} of this application has not come yet")
        if event.seq == row.last_seq + 1:
            self._received.put(f"{partner}|{event.subject}", Received(event.seq, [*row.kinds, event.kind]))
        return Reply(204)

    def received(self) -> dict[str, list[str]]:
        """The kinds of events by partner and application, in the order in which they came."""
        return {key: row.kinds for key, row in self._received.items()}


def install(world: World) -> list[Service]:
    for entry in own_entries():
        world.keys.make(entry.key_id, entry.key_id)
    for k in range(1, ASSETS + 1):
        world.keys.make(f"asset-{k}", f"asset-{k}")
    entries = Entries(world)
    world.parts["entries"] = entries
    return entries.services()



