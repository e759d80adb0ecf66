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
#: After this many failed reverts an operator has to decide: another try would most likely fail as well.
_REVERTS_MAX = 3
#: Time between two counts of the records of releases.
_COUNT_SECONDS = 60.0
#: Time limit of one revert, the same as that of `upschedule deploy revert`.
_RETURN_SECONDS = 900.0


@dataclass(kw_only=True)
class Supervisor:
    """Watches promoted releases, and reverts bad ones.

    `own` is None if this process is not a Nomad job, as in tests: then it is never a canary. `answered` is called with
    the current watch in each round in which Nomad and Prometheus answered. `counted` is called from time to time with
    the number of earlier releases that can be started again, or None while the first release runs.
    """

    cluster: Cluster
    prometheus: Prometheus
    limits: WatchLimits
    own: OwnJob | None = None
    answered: Callable[[Watch | None], None] = lambda _: None
    counted: Callable[[int | None], None] = lambda _: None
    _count_again: float = 0.0
    _reader: FigureReader | None = None
    #: The release and the beginning of the watch for which `_reader` was made.
    _reader_key: tuple[str, float] = ("", 0.0)
    _last_reported_error: str = ""
    _watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self._watcher = Watcher(self.cluster)
        self._store = WatchStore(self.cluster.nomad)

    def run(self) -> None:
        """Runs rounds forever. An error is reported once, and the next round tries again."""
        clock = self.cluster.clock
        while True:
            try:
                self.round()
                self._last_reported_error = ""
            except DeployError as error:
                if str(error) != self._last_reported_error:
                    self.cluster.report(str(error))
                self._last_reported_error = str(error)
            clock.sleep(jittered(_EVERY_SECONDS, _JITTER, clock.random()))

    def round(self) -> None:
        """Reads the state of the jobs once, and takes the next step. Raises DeployError."""
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
        """Executes `step`; `Step` says what each means."""
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
            reason = f"the deployment of {', '.join(given_up(states, watch))} failed or was marked as failed"
            self._begin_revert(stored, watch, reason)
        elif step is Step.REVERT:
            self._revert(stored, watch)
        elif step is Step.JUDGE:
            self._judge(states, stored, watch, now)
        elif stored.index == 0:
            # No watch is stored yet.
            self._store.write(watch, over=0)

    def _first(self, states: States) -> Watch | None:
        """A watch with the verdict NOT_WATCHED, for the release that ran before there was a supervisor.

        None while a deployment is in progress and no release is recorded.
        """
        record = self.cluster.records.newest()
        if record is not None and set(states) <= set(record.specifications):
            known = {name: record.fingerprint(name) for name in states}
            return Watch(release=record.label, fingerprints=known, verdict=WatchVerdict.NOT_WATCHED)
        if not is_settled(states):
            return None
        return Watch(release=_label(states), fingerprints=fingerprints(states), verdict=WatchVerdict.NOT_WATCHED)

    def _adopt(self, states: States, stored: StoredWatch, watch: Watch) -> None:
        """Stores the fingerprints of what runs, without a watch.

        Keeps the verdict if the release was rolled back, or if only the bounds of its number of instances changed.
        Otherwise the release that runs is not watched.
        """
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
        self.cluster.report(f"Release {begun.release} was promoted. It is watched for {self.limits.seconds:g} s.")

    def _judge(self, states: States, stored: StoredWatch, watch: Watch, now: float) -> None:
        found = self._complaints(watch, now)
        if found:
            self._begin_revert(stored, watch, "; ".join(found))
        elif now >= watch.until and is_settled(states):
            self._end(stored, watch, WatchVerdict.PASSED, "no measurement exceeded its limit", now)

    def _begin_revert(self, stored: StoredWatch, watch: Watch, reason: str) -> None:
        reverting = msgspec.structs.replace(watch, verdict=WatchVerdict.REVERTING, reason=reason)
        # Written first: this fails if a person has accepted the release meanwhile, and then nothing is reverted.
        self._store.write(reverting, over=stored.index)
        self.cluster.report(f"Reverting release {watch.release}: {reason}")
        self._revert(self._store.read(), reverting)

    def _complaints(self, watch: Watch, now: float) -> list[str]:
        """The reasons to revert the release.

        Restarts are checked first, because Nomad knows them even if Prometheus does not answer.
        """
        if found := self._restarts(watch, {}):
            return found
        instances = [each.id for each in self._instances(watch)]
        if not instances:
            return []
        if found := self._restarts(watch, self.prometheus.process_starts(instances)):
            return found
        if self._reader is None or self._reader_key != (watch.identity, watch.began):
            self._reader = FigureReader(self.prometheus, self.limits, began=watch.began)
            self._reader_key = watch.identity, watch.began
        return complaints(self._reader.read(instances, now=now), self.limits)

    def _restarts(self, watch: Watch, process_starts: Mapping[str, float]) -> list[str]:
        """A sentence for each restart, or nothing if there are no more than `restarts_max`."""
        found = restarts(self._watcher.snapshots, watch.versions, process_starts)
        is_tolerable = sum(each.times for each in found) <= self.limits.restarts_max
        return [] if is_tolerable else [each.sentence for each in found]

    def _instances(self, watch: Watch) -> list[Allocation]:
        """The API's allocations of the release, including ended ones; none if the release did not change the API."""
        first = watch.versions.get(API)
        return [
            each
            for snapshot in self._watcher.snapshots
            if snapshot.name == API and first is not None
            for each in snapshot.allocations
            if each.job_version >= first
        ]

    def _revert(self, stored: StoredWatch, watch: Watch) -> None:
        """Starts the previous release from its record, for all jobs or for none. Stores the outcome."""
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
        reason = f"{watch.reason}; but the previous release could not be started: see the supervisor's log"
        self._end(stored, watch, WatchVerdict.NOT_REVERTED, reason, self._now())

    def _end_reverted(self, stored: StoredWatch, watch: Watch, states: States, now: float) -> None:
        back = msgspec.structs.replace(watch, fingerprints=fingerprints(states))
        self._end(stored, back, WatchVerdict.REVERTED, watch.reason, now)

    def _end(self, stored: StoredWatch, watch: Watch, verdict: WatchVerdict, reason: str, now: float) -> None:
        ended = msgspec.structs.replace(watch, verdict=verdict, reason=reason, ended=now)
        self._store.write(ended, over=stored.index)
        self.cluster.report(f"The watch of release {watch.release} has ended. Verdict: {verdict.value} ({reason}).")

    def _follow(self, job: OwnJob, own: RolloutState, states: States) -> None:
        """Promotes or fails the canary of the supervisor's own job, once the verdict is final."""
        watch = self._store.read().watch
        releases = {(each.job.meta or {}).get("release", "") for each in states.values() if each.job}
        if watch and len(releases) == 1 and watch.verdict not in OPEN and watch.fingerprints == fingerprints(states):
            job.follow(own, release=releases.pop(), is_good=watch.verdict is not WatchVerdict.NOT_REVERTED)

    def _now(self) -> float:
        """The time of Prometheus's clock, which its measurements use."""
        now = self.prometheus.now()
        if now is None:
            raise ServerUnreachable("Prometheus", "it returned no time")
        return now


def _label(states: States) -> str:
    """The release as records name it; several names, separated by commas, if the jobs run different releases."""
    return ", ".join(dict.fromkeys(each.job.release for each in states.values() if each.job))


def _decisions(watch: Watch) -> tuple[str, ...]:
    """The lines about earlier verdicts that the next watch shows, with one about `watch` added."""
    if watch.verdict is WatchVerdict.NOT_WATCHED:
        return watch.earlier
    when = dt.datetime.fromtimestamp(watch.ended, tz=dt.UTC).isoformat(timespec="seconds") if watch.ended else ""
    line = " ".join(part for part in (when, watch.release, f"{watch.verdict.value}:", watch.reason) if part)
    return watch.with_line(line).earlier
