"""What each entry was last said to be, and what is to be said now: SEQUENCE and dates move with the content only."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from upschedule.timetable.entry import Entry
from upschedule.timetable.icalendar import Published

_encoder = msgspec.json.Encoder(order="deterministic")


class EntryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `calendar_entries`: the entry as last published. Cancelled ones stay for people who import files."""

    uid: str
    sequence: int
    content_hash: bytes
    body: Entry
    modified_at: dt.datetime
    cancelled_at: dt.datetime | None = None

    def published(self) -> Published:
        return Published(
            entry=self.body,
            sequence=self.sequence,
            # The server's time zone must not show in a file.
            modified_at=self.modified_at.astimezone(dt.UTC),
            cancelled=self.cancelled_at is not None,
        )


def content_hash(entry: Entry) -> bytes:
    """Equal for entries that say the same."""
    return hashlib.sha256(_encoder.encode(entry)).digest()


def publish(
    previous: Mapping[str, EntryRecord], entries: Iterable[Entry], *, now: dt.datetime
) -> dict[str, EntryRecord]:
    """By UID: what is said now, and what is taken back as cancelled. `now`: when what changed did."""
    moment = now.replace(microsecond=0)
    current = {entry.uid: _said(previous.get(entry.uid), entry, moment) for entry in entries}
    return current | {uid: _cancelled(record, moment) for uid, record in previous.items() if uid not in current}


def _said(before: EntryRecord | None, entry: Entry, moment: dt.datetime) -> EntryRecord:
    content = content_hash(entry)
    if before and before.content_hash == content and before.cancelled_at is None:
        return before
    sequence = before.sequence + 1 if before else 0
    return EntryRecord(uid=entry.uid, sequence=sequence, content_hash=content, body=entry, modified_at=moment)


def _cancelled(record: EntryRecord, moment: dt.datetime) -> EntryRecord:
    if record.cancelled_at:
        return record
    return msgspec.structs.replace(record, sequence=record.sequence + 1, modified_at=moment, cancelled_at=moment)
