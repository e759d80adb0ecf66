"""Traefik with TLS and HTTP/2 in front of a service that runs on this machine, as in the cluster."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from upschedule.operations.embedded import executables
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server

_TIMEOUT_SECONDS = 5.0


class HttpsEdge(Server):
    """Its certificate is one that Traefik makes for itself: clients must not verify it."""

    unready = (httpx.HTTPError, OSError)

    def __init__(self, directory: Path, *, service: str) -> None:
        """`service` is the base URL of the service."""
        self._program = executables.traefik()
        super().__init__("HTTPS edge", directory, programs=[self._program])
        self._service = service
        self._static = self.directory / "traefik.yml"
        self._routes = self.directory / "routes.yml"
        self._port = free_port()

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self._port}"

    def prepare(self) -> None:
        static = {
            "entryPoints": {"https": {"address": f"{LOOPBACK}:{self._port}", "http": {"tls": {}}}},
            "providers": {"file": {"filename": str(self._routes), "watch": False}},
            "log": {"level": "ERROR"},
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        }
        routes = {
            "routers": {"all": {"rule": "PathPrefix(`/`)", "service": "all", "tls": {}}},
            "services": {"all": {"loadBalancer": {"servers": [{"url": self._service}]}}},
        }
        # JSON is YAML.
        self._static.write_bytes(msgspec.json.encode(static))
        self._routes.write_bytes(msgspec.json.encode({"http": routes}))

    def command(self) -> Command:
        return Command(argv=[str(self._program), f"--configFile={self._static}"])

    def probe(self) -> None:
        answer = httpx.get(f"{self.url}/health/live", verify=False, timeout=_TIMEOUT_SECONDS)  # noqa: S501 - see the class
        answer.raise_for_status()


@contextmanager
def running_edge(service: str) -> Iterator[str]:
    """The URL of the edge. Raises ServerFailed."""
    with tempfile.TemporaryDirectory(prefix="upschedule-edge-") as directory:
        edge = HttpsEdge(Path(directory) / "edge", service=service)
        edge.start()
        try:
            yield edge.url
        finally:
            edge.stop()
