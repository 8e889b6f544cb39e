"""The pages of the portal, drawn from the OpenAPI document of this very process."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.clock import ClockMode
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import NotFound
from puhui.web import openapi
from puhui.web.console import assets
from puhui.web.wire import plain, refused

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
SAMPLES = {"partner.py": "text/x-python", "partner.mjs": "text/javascript", "Partner.java": "text/x-java"}
SECTIONS = (("partners", ("/entry/", "/partner/")), ("callbacks", ("/callbacks/",)), ("borrower", ("/borrower/",)), ("staff", ("/staff/",)), ("house", ("/",)))
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def portal(request: Request) -> Response:
    """`GET /portal`: where a partner begins."""
    desk: Desk = request.app.state.desk
    sandbox = desk.clock.mode is not ClockMode.LIVE
    return _page("portal.html", base=desk.config.base_url, sandbox=sandbox, clock=desk.clock.mode.value, samples=SAMPLES, sections=_sections())


async def operation(request: Request) -> Response:
    """`GET /portal/api/{operation_id}`: one door with every field of its body."""
    name = request.path_params["operation_id"]
    found = next((one for one in _operations() if one["operationId"] == name), None)
    if found is None:
        return plain(refused(NotFound(what="operation", which=name[:80])), headers=SAFE)
    return _page("operation.html", one=found, sections=_sections())


async def sample(request: Request) -> Response:
    """`GET /portal/samples/{name}`: a sample, as it runs in our tests."""
    name = request.path_params["name"]
    if name not in SAMPLES:
        return plain(refused(NotFound(what="sample", which=name[:80])), headers=SAFE)
    return Response((HERE / "samples" / name).read_bytes(), headers=SAFE, media_type=f"{SAMPLES[name]}; charset=utf-8")


@cache
def _document() -> Mapping[str, Any]:
    return openapi.build()


@cache
def _operations() -> list[dict[str, Any]]:
    """Give every operation with its fields laid out."""
    document = _document()
    return [
        dict(one)
        | {
            "path": path,
            "method": method.upper(),
            "section": next(name for name, heads in SECTIONS if path.startswith(heads)),
            "fields": _fields(document, _schema_of(one)),
            "example": _example(document, _schema_of(one)),
        }
        for path, methods in sorted(document["paths"].items())
        for method, one in methods.items()
    ]


def _sections() -> list[tuple[str, list[dict[str, Any]]]]:
    return [(name, [one for one in _operations() if one["section"] == name]) for name, _ in SECTIONS]


def _schema_of(one: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content: Mapping[str, Any] = one.get("requestBody", {}).get("content", {})
    schema: Mapping[str, Any] | None = content.get("application/json", {}).get("schema")
    return schema


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return found
    return schema


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any] | None, before: str = "") -> list[dict[str, Any]]:
    """Lay a body's fields out, those of inner objects under their own."""
    if schema is None:
        return []
    whole = _resolved(document, schema)
    rows: list[dict[str, Any]] = []
    for name, given in whole.get("properties", {}).items():
        inner = _resolved(document, given)
        of = _resolved(document, inner["items"]) if isinstance(inner.get("items"), Mapping) else inner
        rows.append({"name": before + name, "kind": _kind(inner, of), "is_wanted": name in whole.get("required", []), "default": json.dumps(inner["default"], ensure_ascii=False) if "default" in inner else ""})
        if "properties" in of:
            rows += _fields(document, of, f"{before}{name}{'[]' if of is not inner else ''}.")
    return rows


def _kind(inner: Mapping[str, Any], of: Mapping[str, Any]) -> str:
    kind = inner.get("type") or " | ".join(str(_one.get("type", "")) for _one in inner.get("anyOf", []))
    if of is not inner:
        return f"{of.get('type', 'any')}[]"
    return f"{kind}, {inner['format']}" if "format" in inner else kind or "any"


def _example(document: Mapping[str, Any], schema: Mapping[str, Any] | None) -> str:
    return json.dumps(_made_up(document, schema), ensure_ascii=False, indent=2) if schema else ""


def _made_up(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    whole = _resolved(document, schema)
    if "properties" in whole:
        return {name: _made_up(document, given) for name, given in whole["properties"].items() if name in whole.get("required", whole["properties"])}
    match whole.get("type"):
        case "integer":
            return 300000
        case "boolean":
            return True
        case "array":
            return [_made_up(document, whole["items"])] if isinstance(whole.get("items"), Mapping) else []
        case "object":
            return {}
        case _:
            return {"date-time": "2026-09-01T08:30:00+08:00", "date": "2026-09-01"}.get(str(whole.get("format")), "…")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False)


def _page(name: str, **given: Any) -> Response:
    return Response(_environment().get_template(name).render(asset=assets.url, **given), headers=SAFE, media_type="text/html; charset=utf-8")


ROUTES = [
    Route("/portal", portal, methods=["GET"]),
    Route("/portal/api/{operation_id}", operation, methods=["GET"]),
    Route("/portal/samples/{name}", sample, methods=["GET"]),
]
