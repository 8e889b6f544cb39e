"""How values stand on the wire: instants, days, ids, money, and the refusals everyone shares.

Bodies are read into frozen msgspec structs; `read(Type, raw)` refuses what is missing or mistyped as `bad-field` and names the field.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any, Literal, TypeVar

import msgspec

T = TypeVar("T")

SHANGHAI = timezone(timedelta(hours=8))
MONEY_MAX = 10**15

Ident = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
LongIdent = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Fen = Annotated[int, msgspec.Meta(ge=0, le=MONEY_MAX)]
SomeFen = Annotated[int, msgspec.Meta(ge=1, le=MONEY_MAX)]
Ppm = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Day = date


class Person(msgspec.Struct, frozen=True):
    """A person on the wire. Replies never repeat it."""

    name: str
    id_type: Literal["id_card"]
    id_number: str
    phone: str = ""


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """An answer that says no. `retry` is `never`, `later` or `ask`; `more` are further fields of the body. Carries no personal data."""

    def __init__(self, code: str, text: str, retry: str = "never", status: int = 422, **more: object) -> None:
        super().__init__(code)
        self.code, self.text, self.retry, self.status, self.more = code, text, retry, status, more

    def body(self) -> dict[str, object]:
        return {"code": self.code, "text": self.text, "retry": self.retry, **self.more}


def bad_field(name: str, why: str) -> Refused:
    return Refused("bad-field", f"{name}: {why}", status=400)


def not_found(what: str) -> Refused:
    return Refused("not-found", f"{what} is not known here", retry="ask", status=404)


def wrong_state(text: str, **more: object) -> Refused:
    refusal = Refused("wrong-state", text, status=409)
    refusal.more = more
    return refusal


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_encoder = msgspec.json.Encoder()


def read(kind: type[T], raw: bytes) -> T:
    """Read a body. Raises Refused `bad-field`, naming the field."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(raw)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise Refused("bad-field", str(error), status=400) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("bad-field", "the body is not JSON", status=400) from None


def json_bytes(value: object) -> bytes:
    """Write JSON. Instants must already be text (`instant`)."""
    return _encoder.encode(value)


def instant(at: datetime) -> str:
    """Write an instant as it stands on the wire, to the millisecond: `2026-09-01T08:30:00.123+08:00`."""
    return at.astimezone(SHANGHAI).isoformat(timespec="milliseconds")


def instant_of(text: str, name: str = "instant") -> datetime:
    """Read an instant. Raises Refused `bad-field`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise bad_field(name, "is no instant like 2026-09-01T08:30:00.123+08:00") from None
    if at.tzinfo is None:
        raise bad_field(name, "has no time zone")
    return at


def day_of(text: str, name: str = "date") -> date:
    """Read a day. Raises Refused `bad-field`."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise bad_field(name, "is no day like 2026-09-01") from None


def to_ms(at: datetime) -> int:
    """Give the unix milliseconds of an instant, by whole arithmetic."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000


def from_ms(ms: int) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(SHANGHAI)


def run_day(at: datetime) -> date:
    """Give the calendar day of an instant in Shanghai."""
    return at.astimezone(SHANGHAI).date()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
