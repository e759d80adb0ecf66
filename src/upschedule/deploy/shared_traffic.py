"""The gate's step on real traffic: a small, growing share of the visitors, compared with the old release meanwhile."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from upschedule.deploy.clock import Clock
from upschedule.deploy.comparison.measured import Period, Snapshot, period, read
from upschedule.deploy.comparison.report import describe_measure, describe_overall
from upschedule.deploy.comparison.rules import ComparisonLimits
from upschedule.deploy.comparison.traffic import Slice
from upschedule.deploy.comparison.verdict import Comparison, Verdict, compare
from upschedule.deploy.errors import DeployError, ServerUnreachable
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.probe.visitors import SyntheticVisitors
from upschedule.deploy.share import Share, ShareVariable, remove_share
from upschedule.deploy.silence import repeat_while_silent

T = TypeVar("T")
SUBJECT = "canary beside the old release"


class ShareLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The shares in per cent, one after the other, and their times; no shares: the canary gets no visitors.

    The last step lasts until the comparison is sure, `last_seconds` at most. After `step_seconds` of it the gate adds
    `synthetic_per_second` requests to each release while the visitors' alone are too few. A share ends by itself
    `expiry_seconds` after the command that set it has ended.
    """

    percents: tuple[int, ...] = (5, 20, 50)
    step_seconds: float = 60.0
    last_seconds: float = 300.0
    slice_seconds: float = 10.0
    expiry_seconds: float = 60.0
    synthetic_per_second: float = 10.0
    comparison: ComparisonLimits = ComparisonLimits()

    def steps(self, *, live: int) -> list[int]:
        """No step gives the canary more than each of the `live` instances would have in a fair division."""
        return sorted({max(1, min(percent, 100 // (live + 1))) for percent in self.percents})

    @property
    def looks(self) -> int:
        """At most so many comparisons."""
        seconds = max(0, len(self.percents) - 1) * self.step_seconds + self.last_seconds
        return math.ceil(seconds / self.slice_seconds) + len(self.percents)


class CanaryInstance(msgspec.Struct, frozen=True, kw_only=True):
    """An allocation of the API, and its HOST:PORT."""

    instance: str
    address: str


@dataclass(frozen=True, kw_only=True)
class SharedTraffic:
    """Sets and removes the share. `site` is the public address; `report` prints a line.

    Waits while Nomad or Prometheus is silent, for `silence_seconds` at most. The share ends meanwhile, so that the
    visitors need neither.
    """

    nomad: NomadClient
    prometheus: Prometheus
    site: Endpoint
    clock: Clock
    report: Callable[[str], None]
    limits: ShareLimits
    silence_seconds: float

    def findings(self, canary: CanaryInstance, *, live: int, still_well: Callable[[], bool]) -> list[Finding]:
        """`live` is the number of the other instances.

        Ends at once when the canary is worse, or is not `still_well`. Whatever happens, the share is removed.
        """
        steps = self.limits.steps(live=live)
        if not steps:
            return [Finding(subject=SUBJECT, ok=True, detail="not compared: the shares are set to none")]
        share = ShareVariable(self.nomad)
        try:
            return _Run(traffic=self, canary=canary, still_well=still_well, share=share).steps(steps)
        except DeployError as error:
            return [not_compared(error)]
        finally:
            remove_share(self.nomad, self.report)


def not_compared(error: DeployError) -> Finding:
    """A server that is silent says nothing against the canary."""
    return Finding(subject=SUBJECT, ok=False, unsure=error.is_silence, detail=str(error))


@dataclass(kw_only=True)
class _Run:
    traffic: SharedTraffic
    canary: CanaryInstance
    still_well: Callable[[], bool]
    share: ShareVariable
    slices: list[Slice] = field(default_factory=list[Slice])

    def __post_init__(self) -> None:
        traffic = self.traffic
        self.canaries = {self.canary.instance}
        self.visitors = SyntheticVisitors(site=traffic.site, clock=traffic.clock, canaries=self.canaries)
        self.began = self._patiently(self._prometheus_now)
        self.first: Snapshot = self._patiently(self._read)
        self.last = self.first

    def steps(self, percents: Sequence[int]) -> list[Finding]:
        limits = self.traffic.limits
        comparison = self._compare()
        for percent in percents:
            self.traffic.report(f"The canary gets {percent} % of the visitors.")
            is_last = percent == percents[-1]
            began = self.traffic.clock.now()
            while True:
                elapsed = self.traffic.clock.now() - began
                unsure = comparison.verdict is Verdict.UNSURE
                if elapsed >= limits.step_seconds and not (is_last and unsure and elapsed < limits.last_seconds):
                    break
                self._slice(percent, synthetic=is_last and elapsed >= limits.step_seconds)
                comparison = self._compare()
                if comparison.verdict is Verdict.WORSE:
                    return self._result(comparison)
                if not self._patiently(self.still_well):
                    return [
                        Finding(
                            subject=SUBJECT, ok=False, detail="a canary failed, restarted or was replaced meanwhile"
                        )
                    ]
        return self._result(comparison)

    def _slice(self, percent: int, *, synthetic: bool) -> None:
        limits = self.traffic.limits
        self._patiently(lambda: self._write_share(percent))
        if synthetic:
            self.visitors.ask(seconds=limits.slice_seconds, per_second=limits.synthetic_per_second)
        else:
            self.traffic.clock.sleep(limits.slice_seconds)
        after = self._patiently(self._read).after(self.last)
        between = period(self.last, after, canaries=self.canaries)
        self.slices.append(between.counted(limits.comparison.slower_than_seconds))
        self.last = after

    def _write_share(self, percent: int) -> None:
        self.share.write(
            Share(
                instance=self.canary.instance,
                address=self.canary.address,
                percent=percent,
                until=math.ceil(self._prometheus_now() + self.traffic.limits.expiry_seconds),
                since=int(self.began),
            )
        )

    def _read(self) -> Snapshot:
        return read(self.traffic.prometheus)

    def _patiently(self, call: Callable[[], T]) -> T:
        traffic = self.traffic
        return repeat_while_silent(call, clock=traffic.clock, seconds=traffic.silence_seconds, report=traffic.report)

    def _compare(self) -> Comparison:
        limits = self.traffic.limits
        return compare(self.slices, limits.comparison.events(), limits.comparison.sureness(looks=limits.looks))

    def _prometheus_now(self) -> float:
        """The canary, which ends the share by its own clock, is in the cluster as well; this machine may not be."""
        now = self.traffic.prometheus.now()
        if now is None:
            raise ServerUnreachable("Prometheus", "it does not say what time it is")
        return now

    def _result(self, comparison: Comparison) -> list[Finding]:
        everything: Period = period(self.first, self.last, canaries=self.canaries)
        overall = Finding(
            subject=SUBJECT,
            ok=comparison.verdict is Verdict.NOT_WORSE,
            unsure=comparison.verdict is Verdict.UNSURE,
            detail=describe_overall(comparison, everything, canary=self.visitors.canary, old=self.visitors.old),
        )
        worse = [
            Finding(subject=SUBJECT, ok=False, detail=describe_measure(each, everything)) for each in comparison.worse
        ]
        return [overall, *worse]
