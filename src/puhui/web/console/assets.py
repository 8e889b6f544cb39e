"""Files of the console: our own style and script, and ECharts out of the wheel of NiceGUI, of which nothing else is used.

Named by their content (`?v=`), so a browser keeps them for a year.
"""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.refusals import NotFound
from puhui.web.wire import plain, refused

OWN = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HERE = "/console/assets"
YEAR = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@cache
def files() -> Mapping[str, Path]:
    """Give every file that is served, by its name below `/console/assets/`. The wheel is looked at, never imported: that costs a second."""
    found = {path.name: path for path in sorted(OWN.iterdir()) if path.suffix in KINDS}
    spec = find_spec("nicegui")
    if spec and spec.submodule_search_locations:
        charts = Path(spec.submodule_search_locations[0]) / "elements" / "echart" / "dist"
        found |= {f"echarts/{path.name}": path for path in sorted(charts.glob("*.js"))}
    return found


@cache
def content(name: str) -> tuple[bytes, str]:
    data = files()[name].read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:12]


@cache
def smaller(name: str) -> bytes:
    """Give a file packed, once a process: a third of its bytes."""
    return gzip.compress(content(name)[0], 6, mtime=0)


def url(name: str) -> str:
    """Give the address of a file, with its version."""
    return f"{HERE}/{name}?v={content(name)[1]}" if name in files() else f"{HERE}/{name}"


async def serve(request: Request) -> Response:
    """`GET /console/assets/{name}`."""
    name = request.path_params["name"]
    if name not in files():
        return plain(refused(NotFound(what="file", which=name[:80])))
    data, version = content(name)
    if request.headers.get("if-none-match") in {f'"{version}"', f'"{version}-gz"'}:
        return Response(status_code=304, headers=YEAR)
    if "gzip" in request.headers.get("accept-encoding", ""):
        packed = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(smaller(name), headers=YEAR | packed | {"ETag": f'"{version}-gz"'}, media_type=KINDS[files()[name].suffix])
    return Response(data, headers=YEAR | {"ETag": f'"{version}"'}, media_type=KINDS[files()[name].suffix])


ROUTES = [Route(HERE + "/{name:path}", serve, methods=["GET"])]
