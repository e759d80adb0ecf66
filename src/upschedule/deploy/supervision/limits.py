"""Limits of the watch after a promotion. Each is an option of `upschedule deploy supervise`."""

import msgspec

from upschedule.deploy.comparison.measured import FAULTS, slower_than


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one kind of event: the largest ratio of a route, and its largest excess over the release before."""

    ratio_max: float
    more_max: float


class WatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A release is watched for `seconds`, and compared with the `baseline_seconds` before its promotion.

    `restarts_max` is the number of its instances' failed tasks that is tolerated: one may be the node's fault.
    `slower_than_seconds` are bounds of the histogram's buckets. `false_alarm_max` is the chance that a good release
    exceeds one of the limits at any time of the watch.
    """

    seconds: float = 600.0
    baseline_seconds: float = 600.0
    slice_seconds: float = 10.0
    restarts_max: int = 1
    faults_max: float = 0.05
    faults_more_max: float = 0.02
    slower_max: float = 0.1
    slower_more_max: float = 0.1
    slower_than_seconds: tuple[float, ...] = (2.0, 5.0)
    false_alarm_max: float = 0.001

    def events(self) -> dict[str, Limit]:
        """The limits by kind of event."""
        slower = Limit(ratio_max=self.slower_max, more_max=self.slower_more_max)
        faults = Limit(ratio_max=self.faults_max, more_max=self.faults_more_max)
        return {FAULTS: faults, **{slower_than(each): slower for each in self.slower_than_seconds}}

    @property
    def looks(self) -> int:
        """The largest number of judgements of one release."""
        return max(1, round(self.seconds / self.slice_seconds))
