"""Serves static files at addresses that change with their content, so that browsers may cache them without a limit."""

import gzip
import hashlib
from pathlib import Path

import msgspec
from litestar import Controller, Response, route

from upschedule.web.http.compression import ENCODED, VARY, accepts_gzip
from upschedule.web.http.errors import NotFound
from upschedule.web.http.guards import OUTSIDE_LIMITS
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.pages.bundle import bundled
from upschedule.web.pages.grid import LINES_MAX

_FOLDER = Path(__file__).parents[1] / "static"
#: The style sheet of every page.
_STYLES = "styles.css"
_SHEETS = ("tokens", "base", "page", "documents", "week", "week-grid", "schedule", "print")
#: The scripts of pages, each with all modules that it imports.
_SCRIPTS = ("main.js", "groups.js")
#: Not a part of a page: it has an address of its own.
SERVICE_WORKER = "service-worker.js"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}
_FOR_EVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it is sent, plain and compressed."""

    media_type: str
    plain: bytes
    compressed: bytes


class Assets:
    """All files have the same digest in their addresses, so that relative addresses between them stay valid."""

    def __init__(self, folder: Path) -> None:
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        _bundle(files)
        files["week-grid.css"] = _week_grid().encode()
        # One request for all of them, in the order in which they override each other.
        files[_STYLES] = b"".join(files.pop(f"{name}.css") for name in _SHEETS)
        self.digest = _digest(files)
        self._assets = {name: _asset(name, content) for name, content in files.items()}

    def url(self, name: str) -> str:
        """Raises KeyError for a file that does not exist."""
        return f"/static/{self.digest}/{name}" if self._assets[name] else ""

    def find(self, name: str) -> Asset | None:
        return self._assets.get(name)


def _bundle(files: dict[str, bytes]) -> None:
    """Replaces the modules by one script for each page."""
    modules = {name: files.pop(name).decode() for name in tuple(files) if name.endswith(".js")}
    files |= {script: bundled(script, modules).encode() for script in _SCRIPTS}
    files[SERVICE_WORKER] = modules[SERVICE_WORKER].encode()


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def _asset(name: str, content: bytes) -> Asset:
    return Asset(media_type=_TYPES[Path(name).suffix], plain=content, compressed=gzip.compress(content, mtime=0))


def _week_grid() -> str:
    """The lines of the week's grid as CSS classes, because the content security policy allows no style attributes."""
    return "".join(f".f{n}{{--from:{n}}}.t{n}{{--to:{n}}}" for n in range(1, LINES_MAX + 2))


ASSETS = Assets(_FOLDER)


class StaticController(Controller):
    """Sends the files.

    Rate limits do not count these requests: otherwise opening one page would use up many of them.
    """

    path = "/static"
    opt = OUTSIDE_LIMITS

    @route("/{digest:str}/{name:path}", http_method=READING, include_in_schema=False)
    async def file(self, request: AnyRequest, digest: str, name: str) -> Response[bytes]:
        """Sends a file.

        During a roll-out, a request may contain the digest of another release: the answer then has this release's file
        and must not be cached.
        """
        asset = ASSETS.find(name.lstrip("/"))
        if asset is None:
            raise NotFound
        headers = {"Cache-Control": _FOR_EVER if digest == ASSETS.digest else "no-store", **VARY}
        if not accepts_gzip(request):
            return Response(asset.plain, media_type=asset.media_type, headers=headers)
        return Response(asset.compressed, media_type=asset.media_type, headers=headers | ENCODED)
