"""A partner of Puhui in Python 3.9+: sign a request, check the reply, check an event that Puhui sends. Needs the package `cryptography`.

    python partner.py call  BASE_URL KEY_ID KEY.pem METHOD PATH [BODY.json] [IDEMPOTENCY_KEY]
    python partner.py check BASE_URL REQUEST.json

`call` prints the answer's status and body, and fails if the answer was not signed by the lender. `check` reads an event as it arrived
({"method", "path", "headers", "body"}) and says `good` or `bad`.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

EMPTY = hashlib.sha256(b"").hexdigest()


def now_ms(base: str) -> int:
    """The time to sign with: the wall clock, or the run's own where the sandbox steps its clock."""
    with urllib.request.urlopen(f"{base}/health") as answer:
        health = json.load(answer)
    return int(datetime.fromisoformat(health["at"]).timestamp() * 1000) if health["clock"] == "stepped" else int(time.time() * 1000)


def lender_keys(base: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{base}/keys") as answer:
        return {key["key_id"]: serialization.load_der_public_key(base64.b64decode(key["public_key"])) for key in json.load(answer)["keys"]}


def is_signed(key: Any, text: str, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature), text.encode())
    except InvalidSignature:
        return False
    return True


def call(base: str, key_id: str, key_file: str, method: str, path: str, body: bytes = b"", idempotency_key: str = "") -> tuple[int, bytes]:
    """Send one signed request; give (status, body). The same idempotency key again gives the same answer again."""
    key: Any = serialization.load_pem_private_key(Path(key_file).read_bytes(), password=None)
    when, nonce, digest = str(now_ms(base)), secrets.token_hex(16), hashlib.sha256(body).hexdigest() if body else EMPTY
    text = "\n".join(("puhui-v1", method, path, key_id, when, nonce, idempotency_key, digest))
    headers = {
        "Puhui-Key": key_id, "Puhui-Alg": "ed25519", "Puhui-Time": when, "Puhui-Nonce": nonce, "Puhui-Digest": digest,
        "Puhui-Sign": base64.b64encode(key.sign(text.encode())).decode(), "Content-Type": "application/json",
    }
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    request = urllib.request.Request(base + path, data=body or None, headers=headers, method=method)
    try:
        answer: Any = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    told, raw = answer.headers, answer.read()
    reply = "\n".join(("puhui-v1-reply", str(answer.status), nonce, told["Puhui-Key"], told["Puhui-Time"], idempotency_key, told["Puhui-Digest"]))
    if told["Puhui-Digest"] != (hashlib.sha256(raw).hexdigest() if raw else EMPTY):
        raise SystemExit("the reply's body is not the one that was signed: it counts as no reply")
    if not is_signed(lender_keys(base)[told["Puhui-Key"]], reply, told["Puhui-Sign"]):
        raise SystemExit("the reply is not signed by the lender: it counts as no reply")
    return answer.status, raw


def is_from_the_lender(base: str, request: dict[str, Any]) -> bool:
    """Check an event as it arrived. Keep the nonces of ten minutes and refuse one seen before; refuse a time more than 300 s off."""
    headers, body = {name.lower(): value for name, value in request["headers"].items()}, request["body"].encode()
    key = lender_keys(base).get(headers.get("puhui-key", ""))
    if key is None or headers["puhui-digest"] != (hashlib.sha256(body).hexdigest() if body else EMPTY):
        return False
    names = ("puhui-key", "puhui-time", "puhui-nonce", "idempotency-key", "puhui-digest")
    text = "\n".join(("puhui-v1", request["method"], request["path"], *(headers.get(name, "") for name in names)))
    return is_signed(key, text, headers["puhui-sign"]) and abs(int(headers["puhui-time"]) - now_ms(base)) <= 300_000


def main(verb: str, base: str, *rest: str) -> None:
    if verb == "call":
        key_id, key_file, method, path, *more = rest
        body = Path(more[0]).read_bytes() if more and more[0] != "-" else b""
        status, raw = call(base, key_id, key_file, method, path, body, more[1] if len(more) > 1 else "")
        print(status, raw.decode())
    else:
        print("good" if is_from_the_lender(base, json.loads(Path(rest[0]).read_text("utf-8"))) else "bad")


if __name__ == "__main__":
    main(*sys.argv[1:])
