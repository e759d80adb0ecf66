"""Records each release that has settled, and finds the one before it."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from upschedule.deploy import history
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.nomad_model import JobSnapshot
from upschedule.deploy.records.model import ReleaseRecord, make_record
from upschedule.deploy.records.store import RecordStore, StoredRecord
from upschedule.deploy.rollout_state import Phase, derive

_GOOD = frozenset({Phase.SETTLED, Phase.RETURNED})
#: The release that runs, and the one before it.
RECORDS_MIN = 2


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one call of `record`: `added` are the labels of new records, `left` those of removed ones."""

    added: Sequence[str] = ()
    left: int = 0


class Recorder:
    """Keeps the records of the releases that led to the present one, at most `records_max` and never fewer than two.

    Safe to call from several processes at once, at any time: each release that ran is recorded once.
    """

    def __init__(self, nomad: NomadClient, *, jobs: Sequence[str], records_max: int) -> None:
        self._nomad = nomad
        self._jobs = jobs
        self._store = RecordStore(nomad)
        self._records_max = max(records_max, RECORDS_MIN)

    def record(self) -> Recorded:
        """Records what runs, if nothing is under way. Where nothing was ever recorded, also what Nomad still knows.

        Raises ServerUnreachable, ServerRefused and RecordTooLarge.
        """
        snapshots = self._snapshots()
        if not all(each.versions for each in snapshots.values()):
            return Recorded()
        stored = self._store.list()
        added = [] if stored else self._add_all(known_to_nomad(snapshots))
        stored = stored or self._store.list()
        present = settled_release(snapshots)
        if present is None or (stored and stored[-1].identity == present.identity):
            return Recorded(added=added)
        known = [place for place, each in enumerate(stored) if each.identity == present.identity]
        if known:
            left = stored[known[-1] + 1 :]
            for each in left:
                self._store.remove(each)
            return Recorded(added=added, left=len(left))
        if self._store.add(present, number=_next(stored)):
            added.append(present.label)
        self._trim()
        return Recorded(added=added)

    def newest(self) -> ReleaseRecord | None:
        """The last release that ran everywhere."""
        return next(self.newest_first(), None)

    def newest_first(self) -> Iterator[ReleaseRecord]:
        """The readable records, the newest first. If there is none: the releases that Nomad still knows.

        A token from before the records sees none: Nomad leaves out of a list what a token may not read.
        """
        stored = self._store.list()
        if not stored:
            return reversed(known_to_nomad(self._snapshots()))
        return (record for each in reversed(stored) if (record := self._store.read(each)))

    def identities(self) -> list[str]:
        """The identities of the recorded releases, the newest first."""
        return [each.identity for each in reversed(self._store.list())]

    def count_before(self, identity: str) -> int | None:
        """The number of readable records besides that of this release. None while the first release runs.

        Reads every record. Raises ServerUnreachable and ServerRefused.
        """
        stored = self._store.list()
        if [(each.identity, each.number) for each in stored] == [(identity, 0)]:
            return None
        return sum(self._store.read(each) is not None for each in stored if each.identity != identity)

    def _snapshots(self) -> dict[str, JobSnapshot]:
        return {name: self._nomad.job_snapshot(name) for name in self._jobs}

    def _add_all(self, records: Sequence[ReleaseRecord]) -> list[str]:
        return [each.label for number, each in enumerate(records) if self._store.add(each, number=number)]

    def _trim(self) -> None:
        for each in self._store.list()[: -self._records_max]:
            self._store.remove(each)


def settled_release(snapshots: Mapping[str, JobSnapshot]) -> ReleaseRecord | None:
    """The release that all jobs run, None while a job changes, or where the jobs run different releases."""
    states = [derive(each) for each in snapshots.values()]
    releases = {state.job.release_key: state.job.release for state in states if state.job}
    if len(releases) != 1 or not all(state.phase in _GOOD for state in states):
        return None
    (label,) = releases.values()
    return make_record(label, {name: each.specifications[0] for name, each in snapshots.items()})


def known_to_nomad(snapshots: Mapping[str, JobSnapshot]) -> list[ReleaseRecord]:
    """The releases of which Nomad still has a stable version of every job, oldest first. A pure function."""
    found: list[ReleaseRecord] = []
    chains = {name: history.stable_chain(each) for name, each in snapshots.items()}
    first, *_ = chains.values()
    for key, label in {each.job.release_key: each.job.release for each in first}.items():
        of_release = {name: [each for each in chain if each.job.release_key == key] for name, chain in chains.items()}
        if all(of_release.values()):
            found.append(make_record(label, {name: each[0].specification for name, each in of_release.items()}))
    return found[::-1]


def record_before(records: Sequence[ReleaseRecord], identity: str) -> ReleaseRecord | None:
    """The newest record from before that release, or of all where it was never recorded. A pure function.

    `records` begin with the newest.
    """
    places = [place for place, each in enumerate(records) if each.identity == identity]
    earlier = records[places[0] + 1 :] if places else records
    return earlier[0] if earlier else None


def _next(stored: Sequence[StoredRecord]) -> int:
    return stored[-1].number + 1 if stored else 0
