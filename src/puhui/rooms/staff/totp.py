"""One-time passwords by time (RFC 6238): SHA-1, 6 digits, steps of 30 s; one step early or late is accepted, no step twice."""

import base64
import hashlib
import hmac
from urllib.parse import quote

STEP_S = 30
DIGITS = 6
SLACK = 1


def code_at(secret: bytes, step: int) -> str:
    """Give the six digits of a step."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(code: str, secret: bytes, *, real_s: int, after_step: int) -> int | None:
    """Give the step that a code proves at this real second, or None. A step at or before `after_step` was used already."""
    now = real_s // STEP_S
    for step in range(now - SLACK, now + SLACK + 1):
        if step > after_step and hmac.compare_digest(code_at(secret, step), code):
            return step
    return None


def address_of(secret: bytes, login: str) -> str:
    """Give the `otpauth://` address that an authenticator app takes."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/Puhui:{quote(login)}?secret={text}&issuer=Puhui&algorithm=SHA1&digits={DIGITS}&period={STEP_S}"
