"""Tests which backups are kept, with an injected clock (R9.1)."""

from datetime import UTC, datetime, timedelta

import pytest

from upschedule.operations.cluster_backup.model import BackupSet
from upschedule.operations.cluster_backup.retention import newest_to_keep

FIRST = datetime(2026, 12, 1, 1, 30, tzinfo=UTC)


def daily(days: int) -> list[BackupSet]:
    """Daily backups. Day 1 is the first, and each takes a minute."""
    begun = [FIRST + timedelta(days=day) for day in range(days)]
    return [
        BackupSet(
            label=f"day {day}",
            started_at=at,
            finished_at=at + timedelta(minutes=1),
            size_bytes=1,
            stored_bytes=1,
        )
        for day, at in enumerate(begun, start=1)
    ]


def kept_labels(days: int, *, failed: frozenset[int] = frozenset()) -> list[str]:
    """The backups that are kept after the backup of the last day, whose verification takes another minute."""
    backups = daily(days)
    verified = {each.label for day, each in enumerate(backups, start=1) if day not in failed}
    now = backups[-1].finished_at + timedelta(minutes=1)
    return [each.label for each in backups[-newest_to_keep(backups, verified, now, 7) :]]


def test_every_second_of_seven_days_can_be_restored_and_no_more_is_kept() -> None:
    """With day 8's backup, day 1's becomes the start of the seven days. Day 9's backup removes it."""
    assert kept_labels(7) == [f"day {day}" for day in range(1, 8)]
    assert kept_labels(8) == [f"day {day}" for day in range(1, 9)]
    assert kept_labels(9) == [f"day {day}" for day in range(2, 10)]
    assert kept_labels(30) == [f"day {day}" for day in range(23, 31)]


def test_a_backup_that_does_not_count_replaces_none() -> None:
    """The one before it stays until a verified one is old enough."""
    assert kept_labels(9, failed=frozenset({2})) == [f"day {day}" for day in range(1, 10)]
    assert kept_labels(10, failed=frozenset({2})) == [f"day {day}" for day in range(3, 11)]


@pytest.mark.parametrize("days", [1, 8, 30])
def test_the_last_good_backup_is_never_removed(days: int) -> None:
    """The number of later failed backups does not matter."""
    later = frozenset(range(2, days + 1))

    assert kept_labels(days, failed=later) == [f"day {day}" for day in range(1, days + 1)]


def test_where_none_counts_all_stay() -> None:
    """Even an unverified backup may be useful, and the oldest may contain the most."""
    assert len(kept_labels(30, failed=frozenset(range(1, 31)))) == 30


def test_the_number_that_is_asked_for_is_never_nothing() -> None:
    """If the clock was moved far ahead, the newest verified backup and all later ones are kept."""
    backups = daily(3)
    later = backups[-1].finished_at + timedelta(days=10_000)

    assert newest_to_keep(backups, {"day 1", "day 2", "day 3"}, later, 7) == 1
    assert newest_to_keep(backups, {"day 1"}, later, 7) == 3
    assert newest_to_keep(backups, {"day 1"}, FIRST - timedelta(days=10_000), 7) == 3
    assert newest_to_keep([], set(), later, 7) == 0
