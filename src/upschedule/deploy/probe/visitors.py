"""Sends equal requests to the canary and to the old release where visitors are too few for a comparison."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from upschedule.deploy.clock import Clock
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.client import CANARY_HEADER, ProbeClient

PATHS = ("/", "/api/v1/capacity")
#: A client without cookies reaches the canary with the probability of its share; if it does not, another one is tried.
_TRIES_MAX = 20


@dataclass(kw_only=True)
class SyntheticVisitors:
    """`canaries` are allocations. `canary` and `old` count the answers of each release."""

    site: Endpoint
    clock: Clock
    canaries: Collection[str]
    canary: int = 0
    old: int = 0
    _old_client: ProbeClient | None = field(default=None, init=False)

    def ask(self, *, seconds: float, per_second: float) -> None:
        """Sends equal requests to both releases in turn, for about `seconds`."""
        deadline = self.clock.now() + seconds
        reader = ProbeClient(replace(self.site, headers=CANARY_HEADER), self.clock)
        number = 0
        while (left := deadline - self.clock.now()) > 0:
            path = PATHS[number % len(PATHS)]
            reader.request("GET", path)
            self._ask_old(path)
            number += 1
            self.clock.sleep(min(left, 1 / per_second))
        self.canary += self._answers(reader)[True]

    def _ask_old(self, path: str) -> None:
        for _ in range(_TRIES_MAX):
            # The cookie of the share keeps a client with the release that answered it first.
            client = self._old_client or ProbeClient(self.site, self.clock)
            client.records.clear()
            client.request("GET", path)
            answers = self._answers(client)
            self.old, self.canary = self.old + answers[False], self.canary + answers[True]
            self._old_client = None if answers[True] else client
            if not answers[True]:
                return

    def _answers(self, client: ProbeClient) -> Counter[bool]:
        return Counter(each.instance in self.canaries for each in client.records if each.status)
