"""Keeps SEQUENCE and the dates of published entries: they change only when an entry's content changes. Pure code."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from upschedule.timetable.entry import Entry
from upschedule.timetable.icalendar import Published

_encoder = msgspec.json.Encoder(order="deterministic")


class EntryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `calendar_entries`: an entry as last published. Cancelled entries stay, for downloads."""

    uid: str
    sequence: int
    content_hash: bytes
    body: Entry
    modified_at: dt.datetime
    cancelled_at: dt.datetime | None = None

    def published(self) -> Published:
        """The entry as the iCalendar writer takes it."""
        return Published(
            entry=self.body,
            sequence=self.sequence,
            # The server's time zone must not show in a file.
            modified_at=self.modified_at.astimezone(dt.UTC),
            cancelled=self.cancelled_at is not None,
        )


def content_hash(entry: Entry) -> bytes:
    """Equal for entries with equal content."""
    return hashlib.sha256(_encoder.encode(entry)).digest()


def update_records(
    previous: Mapping[str, EntryRecord], entries: Iterable[Entry], *, now: dt.datetime
) -> dict[str, EntryRecord]:
    """The records after publishing `entries`, by UID. An entry that is no longer among them becomes cancelled.

    `now` is the modification time of the records that change.
    """
    moment = now.replace(microsecond=0)
    current = {entry.uid: _updated(previous.get(entry.uid), entry, moment) for entry in entries}
    return current | {uid: _cancelled(record, moment) for uid, record in previous.items() if uid not in current}


def _updated(before: EntryRecord | None, entry: Entry, moment: dt.datetime) -> EntryRecord:
    content = content_hash(entry)
    if before and before.content_hash == content and before.cancelled_at is None:
        return before
    sequence = before.sequence + 1 if before else 0
    return EntryRecord(uid=entry.uid, sequence=sequence, content_hash=content, body=entry, modified_at=moment)


def _cancelled(record: EntryRecord, moment: dt.datetime) -> EntryRecord:
    if record.cancelled_at:
        return record
    return msgspec.structs.replace(record, sequence=record.sequence + 1, modified_at=moment, cancelled_at=moment)
