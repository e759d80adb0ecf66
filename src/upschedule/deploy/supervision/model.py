"""Models the state of the watch, which is the content of its Nomad Variable. Pure functions."""

import enum
from collections.abc import Mapping

import msgspec

from upschedule.deploy.records.model import identity_of

#: Earlier verdicts that are kept.
_EARLIER_MAX = 20


class WatchVerdict(enum.StrEnum):
    """The state of the watch of a release.

    `NOT_WATCHED`: the release is older than the watch, or was restored by a rollback. `ACCEPTED`: a person decided that
    it stays. `LEFT`: another change began, or a person reverted the release.
    """

    WATCHING = "watching"
    PASSED = "passed"
    ACCEPTED = "accepted"
    REVERTING = "reverting"
    REVERTED = "reverted"
    NOT_REVERTED = "not reverted"
    LEFT = "left"
    NOT_WATCHED = "not watched"


#: The verdicts with which the watch continues.
OPEN = frozenset({WatchVerdict.WATCHING, WatchVerdict.REVERTING})
#: A person may decide that the release stays.
ACCEPTABLE = frozenset({WatchVerdict.WATCHING, WatchVerdict.NOT_REVERTED})


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """`release` is what the verdict is about, `versions` its first version of each job that it changed.

    `fingerprints` are of the specifications of the jobs that run: of another release once this one has been reverted.

    Times are in seconds since 1970 by Prometheus' clock. `attempts` counts the failed reverts. `earlier` are lines
    about decisions and verdicts before this one, the newest first.
    """

    release: str
    fingerprints: Mapping[str, str]
    verdict: WatchVerdict
    versions: Mapping[str, int] = msgspec.field(default_factory=dict[str, int])
    began: float = 0.0
    until: float = 0.0
    ended: float = 0.0
    reason: str = ""
    attempts: int = 0
    earlier: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The identity that a record of this release has."""
        return identity_of(self.fingerprints)

    def with_line(self, line: str) -> "Watch":
        """A copy with one more line about an earlier decision."""
        return msgspec.structs.replace(self, earlier=(line, *self.earlier)[:_EARLIER_MAX])
