"""Decides the next step of the watch from the jobs, the records and the watch so far. Pure functions."""

import enum
from collections.abc import Mapping, Sequence

from upschedule.deploy.records.model import identity_of
from upschedule.deploy.rollout_state import Phase, RolloutState
from upschedule.deploy.supervision.model import Watch, WatchVerdict

States = Mapping[str, RolloutState]
_PROMOTED = frozenset({Phase.ROLLING, Phase.SETTLED})
_BACK = frozenset({Phase.SETTLED, Phase.RETURNED})


class Step(enum.StrEnum):
    """What the supervisor does next.

    `ADOPT`: stores what runs now, which needs no watch. `BEGIN`: begins to watch a promoted release. `JUDGE`: compares
    the watched release with the previous one. `FAILED`: begins to revert, because the deployment of a job of the
    watched release failed or was marked as failed. `REVERT`: continues to revert. `BACK`: the watched release has been
    reverted, and the previous one runs everywhere. `LEAVE`: ends the watch, because another change began.
    """

    NOTHING = "nothing"
    ADOPT = "adopt"
    BEGIN = "begin"
    JUDGE = "judge"
    FAILED = "failed"
    REVERT = "revert"
    BACK = "back"
    LEAVE = "leave"


def fingerprints(states: States) -> dict[str, str]:
    """The fingerprint of each job's newest version."""
    return {name: each.fingerprint for name, each in states.items()}


def next_step(states: States, watch: Watch, records: Sequence[str]) -> Step:
    """`records` are the identities of the recorded releases, the newest first."""
    if not all(each.job for each in states.values()):
        return Step.NOTHING
    if watch.fingerprints == fingerprints(states):
        return _of_watched(watch)
    is_return = _is_return(identity_of(fingerprints(states)), watch, records)
    if watch.verdict is WatchVerdict.REVERTING:
        return _of_reverting(states, watch, is_return=is_return)
    if watch.verdict is WatchVerdict.WATCHING and (step := _of_change_meanwhile(states, watch, is_return=is_return)):
        return step
    if not is_return and changed_by_canary(states, watch, promoted=True):
        return Step.BEGIN
    return Step.ADOPT if is_settled(states) else Step.NOTHING


def is_settled(states: States) -> bool:
    return all(each.phase in _BACK for each in states.values())


def given_up(states: States, watch: Watch) -> list[str]:
    """The jobs whose deployment of the watched release failed, or was marked as failed, after the promotion began."""
    return [
        name
        for name, each in states.items()
        if each.is_lost and each.failed_fingerprint == watch.fingerprints.get(name) and each.fingerprint
    ]


def changed_by_canary(states: States, watch: Watch, *, promoted: bool) -> dict[str, int]:
    """The versions of the jobs that changed through a canary, by job: promoted ones, or those that are not.

    Nomad changes a job without a canary if its instances can stay, as when only the bounds of their number change.
    """
    return {
        name: each.job.version
        for name, each in states.items()
        if each.job
        and each.fingerprint != watch.fingerprints.get(name)
        and each.deployment
        and each.deployment.canaries_desired
        and (each.phase in _PROMOTED and not each.deployment.needs_promotion) is promoted
    }


def _of_watched(watch: Watch) -> Step:
    if watch.verdict is WatchVerdict.WATCHING:
        return Step.JUDGE
    return Step.REVERT if watch.verdict is WatchVerdict.REVERTING else Step.NOTHING


def _is_return(identity: str, watch: Watch, records: Sequence[str]) -> bool:
    """Whether the release was recorded before the watched one; a revert removes the record of the watched one."""
    if identity not in records:
        return False
    return watch.identity not in records or records.index(identity) > records.index(watch.identity)


def _of_reverting(states: States, watch: Watch, *, is_return: bool) -> Step:
    """A service that was killed while the jobs change continues with them."""
    if is_settled(states) and is_return:
        return Step.BACK
    runs_on = any(each.fingerprint == watch.fingerprints.get(name) for name, each in states.items())
    return Step.REVERT if runs_on or not is_settled(states) else Step.LEAVE


def _of_change_meanwhile(states: States, watch: Watch, *, is_return: bool) -> Step | None:
    if given_up(states, watch):
        return Step.FAILED
    is_next = changed_by_canary(states, watch, promoted=False) and not changed_by_canary(states, watch, promoted=True)
    return Step.LEAVE if is_return or is_next else None
