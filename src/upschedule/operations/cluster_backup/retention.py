"""Which backups stay (R9.1)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from upschedule.operations.cluster_backup.model import BackupSet


def newest_to_keep(backups: Sequence[BackupSet], verified: Collection[str], now: datetime, days: float) -> int:
    """How many of the backups, which are in order, stay so that every second of the last `days` can be restored.

    That takes the newest verified backup that is at least so old, and everything since. Without one, all stay: so no
    backup that counts is removed before another can do its work.
    """
    limit = now - timedelta(days=days)
    starts = [place for place, each in enumerate(backups) if each.label in verified and each.finished_at <= limit]
    return len(backups) - (starts[-1] if starts else 0)
