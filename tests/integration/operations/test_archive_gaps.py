"""Missing segments in the names of a repository's bucket, on a real SeaweedFS with an object lock (R9.5)."""

import itertools
from collections.abc import Iterator

import pytest

from upschedule.operations.cluster_backup.gaps import ArchiveGaps
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.stores.bucket import Bucket

_numbers = itertools.count(1)
FOLDER = "archive/upschedule/15-1"
#: Other files that pgBackRest writes: with these two names a listing by the last key never ends.
OTHERS = (
    "archive/upschedule/archive.info",
    "archive/upschedule/archive.info.copy",
    f"{FOLDER}/00000002.history",
    f"{FOLDER}/0000000100000000/000000010000000000000003.00000028.backup",
)


@pytest.fixture
def bucket(seaweedfs_server: SeaweedFS) -> Iterator[Bucket]:
    name = f"test-gaps-{next(_numbers)}"
    seaweedfs_server.admin_client().make_bucket(bucket_name=name, object_lock=True)
    created = Bucket(seaweedfs_server.address(name))
    for key in OTHERS:
        created.put(key, b"1", content_type="text/plain")
    yield created
    created.close()


def archive(bucket: Bucket, *segments: str, folder: str = FOLDER) -> None:
    for segment in segments:
        bucket.put(f"{folder}/{segment[:16]}/{segment}-{'a' * 40}.zst", b"1", content_type="text/plain")


def name_of(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def stored(bucket: Bucket, segment: str) -> float:
    (found,) = [each for each in bucket.find_all("archive/") if f"/{segment}-" in each.key]
    return found.modified_at.timestamp()


def test_a_missing_segment_is_found_once_the_next_one_is_archived(bucket: Bucket) -> None:
    """A log ends at segment FF, and the next one continues its numbers. The newest of two gaps is reported."""
    gaps = ArchiveGaps(bucket, "upschedule")
    assert gaps.newest() is None
    archive(bucket, *(name_of(number) for number in (254, 255, 256, 257)))
    assert gaps.newest() is None
    archive(bucket, name_of(259))
    first = gaps.newest()
    archive(bucket, name_of(260), name_of(262))
    second = gaps.newest()

    assert first
    assert second
    assert first.timestamp() == stored(bucket, name_of(259))
    assert second.timestamp() == stored(bucket, name_of(262))
    assert gaps.newest() == second == ArchiveGaps(bucket, "upschedule").newest()


def test_what_a_restore_or_a_new_version_begins_is_no_gap(bucket: Bucket) -> None:
    """A timeline begins where a restore ended, before or after the last segment of the timeline before."""
    archive(bucket, name_of(1), name_of(9), folder="archive/another/15-1")
    archive(bucket, *(name_of(number) for number in range(1, 9)))
    archive(bucket, name_of(4, timeline=2), name_of(5, timeline=2), name_of(8, timeline=3), name_of(9, timeline=3))
    archive(bucket, name_of(40), name_of(41), folder="archive/upschedule/18-2")

    assert ArchiveGaps(bucket, "upschedule").newest() is None


def test_a_listing_of_many_segments_is_read_to_its_end(bucket: Bucket) -> None:
    """A page has at most 1,000 segments. Two days have several thousand."""
    archive(bucket, *(name_of(number) for number in (*range(1, 1_004), 1_005)))

    found = ArchiveGaps(bucket, "upschedule").newest()
    assert found
    assert found.timestamp() == stored(bucket, name_of(1_005))
