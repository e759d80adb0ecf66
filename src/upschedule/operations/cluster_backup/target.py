"""Chooses the moment to which the database is restored, and the backup from which (R9.3)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from upschedule.operations.cluster_backup.errors import NoBackupBefore, UnknownBackup, UnknownTarget
from upschedule.operations.cluster_backup.model import BackupSet, Record

LATEST = "latest"
_LABEL = re.compile(r"\d{8}-\d{6}F")
#: The name of a restore point before a release has its time (`operations/prepare/restore_point.py`).
_POINT = re.compile(r"release-(?P<time>\d{8}T\d{12})Z-.+")
Known = Sequence[tuple[BackupSet, Record | None]]


class RecoveryTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Recovery begins with the backup `label`; `default` ends where the archive does."""

    label: str
    size_bytes: int
    kind: Literal["default", "time", "name"]
    value: str = ""

    def options(self) -> list[str]:
        """The options of pgBackRest for this target."""
        if self.kind == "default":
            return [f"--set={self.label}", "--type=default"]
        return [f"--set={self.label}", f"--type={self.kind}", f"--target={self.value}", "--target-action=promote"]


def target_of(record: Record) -> RecoveryTarget:
    """The moment at which the contents of a backup were recorded."""
    backup, point = record.backup, record.reference.restore_point
    return RecoveryTarget(label=backup.label, size_bytes=backup.size_bytes, kind="name", value=point)


def choose_target(text: str, known: Known) -> RecoveryTarget:
    """The target that the text names.

    The text is `latest`, the label of a backup, the name of a restore point, or a time in ISO 8601 (UTC unless it
    contains another zone). Raises UnknownTarget, UnknownBackup, NoBackupBefore.
    """
    if text == LATEST:
        return _target(_newest_before(known, None, text), "default")
    if _LABEL.fullmatch(text):
        found = next((record for backup, record in known if backup.label == text), None)
        if found is None:
            raise UnknownBackup(text)
        return target_of(found)
    if point := _POINT.fullmatch(text):
        made_at = datetime.strptime(point["time"], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return _target(_newest_before(known, made_at, text), "name", text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnknownTarget(text) from error
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return _target(_newest_before(known, time, text), "time", time.astimezone(UTC).isoformat(sep=" "))


def _newest_before(known: Known, time: datetime | None, text: str) -> BackupSet:
    """A backup that was proven, if there is one: others may be damaged. Recovery begins after the backup has ended."""
    early = [(backup, record) for backup, record in known if time is None or backup.finished_at <= time]
    proven = [backup for backup, record in early if record and record.verified]
    if not early:
        raise NoBackupBefore(text, [backup.finished_at for backup, _ in known])
    return (proven or [backup for backup, _ in early])[-1]


def _target(backup: BackupSet, kind: Literal["default", "time", "name"], value: str = "") -> RecoveryTarget:
    return RecoveryTarget(label=backup.label, size_bytes=backup.size_bytes, kind=kind, value=value)
