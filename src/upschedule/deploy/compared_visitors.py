"""Gives the API's canary a share of the visitors, and compares what both releases answered meanwhile."""

from dataclasses import dataclass, field

import msgspec

from upschedule.deploy.clock import Clock
from upschedule.deploy.comparison.measured import RequestSnapshot, period, read
from upschedule.deploy.comparison.report import describe_measure, describe_overall
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.comparison.traffic import Slice
from upschedule.deploy.comparison.verdict import Comparison, Verdict, compare
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.probe.visitors import SyntheticVisitors
from upschedule.deploy.share import Share, ShareVariable

VISITORS = "canary beside the old release"


class CanaryInstance(msgspec.Struct, frozen=True, kw_only=True):
    """An allocation of the API, and its HOST:PORT."""

    instance: str
    address: str


@dataclass(kw_only=True)
class ComparedVisitors:
    """`live` is the number of the other instances; `looks` the largest number of comparisons."""

    share: ShareVariable
    prometheus: Prometheus
    site: Endpoint
    clock: Clock
    canary: CanaryInstance
    live: int
    limits: ComparisonLimits
    looks: int
    comparison: Comparison = field(init=False)
    _slices: list[Slice] = field(default_factory=list[Slice])
    name = "visitors"

    def __post_init__(self) -> None:
        self._canaries = {self.canary.instance}
        self._synthetic = SyntheticVisitors(site=self.site, clock=self.clock, canaries=self._canaries)
        self._first: RequestSnapshot = read(self.prometheus)
        self._last = self._first
        self.comparison = self._compare()

    @property
    def is_worse(self) -> bool:
        return self.comparison.verdict is Verdict.WORSE

    @property
    def is_open(self) -> bool:
        """Whether more requests are needed."""
        return self.comparison.verdict is Verdict.UNSURE

    def give(self, percent: int, *, until: int, since: int) -> None:
        """Changes the canary's share."""
        canary = self.canary
        self.share.write(
            Share(instance=canary.instance, address=canary.address, percent=percent, until=until, since=since)
        )

    def ask(self, *, seconds: float, per_second: float) -> None:
        """Asks both releases the same in turn; takes about `seconds`."""
        self._synthetic.ask(seconds=seconds, per_second=per_second)

    def measure(self) -> None:
        """Adds a slice and compares. Raises DeployError, and can be repeated then."""
        after = read(self.prometheus).after(self._last)
        between = period(self._last, after, canaries=self._canaries)
        self._slices.append(between.counted(self.limits.slower_than_seconds))
        self._last = after
        self.comparison = self._compare()

    def findings(self) -> list[Finding]:
        """The verdict, and each figure that makes the canary worse."""
        comparison, both = self.comparison, period(self._first, self._last, canaries=self._canaries)
        overall = Finding(
            subject=VISITORS,
            ok=comparison.verdict is Verdict.NOT_WORSE,
            unsure=comparison.verdict is Verdict.UNSURE,
            detail=describe_overall(comparison, both, canary=self._synthetic.canary, old=self._synthetic.old),
        )
        worse = [Finding(subject=VISITORS, ok=False, detail=describe_measure(each, both)) for each in comparison.worse]
        return [overall, *worse]

    def _compare(self) -> Comparison:
        return compare(self._slices, self.limits.events(), self.limits.sureness(looks=self.looks))
