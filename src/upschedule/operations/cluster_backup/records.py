"""The records of backups: objects beside the repository, in its bucket."""

from datetime import datetime

import msgspec

from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.model import Record
from upschedule.stores.bucket import Bucket, ObjectMissing
from upschedule.stores.errors import StoreError

_PREFIX = "records/"
_RECORD_BYTES_MAX = 1_000_000


class Records:
    """Every method raises StepFailed."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, record: Record) -> None:
        """Replaces an earlier record of this backup."""
        try:
            self._bucket.put(_key(record.backup.label), msgspec.json.encode(record), content_type="application/json")
        except StoreError as error:
            raise StepFailed("Recording the backup", self._bucket.explain(error)) from error

    def get(self, label: str) -> Record | None:
        """None if nothing was recorded: the backup was interrupted before its contents were known."""
        try:
            data = self._bucket.get(_key(label), size_bytes_max=_RECORD_BYTES_MAX)
            return msgspec.json.decode(data, type=Record)
        except ObjectMissing:
            return None
        except StoreError as error:
            raise StepFailed("Reading the record", self._bucket.explain(error)) from error
        except msgspec.DecodeError as error:
            raise StepFailed("Reading the record", f"{_key(label)} is damaged: {error}.") from error

    def renew_locks(self, stanza: str) -> None:
        """Writes the keys of the archive again: pgBackRest wrote them once, and the object lock on them ends."""
        try:
            for name in ("archive.info", "archive.info.copy"):
                self._bucket.renew(f"archive/{stanza}/{name}", size_bytes_max=_RECORD_BYTES_MAX)
        except (StoreError, ObjectMissing) as error:
            raise StepFailed("Renewing the locks", self._bucket.explain(error)) from error

    def remove_hidden(self, hidden_before: datetime) -> int:
        """Removes what was deleted or replaced before this time, as far as the object lock permits."""
        try:
            return self._bucket.remove_hidden(hidden_before=hidden_before)
        except StoreError as error:
            raise StepFailed("Removing hidden versions", self._bucket.explain(error)) from error


def _key(label: str) -> str:
    return f"{_PREFIX}{label}.json"
