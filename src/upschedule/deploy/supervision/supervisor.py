"""`upschedule deploy supervise`: watches each promoted release, and reverts a bad one automatically."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from upschedule.backoff import jittered
from upschedule.deploy.environment import API, Cluster
from upschedule.deploy.errors import DeployError, ExitCode, PartlyKnown, ServerUnreachable
from upschedule.deploy.nomad_model import Allocation
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.recording import record_release
from upschedule.deploy.records.model import identity_of
from upschedule.deploy.restarts import restarts
from upschedule.deploy.rollback import revert
from upschedule.deploy.rollout_state import RolloutState
from upschedule.deploy.supervision.figures import FigureReader
from upschedule.deploy.supervision.judgement import complaints
from upschedule.deploy.supervision.limits import WatchLimits
from upschedule.deploy.supervision.model import OPEN, Watch, WatchVerdict
from upschedule.deploy.supervision.own_job import OwnJob
from upschedule.deploy.supervision.steps import (
    States,
    Step,
    changed_by_canary,
    fingerprints,
    given_up,
    is_settled,
    next_step,
)
from upschedule.deploy.supervision.store import StoredWatch, WatchStore
from upschedule.deploy.watch import Watcher

_EVERY_SECONDS, _JITTER = 3.0, 0.3
#: After these failed reverts a person has to look: repeating them changes nothing.
_REVERTS_MAX = 3
#: Between two looks at the records of releases.
_COUNT_SECONDS = 60.0
#: As long as `upschedule deploy revert` takes at most.
_RETURN_SECONDS = 900.0


@dataclass(kw_only=True)
class Supervisor:
    """`own` is None where the process is not a job of the cluster, as in tests: then it is never a canary.

    `answered` gets the watch in each round in which Nomad and Prometheus answered. `counted` gets the number of earlier
    releases that can be started again, None while the first one runs, from time to time.
    """

    cluster: Cluster
    prometheus: Prometheus
    limits: WatchLimits
    own: OwnJob | None = None
    answered: Callable[[Watch | None], None] = lambda _: None
    counted: Callable[[int | None], None] = lambda _: None
    _count_again: float = 0.0
    _reader: FigureReader | None = None
    _read_for: tuple[str, float] = ("", 0.0)
    _silent: str = ""
    _watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self._watcher = Watcher(self.cluster)
        self._store = WatchStore(self.cluster.nomad)

    def run(self) -> None:
        """Watches without end. A server that does not answer is asked again in the next round."""
        clock = self.cluster.clock
        while True:
            try:
                self.round()
                self._silent = ""
            except DeployError as error:
                if str(error) != self._silent:
                    self.cluster.report(str(error))
                self._silent = str(error)
            clock.sleep(jittered(_EVERY_SECONDS, _JITTER, clock.random()))

    def round(self) -> None:
        """One look at the jobs, and what follows from it. Raises DeployError."""
        own, is_canary = self.own.read() if self.own else (None, False)
        states = self._watcher.poll()
        stored = self._store.read()
        records = self.cluster.records.identities()
        now = self._now()
        self.answered(stored.watch)
        if is_canary:
            return
        watch = stored.watch or self._first(states)
        if watch is None:
            return
        self._take(next_step(states, watch, records), states, StoredWatch(watch=watch, index=stored.index), now)
        if is_settled(states):
            if records[:1] != [identity_of(fingerprints(states))]:
                record_release(self.cluster)
            self._count(states, now)
            if own and self.own:
                self._follow(self.own, own, states)

    def _count(self, states: States, now: float) -> None:
        """Counts the records of earlier releases, but not in each round: it reads all of them."""
        if now >= self._count_again:
            self.counted(self.cluster.records.count_before(identity_of(fingerprints(states))))
            self._count_again = now + _COUNT_SECONDS

    def _take(self, step: Step, states: States, stored: StoredWatch, now: float) -> None:
        watch = stored.watch
        if watch is None:
            return
        if step is Step.ADOPT:
            self._adopt(states, stored, watch)
        elif step is Step.BEGIN:
            self._begin(states, stored, watch, now)
        elif step is Step.LEAVE:
            self._end(stored, watch, WatchVerdict.LEFT, watch.reason or "another change began", now)
        elif step is Step.BACK:
            self._end_reverted(stored, watch, states, now)
        elif step is Step.FAILED:
            reason = f"the roll-out of {', '.join(given_up(states, watch))} failed, or was failed"
            self._begin_revert(stored, watch, reason)
        elif step is Step.REVERT:
            self._revert(stored, watch)
        elif step is Step.JUDGE:
            self._judge(states, stored, watch, now)
        elif stored.index == 0:
            self._store.write(watch, over=0)

    def _first(self, states: States) -> Watch | None:
        """Of the release that ran before the first look, which is not watched."""
        record = self.cluster.records.newest()
        if record is not None and set(states) <= set(record.specifications):
            known = {name: record.fingerprint(name) for name in states}
            return Watch(release=record.label, fingerprints=known, verdict=WatchVerdict.NOT_WATCHED)
        if not is_settled(states):
            return None
        return Watch(release=_label(states), fingerprints=fingerprints(states), verdict=WatchVerdict.NOT_WATCHED)

    def _adopt(self, states: States, stored: StoredWatch, watch: Watch) -> None:
        """Keeps the verdict about a release that was left, and about one of which only the bounds changed."""
        has_returned = watch.verdict in {WatchVerdict.PASSED, WatchVerdict.ACCEPTED, WatchVerdict.NOT_WATCHED}
        if has_returned and watch.release != _label(states):
            watch = Watch(
                release=_label(states),
                fingerprints={},
                verdict=WatchVerdict.NOT_WATCHED,
                earlier=_decisions(watch),
            )
        adopted = msgspec.structs.replace(watch, fingerprints=fingerprints(states))
        if watch.verdict is WatchVerdict.NOT_REVERTED and watch.release != _label(states):
            adopted = msgspec.structs.replace(adopted, verdict=WatchVerdict.LEFT)
        self._store.write(adopted, over=stored.index)

    def _begin(self, states: States, stored: StoredWatch, watch: Watch, now: float) -> None:
        versions = changed_by_canary(states, watch, promoted=True) | changed_by_canary(states, watch, promoted=False)
        begun = Watch(
            release=_label(states),
            fingerprints=fingerprints(states),
            verdict=WatchVerdict.WATCHING,
            versions=versions,
            began=now,
            until=now + self.limits.seconds,
            earlier=_decisions(watch),
        )
        self._store.write(begun, over=stored.index)
        self.cluster.report(f"Release {begun.release} is promoted, and watched for {self.limits.seconds:g} s.")

    def _judge(self, states: States, stored: StoredWatch, watch: Watch, now: float) -> None:
        found = self._complaints(watch, now)
        if found:
            self._begin_revert(stored, watch, "; ".join(found))
        elif now >= watch.until and is_settled(states):
            self._end(stored, watch, WatchVerdict.PASSED, "no figure exceeded its limit", now)

    def _begin_revert(self, stored: StoredWatch, watch: Watch, reason: str) -> None:
        reverting = msgspec.structs.replace(watch, verdict=WatchVerdict.REVERTING, reason=reason)
        # Written first: a person may have accepted the release since the watch was read, which refuses this.
        self._store.write(reverting, over=stored.index)
        self.cluster.report(f"Release {watch.release} is reverted: {reason}")
        self._revert(self._store.read(), reverting)

    def _complaints(self, watch: Watch, now: float) -> list[str]:
        """Restarts first: Nomad knows them, also where Prometheus cannot be asked."""
        if found := self._restarts(watch, {}):
            return found
        instances = [each.id for each in self._instances(watch)]
        if not instances:
            return []
        if found := self._restarts(watch, self.prometheus.process_starts(instances)):
            return found
        if self._reader is None or self._read_for != (watch.identity, watch.began):
            self._reader = FigureReader(self.prometheus, self.limits, began=watch.began)
            self._read_for = watch.identity, watch.began
        return complaints(self._reader.read(instances, now=now), self.limits)

    def _restarts(self, watch: Watch, process_starts: Mapping[str, float]) -> list[str]:
        """Empty where they are tolerable."""
        found = restarts(self._watcher.snapshots, watch.versions, process_starts)
        is_tolerable = sum(each.times for each in found) <= self.limits.restarts_max
        return [] if is_tolerable else [each.sentence for each in found]

    def _instances(self, watch: Watch) -> list[Allocation]:
        """Of the API, also those that have ended. Empty where the release did not change the API."""
        first = watch.versions.get(API)
        return [
            each
            for snapshot in self._watcher.snapshots
            if snapshot.name == API and first is not None
            for each in snapshot.allocations
            if each.job_version >= first
        ]

    def _revert(self, stored: StoredWatch, watch: Watch) -> None:
        """Reverts all jobs or none, by the records."""
        try:
            code = revert(self.cluster, self._watcher, seconds=_RETURN_SECONDS)
        except PartlyKnown as error:
            self.cluster.report(f"{error}")
            return
        if code is ExitCode.DONE:
            self._end_reverted(stored, watch, self._watcher.poll(), self._now())
            return
        attempts = watch.attempts + 1
        if attempts < _REVERTS_MAX:
            self._store.write(msgspec.structs.replace(watch, attempts=attempts), over=stored.index)
            return
        reason = f"{watch.reason}; but the release before could not be started: look at the supervisor's log"
        self._end(stored, watch, WatchVerdict.NOT_REVERTED, reason, self._now())

    def _end_reverted(self, stored: StoredWatch, watch: Watch, states: States, now: float) -> None:
        back = msgspec.structs.replace(watch, fingerprints=fingerprints(states))
        self._end(stored, back, WatchVerdict.REVERTED, watch.reason, now)

    def _end(self, stored: StoredWatch, watch: Watch, verdict: WatchVerdict, reason: str, now: float) -> None:
        ended = msgspec.structs.replace(watch, verdict=verdict, reason=reason, ended=now)
        self._store.write(ended, over=stored.index)
        self.cluster.report(f"The watch of release {watch.release} has ended: {verdict.value}: {reason}")

    def _follow(self, job: OwnJob, own: RolloutState, states: States) -> None:
        watch = self._store.read().watch
        releases = {(each.job.meta or {}).get("release", "") for each in states.values() if each.job}
        if watch and len(releases) == 1 and watch.verdict not in OPEN and watch.fingerprints == fingerprints(states):
            job.follow(own, release=releases.pop(), is_good=watch.verdict is not WatchVerdict.NOT_REVERTED)

    def _now(self) -> float:
        """By Prometheus' clock, in which its figures are."""
        now = self.prometheus.now()
        if now is None:
            raise ServerUnreachable("Prometheus", "it does not say what time it is")
        return now


def _label(states: States) -> str:
    """As a record names it; several where the jobs run different releases."""
    return ", ".join(dict.fromkeys(each.job.release for each in states.values() if each.job))


def _decisions(watch: Watch) -> tuple[str, ...]:
    """What the next watch keeps of this one."""
    if watch.verdict is WatchVerdict.NOT_WATCHED:
        return watch.earlier
    when = dt.datetime.fromtimestamp(watch.ended, tz=dt.UTC).isoformat(timespec="seconds") if watch.ended else ""
    line = " ".join(part for part in (when, watch.release, f"{watch.verdict.value}:", watch.reason) if part)
    return watch.with_line(line).earlier
