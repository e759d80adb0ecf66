"""Traefik before the API: the one public address."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from upschedule.operations.embedded import programs
from upschedule.operations.embedded.health import UNHEALTHY, expect_ok
from upschedule.operations.embedded.passwords import write_private
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server

# A 10 MB upload over a slow line, and a stream that nobody may cut.
_UPLOAD_SECONDS, _IDLE_SECONDS, _ANSWER_SECONDS = 120, 180, 60
# Only the owner's machine asks for these; a path below them stays hidden, too.
_INSIDE_ONLY = ("/metrics", "/health/ready")
# Traefik and the API might read such a path differently.
_REFUSED_IN_PATHS = {
    f"allowEncoded{name}": False
    for name in ("Slash", "BackSlash", "NullCharacter", "Semicolon", "Percent", "QuestionMark", "Hash")
}
# The other policies differ by answer (a feed's has no referrer), so they are the API's alone: these would replace them.
_HEADERS = {
    "contentTypeNosniff": True,
    "frameDeny": True,
    "customResponseHeaders": {"Server": ""},
}


class Traefik(Server):
    """Balances over the API instances that are ready (R10.4, R10.5); start it after one of them.

    It believes no client's X-Forwarded-For.
    """

    unready = UNHEALTHY

    def __init__(self, directory: Path, *, port: int, instances: Sequence[str]) -> None:
        """`instances`: base URLs of the API."""
        self._program = programs.traefik()
        super().__init__("Traefik", directory, programs=[self._program])
        self.port = port
        self.inside_port = free_port()
        self._instances = instances
        self._static = self.directory / "traefik.yml"
        self._routes = self.directory / "routes.yml"

    @property
    def inside_url(self) -> str:
        """Metrics and ping."""
        return f"http://{LOOPBACK}:{self.inside_port}"

    def prepare(self) -> None:
        # JSON is YAML.
        write_private(self._static, msgspec.json.encode(self._static_configuration()))
        write_private(self._routes, msgspec.json.encode(self._routing()))

    def command(self) -> Command:
        return Command(argv=[str(self._program), f"--configFile={self._static}"])

    def check(self) -> None:
        # Its own ping answers before the routes are there.
        expect_ok(f"http://{LOOPBACK}:{self.port}/health/live")

    def _static_configuration(self) -> Mapping[str, Any]:
        timeouts = {"readTimeout": _UPLOAD_SECONDS, "writeTimeout": 0, "idleTimeout": _IDLE_SECONDS}
        public = {
            "address": f"{LOOPBACK}:{self.port}",
            "transport": {
                "respondingTimeouts": {name: f"{seconds}s" for name, seconds in timeouts.items()},
                "lifeCycle": {"graceTimeOut": "5s"},
            },
            "http": {"encodedCharacters": _REFUSED_IN_PATHS, "aliasHeadersStrategy": "delete"},
        }
        return {
            "entryPoints": {"public": public, "inside": {"address": f"{LOOPBACK}:{self.inside_port}"}},
            "providers": {"file": {"filename": str(self._routes), "watch": False}},
            "ping": {"entryPoint": "inside"},
            "metrics": {"prometheus": {"entryPoint": "inside"}},
            "log": {"level": "WARN"},  # No access log: it would keep addresses of people.
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        }

    def _routing(self) -> Mapping[str, Any]:
        hidden = "".join(f" && !PathPrefix(`{path}`)" for path in _INSIDE_ONLY)
        router = {
            "rule": f"PathPrefix(`/`){hidden}",
            "entryPoints": ["public"],
            "middlewares": ["headers", "retry"],
            "service": "api",
        }
        balancer = {
            "servers": [{"url": url} for url in self._instances],
            "healthCheck": {"path": "/health/ready/instance", "interval": "1s", "timeout": "3s"},
            "serversTransport": "api",
        }
        transport = {"dialTimeout": "2s", "responseHeaderTimeout": f"{_ANSWER_SECONDS}s"}
        return {
            "http": {
                "routers": {"api": router},
                "middlewares": {
                    "headers": {"headers": _HEADERS},
                    # Only a request that no instance has seen is tried again.
                    "retry": {"retry": {"attempts": 3, "initialInterval": "100ms"}},
                },
                "services": {"api": {"loadBalancer": balancer}},
                "serversTransports": {"api": {"forwardingTimeouts": transport}},
            }
        }
