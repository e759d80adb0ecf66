"""Valkey, the open-source Redis, as state store and as cache."""

from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from upschedule.operations.embedded import executables
from upschedule.operations.embedded.passwords import PasswordFile, write_private
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server
from upschedule.operations.privileges.identities import Process
from upschedule.operations.privileges.redis import Redis, rules

_CONNECT_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class ValkeyUse:
    """The purpose of one instance. The two must not share a server (R4.3 against R4.4)."""

    title: str
    server: Redis
    options: tuple[str, ...]


# Queue, sessions, limits: nothing may be evicted, a restart loses at most a second. The bound turns a leak into errors.
STATE = ValkeyUse(
    title="Redis (state)",
    server="state",
    options=("maxmemory 1gb", "maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"),
)
# Nothing that cannot be computed again.
CACHE = ValkeyUse(
    title="Redis (cache)",
    server="cache",
    options=("maxmemory 2gb", "maxmemory-policy allkeys-lru", "appendonly no", 'save ""'),
)


class Valkey(Server):
    unready = (redis.ConnectionError, redis.TimeoutError)  # "Loading" is a kind of the first.

    def __init__(self, directory: Path, use: ValkeyUse, *, port: int | None = None) -> None:
        self._program = executables.valkey_server()
        super().__init__(use.title, directory, programs=[self._program])
        self.port = port or free_port()
        self._use = use
        self._passwords = PasswordFile(self.directory / "passwords.json")
        self._password = self._passwords.get("default")
        self._config = self.directory / "valkey.conf"

    @property
    def url(self) -> str:
        """The operator's URL, for every command."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def process_url(self, process: Process) -> str:
        """The URL of this process, for the keys and commands that it needs."""
        return f"redis://{process}:{self._passwords.get(process)}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._password}",
            *(
                f"user {name} on >{self._passwords.get(name)} {allowed}"
                for name, allowed in rules(self._use.server).items()
            ),
            f'dir "{data}"',
            "enable-debug-command no",
            *self._use.options,
        ]
        # A file, since a password on the command line shows in the list of processes.
        write_private(self._config, "\n".join(lines).encode() + b"\n")

    def command(self) -> Command:
        return Command(argv=[str(self._program), str(self._config)])

    def probe(self) -> None:
        with redis.Redis(
            host=LOOPBACK,
            port=self.port,
            password=self._password,
            socket_timeout=_CONNECT_SECONDS,
            retry=Retry(NoBackoff(), retries=0),
        ) as client:
            client.execute_command("PING")  # pyright: ignore[reportUnknownMemberType] - its options have no type
