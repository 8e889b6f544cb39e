"""The OpenAPI document, made from the very structs the doors parse: what it says is what is checked."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from puhui.journeys import office, steps
from puhui.web import callbacks, driver, partners, staff
from puhui.web.doors import TOKEN, Door
from puhui.web.wire import Reply, plain

REF = "#/components/schemas/{name}"
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "description": "Unique per sender; the same request under the same key gets the first answer again.",
}
SESSION = {
    "name": "Puhui-Session",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "The secret at the end of page_url, exchanged at the entry.",
}
READS: Mapping[str, Sequence[str]] = {
    "home": (),
    "decisions": ("cursor",),
    "schedule": ("loan_id",),
    "statement": ("loan_id", "since", "until"),
    "queries": (),
}


FILE = {"type": "string", "format": "binary", "maxLength": 5 << 20}
FILE_KINDS = ("image/jpeg", "image/png", "application/pdf")
SINGLE: Sequence[tuple[str, str, str, str, Sequence[Any], type[msgspec.Struct] | None]] = (
    ("post", "/borrower/v1/files", "send_file", "A picture or a PDF of the person's, kept encrypted.", [SESSION, KEY], None),
    ("get", "/borrower/v1/documents/{sha256}", "read_document", "The bytes of the person's own document.", [SESSION], None),
    ("post", "/staff/v1/login", "staff_login", "A token for a name and a password.", [], office.LogIn),
    ("post", "/staff/v1/logout", "staff_logout", "The token is worth nothing any more.", [TOKEN], None),
    ("post", "/callbacks/{service}", "callback", "A service tells what happened, signed.", [KEY], callbacks.Told),
    ("post", "/driver/v1/clock/advance", "advance_clock", "Moves the clock of a stepped run; the driver on loopback alone, signed.", [], driver.Advance),
    ("get", "/keys", "keys", "The public keys by which our signatures are checked.", [], None),
    ("get", "/health", "health", "Whether the house is well.", [], None),
)
"""Doors that are no step, no read and no door of a table: method, path, name, summary, headers, body."""


async def document(_request: Request) -> Response:
    """`GET /openapi.json`."""
    return plain(Reply(build()))


def build() -> dict[str, Any]:
    """Give the whole document (OpenAPI 3.1)."""
    doors: list[Door] = [*partners.DOORS, *staff.DOORS]
    bodies = [step.body for step in steps.BORROWER.values()] + [door.body for door in doors if door.body is not None]
    bodies += [one[-1] for one in SINGLE if one[-1] is not None]
    schemas, components = msgspec.json.schema_components(bodies, ref_template=REF)
    by_body = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, Any] = {}
    for name, step in sorted(steps.BORROWER.items()):
        paths[f"/borrower/v1/steps/{name}"] = {"post": _operation(f"step_{name}", step.run.__doc__, [SESSION, KEY], by_body[step.body])}
    for name, queries in READS.items():
        given = [{"name": query, "in": "query", "required": False, "schema": {"type": "string"}} for query in queries]
        paths[f"/borrower/v1/{name}"] = {"get": _operation(f"read_{name}", "The person's own.", [SESSION, *given], None)}
    for door in doors:
        own = [] if door.is_signed else [door.credential]
        parameters = [*own, *_path_parameters(door.path), *([KEY] if door.method == "POST" else [])]
        schema = by_body[door.body] if door.body else None
        paths.setdefault(door.path, {})[door.method.lower()] = _operation(door.name, door.summary, parameters, schema)
    for method, path, name, summary, credentials, body_kind in SINGLE:
        parameters = [*credentials, *_path_parameters(path)]
        paths.setdefault(path, {})[method] = _operation(name, summary, parameters, by_body.get(body_kind) if body_kind else None)
    paths["/borrower/v1/files"]["post"]["requestBody"] = {"required": True, "content": {kind: {"schema": FILE} for kind in FILE_KINDS}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Puhui", "version": "1", "description": "Everything a page shows is in this API. Amounts are whole fen."},
        "paths": paths,
        "components": {"schemas": components | {"Refusal": _REFUSAL}},
    }


_REFUSAL = {
    "type": "object",
    "required": ["code", "text", "text_zh", "retry"],
    "properties": {
        "code": {"type": "string"},
        "text": {"type": "string"},
        "text_zh": {"type": "string"},
        "retry": {"enum": ["never", "later", "ask"]},
        "facts": {"type": "object"},
    },
}


def _operation(name: str, summary: str | None, parameters: Sequence[Any], body: Any) -> dict[str, Any]:
    refusal = {"description": "Refused; nothing was done.", "content": {"application/json": {"schema": {"$ref": REF.format(name="Refusal")}}}}
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": (summary or name).strip().split("\n")[0],
        "parameters": list(parameters),
        "responses": {"200": {"description": "Done."}, "4XX": refusal, "503": refusal},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
