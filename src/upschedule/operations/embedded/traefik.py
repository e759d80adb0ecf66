"""Traefik in front of the API: the one public address."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from upschedule.operations.embedded import executables
from upschedule.operations.embedded.health import UNHEALTHY, expect_ok
from upschedule.operations.embedded.passwords import write_private
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server

# Allow a 10 MB upload over a slow line, and streams of any length.
_UPLOAD_SECONDS, _IDLE_SECONDS, _ANSWER_SECONDS = 120, 180, 60
# Only this machine may request these paths and all paths below them.
_INSIDE_ONLY = ("/metrics", "/health/ready")
# The cluster's Traefik has the same plugin, which gives Traefik's own refusals a message.
_PLUGIN = Path(__file__).parents[4] / "jobs" / "traefik" / "faults.go"
_MANIFEST = {
    "displayName": "Faults in words",
    "type": "middleware",
    "import": "upschedule/faults",
    "summary": "Answers what Traefik itself has to say.",
    "testData": {"status": 404, "detail": "Nothing here."},
}
_UNREACHABLE = "The service did not answer. Try again in a few seconds."
_SLOW = "The service took too long. Look whether your change was made before you try again."
_ABSENT = "The service is starting or being repaired. Try again in a few seconds."
_NOT_FOUND = "There is nothing at this address."
# Traefik and the API might read such a path differently: the plugin refuses it with a message, which Traefik cannot do.
_LEFT_TO_THE_PLUGIN = {
    f"allowEncoded{name}": True
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

    It ignores the X-Forwarded-For of clients.
    """

    unready = UNHEALTHY

    def __init__(self, directory: Path, *, port: int, instances: Sequence[str]) -> None:
        """`instances`: base URLs of the API."""
        self._program = executables.traefik()
        super().__init__("Traefik", directory, programs=[self._program])
        self.port = port
        self.inside_port = free_port()
        self._faults_port = free_port()
        self._instances = instances
        self._plugin = self.directory / "plugins-local" / "src" / "upschedule" / "faults"
        self._static = self.directory / "traefik.yml"
        self._routes = self.directory / "routes.yml"

    @property
    def inside_url(self) -> str:
        """Metrics and ping."""
        return f"http://{LOOPBACK}:{self.inside_port}"

    def prepare(self) -> None:
        self._plugin.mkdir(parents=True, exist_ok=True)
        (self._plugin / "faults.go").write_bytes(_PLUGIN.read_bytes())
        (self._plugin / ".traefik.yml").write_bytes(msgspec.json.encode(_MANIFEST))
        # JSON is YAML.
        write_private(self._static, msgspec.json.encode(self._static_configuration()))
        write_private(self._routes, msgspec.json.encode(self._routing()))

    def command(self) -> Command:
        return Command(argv=[str(self._program), f"--configFile={self._static}"])

    def probe(self) -> None:
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
            "http": {"encodedCharacters": _LEFT_TO_THE_PLUGIN, "aliasHeadersStrategy": "delete"},
        }
        return {
            "entryPoints": {
                "public": public,
                "inside": {"address": f"{LOOPBACK}:{self.inside_port}"},
                "faults": {"address": f"{LOOPBACK}:{self._faults_port}"},
            },
            "experimental": {"localPlugins": {"faults": {"moduleName": "upschedule/faults"}}},
            "providers": {"file": {"filename": str(self._routes), "watch": False}},
            "ping": {"entryPoint": "inside"},
            "metrics": {"prometheus": {"entryPoint": "inside"}},
            "log": {"level": "WARN"},  # No access log: it would keep addresses of people.
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        }

    def _routing(self) -> Mapping[str, Any]:
        balancer = {
            "servers": [{"url": url} for url in self._instances],
            "healthCheck": {"path": "/health/ready/instance", "interval": "1s", "timeout": "3s"},
            "serversTransport": "api",
        }
        transport = {"dialTimeout": "2s", "responseHeaderTimeout": f"{_ANSWER_SECONDS}s"}
        return {
            "http": {
                "routers": self._routers(),
                "middlewares": {
                    "headers": {"headers": _HEADERS},
                    # Only a request that no instance has seen is tried again.
                    "retry": {"retry": {"attempts": 3, "initialInterval": "100ms"}},
                    # The API answers neither of these itself.
                    "faults": {"errors": {"status": ["502", "504"], "service": "faults", "query": "/faults/{status}"}},
                    "guard": _plugin(0),
                    "unreachable": _plugin(502, _UNREACHABLE, retry_after="5"),
                    "slow": _plugin(504, _SLOW),
                    "absent": _plugin(503, _ABSENT, retry_after="5"),
                    "not-found": _plugin(404, _NOT_FOUND),
                },
                "services": {
                    "public": {"failover": {"service": "api", "fallback": "faults"}},
                    "api": {"loadBalancer": balancer},
                    "faults": {"loadBalancer": {"servers": [{"url": f"http://{LOOPBACK}:{self._faults_port}"}]}},
                },
                "serversTransports": {"api": {"forwardingTimeouts": transport}},
            }
        }

    def _routers(self) -> Mapping[str, Any]:
        hidden = " || ".join(f"PathPrefix(`{path}`)" for path in _INSIDE_ONLY)
        return {
            "api": {
                "rule": "PathPrefix(`/`)",
                "entryPoints": ["public"],
                "middlewares": ["headers", "guard", "faults", "retry"],
                "service": "public",
            },
            "hidden": {
                "rule": hidden,
                "entryPoints": ["public"],
                "middlewares": ["headers", "not-found"],
                "service": "noop@internal",
            },
            "absent": _answering("PathPrefix(`/`)", "absent"),
            "unreachable": _answering("Path(`/faults/502`)", "unreachable"),
            "slow": _answering("Path(`/faults/504`)", "slow"),
        }


def _plugin(status: int, detail: str = "", *, retry_after: str = "") -> Mapping[str, Any]:
    """The plugin as middleware. With status 0 it passes every request except invalid ones."""
    return {"plugin": {"faults": {"status": status, "detail": detail, "retryAfter": retry_after}}}


def _answering(rule: str, middleware: str) -> Mapping[str, Any]:
    """A router that answers with a middleware. Traefik tries longer rules first."""
    return {"rule": rule, "entryPoints": ["faults"], "middlewares": [middleware], "service": "noop@internal"}
