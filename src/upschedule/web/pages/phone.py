"""Makes the page an application that a phone can install: a manifest, and a script that works without a connection."""

import msgspec
from litestar import Controller, Response, route

from upschedule.web.http.guards import OUTSIDE_LIMITS
from upschedule.web.http.openapi import READING
from upschedule.web.pages.assets import ASSETS, SERVICE_WORKER

_NAME = "UP Schedule Generator"
#: Where a phone sends the files that are shared with the application; the service worker takes them.
SHARE_TARGET = "/documents?shared=yes"
#: What the service worker itself may do.
_WORKER_POLICY = "default-src 'none'; connect-src 'self'"
#: Asked for anew each time, since the files that they name change with each release.
_UNCACHED = {"Cache-Control": "no-cache"}
_ICON_SIZES = (192, 512)


class PhoneController(Controller):
    """Both files have fixed addresses, because a phone that has installed the application requests them again."""

    opt = OUTSIDE_LIMITS
    include_in_schema = False

    @route("/manifest.webmanifest", http_method=READING)
    async def manifest(self) -> Response[bytes]:
        """Describes the application on the first screen of a phone, and registers it as a receiver of shared files."""
        return Response(_manifest(), media_type="application/manifest+json", headers=_UNCACHED)

    @route("/service-worker.js", http_method=READING)
    async def service_worker(self) -> Response[bytes]:
        """The service worker. Its address is at the root, because the address decides which pages it may serve."""
        asset = ASSETS.find(SERVICE_WORKER)
        assert asset is not None  # noqa: S101 - for the type checker: it is one of the files
        headers = {**_UNCACHED, "Content-Security-Policy": _WORKER_POLICY}
        return Response(asset.plain, media_type=asset.media_type, headers=headers)


def _manifest() -> bytes:
    icons = [
        {"src": ASSETS.url(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size in _ICON_SIZES
        for purpose in ("any", "maskable")
    ]
    accept = ["application/pdf", ".pdf"]
    return msgspec.json.encode(
        {
            "id": "/",
            "name": _NAME,
            "short_name": "UP Schedule",
            "description": "Turn the schedule PDFs of the UP Portal into a calendar on your phone.",
            "lang": "en-ZA",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "theme_color": "#5a3fb0",
            "background_color": "#faf9fc",
            "icons": [*icons, {"src": ASSETS.url("favicon.svg"), "sizes": "any", "type": "image/svg+xml"}],
            "share_target": {
                "action": SHARE_TARGET,
                "method": "POST",
                "enctype": "multipart/form-data",
                "params": {"files": [{"name": "file", "accept": accept}]},
            },
        }
    )
