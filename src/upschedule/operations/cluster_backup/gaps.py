"""Finds segments of the write-ahead log that the archive lacks: no moment in a gap can be restored.

pgBackRest discards segments if too many wait (`archive-push-queue-max`), and reports success to PostgreSQL. So the gap
shows only in the names of the segments that the archive has.
"""

import re
from datetime import datetime

from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.stores.bucket import Bucket, StoredObject
from upschedule.stores.errors import StoreError

# The timeline, and the two parts of the segment's number, in the names that PostgreSQL gives and pgBackRest extends.
_SEGMENT = re.compile(r"/([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})-[0-9a-f]{40}[^/]*$")
_SEGMENTS_PER_LOG = 256


class ArchiveGaps:
    """Remembers the last segment that it has seen, so that each look reads the names of new segments only."""

    def __init__(self, bucket: Bucket, stanza: str) -> None:
        self._bucket = bucket
        self._prefix = f"archive/{stanza}/"
        self._seen_to = ""
        self._last: tuple[str, int] | None = None
        self._newest: datetime | None = None

    def newest(self) -> datetime | None:
        """When the first segment after the newest gap was stored; None if there is no gap. Raises StepFailed.

        A backup that is made later does not need the missing segments.
        """
        try:
            # Other files of the archive may be listed after each page again, so only segments count as progress.
            while segments := [each for each in self._page() if _SEGMENT.search(each.key)]:
                for each in segments:
                    self._see(each)
        except StoreError as error:
            raise StepFailed("Listing the archive", self._bucket.explain(error)) from error
        return self._newest

    def _page(self) -> list[StoredObject]:
        return self._bucket.find(self._prefix, after=self._seen_to)

    def _see(self, stored: StoredObject) -> None:
        timeline, number = _place_of(stored.key)
        # A new timeline begins where a restore ended, which may be before the last segment of the timeline before.
        if self._last and self._last[0] == timeline and number > self._last[1] + 1:
            self._newest = stored.modified_at
        self._last = (timeline, number)
        self._seen_to = stored.key


def _place_of(key: str) -> tuple[str, int]:
    """Cluster and timeline of a segment, and its number in the log."""
    found = _SEGMENT.search(key)
    if not found:
        raise ValueError(key)
    # The folder has the number of the cluster, which a new major version of PostgreSQL changes.
    return key[: found.end(1)], int(found[2], 16) * _SEGMENTS_PER_LOG + int(found[3], 16)
