"""Passwords of staff: argon2id; long rather than strange."""

import asyncio
import functools

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from puhui.foundation.refusals import Refusal

LENGTH_MIN = 12
LENGTH_MAX = 200


class WeakPassword(Refusal):
    """The password is not taken: {why}."""

    code = "staff.weak-password"
    zh = "这个密码不能用：{why}。"


def check_strength(password: str, login: str) -> None:
    """Raise WeakPassword unless it is long enough, not made of one or two characters, and does not hold the login."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise WeakPassword(why=f"it has {len(password)} characters; from {LENGTH_MIN} to {LENGTH_MAX} are wanted")
    if len(set(password)) < 5:
        raise WeakPassword(why="it uses fewer than five different characters")
    if login.lower() in password.lower():
        raise WeakPassword(why="it contains the login")


@functools.cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@functools.cache
def _nobodys() -> str:
    return _hasher().hash("nobody's password")


async def hashed(password: str) -> str:
    return await asyncio.to_thread(_hasher().hash, password)


async def fits(password: str, password_hash: str | None) -> bool:
    """Say whether the password fits. For an unknown account (None) it takes as long and says no."""
    return await asyncio.to_thread(_fits, password, password_hash)


def _fits(password: str, password_hash: str | None) -> bool:
    try:
        is_right = _hasher().verify(password_hash or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return is_right and password_hash is not None
