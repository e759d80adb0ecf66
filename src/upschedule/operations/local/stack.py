"""The servers of `make run`, and the settings through which they reach each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from upschedule.operations.embedded.application import Application
from upschedule.operations.embedded.passwords import PasswordFile
from upschedule.operations.embedded.ports import LOOPBACK
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.server import Server
from upschedule.operations.embedded.traefik import Traefik
from upschedule.operations.embedded.valkey import CACHE, STATE, Valkey
from upschedule.operations.privileges.identities import Process

_WORKERS = 2
# Shorter than in production, since a user waits at the terminal. The environment overrides them.
_DEFAULTS = {"UPSCHEDULE_WEB_DRAIN_SECONDS": "5", "UPSCHEDULE_WORKER_DRAIN_SECONDS": "10"}


class LocalStack:
    """Runs all servers on the loopback address, with their data below `data`."""

    def __init__(self, data: Path, *, port: int, environment: Mapping[str, str]) -> None:
        """`environment` has the settings that the user gave; the addresses of the stack override them."""
        self.public_url = f"http://{LOOPBACK}:{port}"
        self.postgres = Postgres(data / "postgres")
        self.state = Valkey(data / "redis-state", STATE)
        self.cache = Valkey(data / "redis-cache", CACHE)
        self.objects = SeaweedFS(data / "objects")
        passwords = PasswordFile(data / "passwords.json")
        self._feed_secret, self._operator_token = passwords.get("feed"), passwords.get("operators")
        # A user may open the page by either name.
        defaults = {**_DEFAULTS, "UPSCHEDULE_WEB_ORIGINS": f"http://localhost:{port}"}
        self._settings = {**defaults, **environment}
        self.api = Application(
            "API",
            data / "api",
            subcommand="serve",
            port_variable="UPSCHEDULE_WEB_PORT",
            environment=self._environment("api"),
        )
        self.workers = [
            Application(
                f"worker {number}",
                data / f"worker-{number}",
                subcommand="work",
                port_variable="UPSCHEDULE_WORKER_PORT",
                environment=self._environment("worker"),
            )
            for number in range(1, _WORKERS + 1)
        ]
        self.scheduler = Application(
            "scheduler",
            data / "scheduler",
            subcommand="schedule",
            port_variable="UPSCHEDULE_SCHEDULER_PORT",
            environment=self._environment("scheduler"),
        )
        self.traefik = Traefik(data / "traefik", port=port, instances=[self.api.url])

    @property
    def stores(self) -> Sequence[Server]:
        return [self.postgres, self.state, self.cache, self.objects]

    @property
    def processes(self) -> Sequence[Application]:
        return [self.api, *self.workers, self.scheduler]

    @property
    def servers(self) -> Sequence[Server]:
        """The servers in the order in which they start."""
        return [*self.stores, *self.processes, self.traefik]

    @property
    def stopping_order(self) -> Sequence[Sequence[Server]]:
        """Groups of servers that stop together; each group stops before the servers that it needs."""
        return [self.processes, [self.traefik], self.stores]

    def inside(self) -> Sequence[tuple[str, str]]:
        """Names and addresses that are reachable from this machine only."""
        pages = [
            (f"{process.name}: {page}", f"{process.url}/{page}")
            for process in self.processes
            for page in ("health/ready", "metrics")
        ]
        stores = [
            ("PostgreSQL", f"{LOOPBACK}:{self.postgres.port}"),
            ("Redis (state)", f"{LOOPBACK}:{self.state.port}"),
            ("Redis (cache)", f"{LOOPBACK}:{self.cache.port}"),
            ("S3 store", f"http://{LOOPBACK}:{self.objects.port}"),
        ]
        return [*pages, ("Traefik: metrics", f"{self.traefik.inside_url}/metrics"), *stores]

    def _environment(self, process: Process) -> dict[str, str]:
        """The settings of this process, with its own users and passwords only (decision 16)."""
        objects = self.objects.process_address(process)
        return {
            **self._settings,
            "UPSCHEDULE_POSTGRES_URL": self.postgres.process_dsn(process),
            "UPSCHEDULE_REDIS_STATE_URL": self.state.process_url(process),
            "UPSCHEDULE_REDIS_CACHE_URL": self.cache.process_url(process),
            "UPSCHEDULE_OBJECTS_ENDPOINT": objects.endpoint,
            "UPSCHEDULE_OBJECTS_ACCESS_KEY": objects.access_key,
            "UPSCHEDULE_OBJECTS_SECRET_KEY": objects.secret_key,
            "UPSCHEDULE_OBJECTS_BUCKET": objects.bucket,
            "UPSCHEDULE_WEB_PUBLIC_URL": self.public_url,
            "UPSCHEDULE_WEB_FEED_SECRET": self._feed_secret if process == "api" else "",
            "UPSCHEDULE_SCHEDULER_OPERATOR_TOKEN": self._operator_token if process == "scheduler" else "",
        }
