"""A partner's whole integration of the embedded pages, in one file: a page with a frame, a signed pass for each visitor, and the events that come back.

    python samples/partner_page.py --platform http://127.0.0.1:8000 --partner asset-1 --entry e38 --key asset-1.pem --port 8300

`--key` is the partner's Ed25519 private key (PEM); its public half stands in the lender's register, and so does this page's address: the
lender's pages let themselves be shown in a frame of that address alone, and its events go there. Needs the package `cryptography`, nothing else.
"""

import argparse
import base64
import hashlib
import html
import json
import secrets
import time
import urllib.request
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key, load_pem_private_key

STYLE = (
    "body{font:1rem/1.6 system-ui,sans-serif;margin:0;background:#eef3e6;color:#22301a}h1{font-size:1.2rem;margin:0;padding:.6rem 1rem;background:#3c6e1f;"
    "color:#fff}main{padding:1rem;max-width:40rem;margin:auto}iframe{width:100%;height:80vh;border:1px solid #b9c8ab;border-radius:12px;background:#fff}"
    "a.go{display:block;background:#3c6e1f;color:#fff;text-align:center;padding:.9rem;border-radius:12px;text-decoration:none;font-weight:600}"
)


class Partner:
    """Who we are, and what the lender has told us so far. Times are those of the wall, or of the run's clock where `clock` names one."""

    def __init__(self, options: argparse.Namespace) -> None:
        key = load_pem_private_key(Path(options.key).read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey), "an Ed25519 key"
        self.key, self.options = key, options
        self.lender = {one["key_id"]: one for one in self._get(f"{options.platform}/keys")["keys"] if one["owner"] == "lender"}
        self.events: dict[str, list[dict[str, Any]]] = {}

    def _get(self, url: str) -> Any:
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310  (the lender's own address)
            return json.loads(reply.read())

    def now_ms(self) -> int:
        return round((datetime.fromisoformat(self._get(self.options.clock)["at"]).timestamp() if self.options.clock else time.time()) * 1000)

    def sign(self, *lines: str) -> str:
        return base64.b64encode(self.key.sign("\n".join(lines).encode())).decode()

    def open_visit(self, user: str, device_id: str) -> str:
        """Open a visit for a user of ours, with a pass that is good for five minutes and once; give the address for the frame."""
        now_s = self.now_ms() // 1000
        claims = {"iss": self.options.partner, "aud": "puhui", "entry_id": self.options.entry, "sub": user, "iat": now_s, "exp": now_s + 300, "jti": secrets.token_hex(16)}
        head = "v1." + _pack(json.dumps(claims).encode())
        token = head + "." + _pack(self.key.sign(head.encode()))
        session_id = "se-" + secrets.token_hex(12)
        body = {"session_id": session_id, "entry_id": self.options.entry, "kind": "h5", "token": token, "device": {"device_id": device_id}}
        page_url: str = self.post("/entry/v1/sessions", json.dumps(body).encode(), session_id)["page_url"]
        return page_url

    def post(self, path: str, body: bytes, key: str) -> Any:
        at, nonce, digest = str(self.now_ms()), secrets.token_hex(16), hashlib.sha256(body).hexdigest()
        headers = {
            "Puhui-Key": self.options.key_id, "Puhui-Alg": "ed25519", "Puhui-Time": at, "Puhui-Nonce": nonce, "Puhui-Digest": digest, "Idempotency-Key": key,
            "Puhui-Sign": self.sign("puhui-v1", "POST", path, self.options.key_id, at, nonce, key, digest), "Content-Type": "application/json",
        }  # fmt: skip
        request = urllib.request.Request(self.options.platform + path, body, headers, method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
            return json.loads(reply.read())

    def take(self, path: str, headers: Any, body: bytes) -> int:
        """Take an event: 401 if the lender did not sign it, 409 if one before it is missing, 204 once it is ours (or was already)."""
        known = self.lender.get(headers.get("Puhui-Key", ""))
        digest = hashlib.sha256(body).hexdigest()
        lines = ["puhui-v1", "POST", path, *(headers.get(name, "") for name in ("Puhui-Key", "Puhui-Time", "Puhui-Nonce", "Idempotency-Key")), digest]
        if known is None or abs(int(headers.get("Puhui-Time", "0")) - self.now_ms()) > 300_000:
            return 401
        public = load_der_public_key(base64.b64decode(known["public_key"]))
        assert isinstance(public, Ed25519PublicKey), "the lender signs with Ed25519"
        try:
            public.verify(base64.b64decode(headers.get("Puhui-Sign", "")), "\n".join(lines).encode())
        except (InvalidSignature, ValueError):
            return 401
        event = json.loads(body)
        had = self.events.setdefault(event["subject"], [])
        if event["seq"] > len(had) + 1:
            return 409
        if event["seq"] == len(had) + 1:
            had.append(event)
        return 204


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Pages(BaseHTTPRequestHandler):
    """Our own app: a page with a button, the page with the frame, and the door for events."""

    partner: ClassVar[Partner]

    def do_GET(self) -> None:
        if self.path == "/keys":
            public = base64.b64encode(self.partner.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
            options = self.partner.options
            self.answer(200, json.dumps({"keys": [{"key_id": options.key_id, "owner": options.partner, "alg": "ed25519", "public_key": public}]}), "application/json")
        elif self.path == "/events":
            self.answer(200, json.dumps(self.partner.events, ensure_ascii=False), "application/json")
        elif self.path == "/loan":
            page_url = self.partner.open_visit(user="user-1", device_id="dv-" + secrets.token_hex(8))
            self.page(f'<iframe title="借款" src="{html.escape(page_url)}" allow="camera"></iframe>')
        else:
            told = "".join(f"<li>{html.escape(one['kind'])} <time>{one['at'][:16]}</time></li>" for had in self.partner.events.values() for one in had)
            self.page(f'<p>农资、农机、卖粮，都在这里。</p><p><a class="go" href="/loan">手头紧？申请小额借款</a></p><h2>办理进度</h2><ul>{told or "<li>还没有</li>"}</ul>')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status = self.partner.take(self.path, self.headers, body) if self.path == f"/puhui/{self.partner.options.partner}/events" else 404
        at, key, digest, key_id = str(self.partner.now_ms()), self.headers.get("Idempotency-Key", ""), hashlib.sha256(b"").hexdigest(), self.partner.options.key_id
        signed = self.partner.sign("puhui-v1-reply", str(status), self.headers.get("Puhui-Nonce", ""), key_id, at, key, digest)
        self.send_response(status)
        for name, value in (("Puhui-Key", key_id), ("Puhui-Alg", "ed25519"), ("Puhui-Time", at), ("Puhui-Digest", digest), ("Puhui-Sign", signed), ("Idempotency-Key", key)):
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page(self, body: str) -> None:
        head = '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        self.answer(200, f"{head}<title>乡村在线（示例）</title><style>{STYLE}</style><h1>乡村在线（示例合作方）</h1><main>{body}</main>", "text/html; charset=utf-8")

    def answer(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: addresses of visits are secrets."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", required=True)
    parser.add_argument("--partner", default="asset-1")
    parser.add_argument("--entry", default="e38")
    parser.add_argument("--key", required=True)
    parser.add_argument("--key-id", default="asset-1")
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--clock", default="", help="where the run's clock is told as {at}, if it is not the wall's")
    options = parser.parse_args()
    Pages.partner = Partner(options)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Pages)
    print(f"http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
