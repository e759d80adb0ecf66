"""Servers of a process that outlives a test: no other test empties them."""

from contextlib import ExitStack
from pathlib import Path

from tests.support.processes.application import api_environment
from tests.support.servers import fresh_bucket, fresh_database, started
from upschedule.operations.embedded.postgres import Postgres
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.valkey import CACHE, STATE, Valkey


class IsolatedServers:
    """Each call of `start` starts servers that run until `opened` closes."""

    def __init__(self, opened: ExitStack, postgres: Postgres, template: str, objects: SeaweedFS, scratch: Path) -> None:
        self._opened = opened
        self._postgres, self._template, self._objects, self._scratch = postgres, template, objects, scratch

    def start(self, name: str) -> dict[str, str]:
        """The settings of a process on a database, a bucket and two Redis of its own."""
        enter = self._opened.enter_context
        database = enter(fresh_database(self._postgres, template=self._template))
        bucket = enter(fresh_bucket(self._objects))
        state = enter(started(Valkey(self._scratch / f"{name}-state", STATE)))
        cache = enter(started(Valkey(self._scratch / f"{name}-cache", CACHE)))
        return api_environment(database, state.url, cache.url, bucket)
