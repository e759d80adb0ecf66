"""Limits for comparing the API's canary with the old release. Each is an option of the deploy commands."""

import msgspec

from upschedule.deploy.comparison.measured import FAULTS, slower_than
from upschedule.deploy.comparison.verdict import Relevance, Sureness


class ComparisonLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse a canary may be, and how sure the comparison has to be.

    `faults_more_max` and `slower_more_max` bound the difference of the ratios of requests. `slower_than_seconds` are
    bounds of the histogram's buckets; shorter times are not noticed by visitors.
    """

    faults_more_max: float = 0.01
    slower_more_max: float = 0.03
    slower_than_seconds: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0)
    false_alarm_max: float = 0.01
    confidence: float = 0.99

    def events(self) -> dict[str, Relevance]:
        """The kinds of event that are compared, with their limits."""
        slow = Relevance(more_max=self.slower_more_max, in_bursts=True)
        faults = Relevance(more_max=self.faults_more_max, in_bursts=False)
        return {FAULTS: faults, **{slower_than(each): slow for each in self.slower_than_seconds}}

    def sureness(self, *, looks: int) -> Sureness:
        """The certainty that all comparisons of one gate have together."""
        return Sureness(false_alarm_max=self.false_alarm_max, confidence=self.confidence, looks=looks)
