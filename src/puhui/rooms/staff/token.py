"""Tokens of a logged-in member: a signed JWT that names an account and a session, and nothing about rights; those are looked up each time."""

from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from puhui.foundation.refusals import Refusal

ALGORITHM = "HS256"
ISSUER = "puhui"
AUDIENCE = "puhui-staff"


class TokenNotTaken(Refusal):
    """The staff token is missing, altered, expired, or its session has ended. Log in again."""

    code = "staff.token"
    zh = "登录已失效，请重新登录。"
    status = 401


@dataclass(frozen=True, slots=True)
class Claims:
    staff_id: str
    session_id: str


def make(key: bytes, claims: Claims, *, issued_s: int, expires_s: int) -> str:
    """Make a token; times are real unix seconds."""
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": claims.staff_id, "jti": claims.session_id, "iat": issued_s, "exp": expires_s}
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, body, OctKey.import_key(key))


def read(key: bytes, token: str, *, now_s: int) -> Claims:
    """Read a token that is ours and in time. Raises TokenNotTaken."""
    try:
        decoded = jwt.decode(token, OctKey.import_key(key), algorithms=[ALGORITHM])
        wanted = jwt.JWTClaimsRegistry(
            now=now_s,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            jti={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )
        wanted.validate(decoded.claims)
        claims = Claims(decoded.claims["sub"], decoded.claims["jti"])
    except (JoseError, ValueError, KeyError, TypeError):
        raise TokenNotTaken from None
    if not isinstance(claims.staff_id, str) or not isinstance(claims.session_id, str):
        raise TokenNotTaken
    return claims
