"""A student's steps with the golden document: upload, extraction, timetable, calendar, feed; then deletes its data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from icalendar import Calendar

from upschedule.deploy.clock import Clock
from upschedule.deploy.findings import Finding
from upschedule.deploy.probe.client import ProbeClient, ProbeFailed
from upschedule.golden import Golden
from upschedule.timetable.event import Event, Extraction, Lecture, weekday_of

_POLL_SECONDS = 0.7
#: Fixed dates, so that the gate requests the same of every release in every year.
_ACADEMIC_YEAR: dict[str, Any] = {
    "year": 2026,
    "terms": {
        "Q1": {"start": "2026-02-16", "end": "2026-04-02"},
        "Q2": {"start": "2026-04-13", "end": "2026-05-29"},
        "Q3": {"start": "2026-07-20", "end": "2026-09-11"},
        "Q4": {"start": "2026-09-21", "end": "2026-11-06"},
        "S1": {"start": "2026-02-16", "end": "2026-05-29"},
        "S2": {"start": "2026-07-20", "end": "2026-11-06"},
    },
    "recesses": [],
    "no_lectures": [],
    "follows": [],
}


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    error: dict[str, object] | None = None


class _Calendar(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    feed_url: str


@dataclass(frozen=True, kw_only=True)
class GoldenRun:
    """`seconds` limits the wait for the extraction, queue included."""

    client: ProbeClient
    golden: Golden
    clock: Clock
    seconds: float

    def findings(self) -> list[Finding]:
        """Ends at the first step that fails, and deletes the created data in any case."""
        created: list[str] = []
        return [*self._collect(self._steps(created)), *self._collect(self._clean_up(created))]

    def _collect(self, steps: Iterator[Finding]) -> list[Finding]:
        found: list[Finding] = []
        try:
            found.extend(steps)
        except ProbeFailed as error:
            found.append(Finding(subject="golden document", ok=False, detail=str(error)))
        return found

    def _steps(self, created: list[str]) -> Iterator[Finding]:
        upload = self.client.expect(
            "POST", "/api/v1/uploads", HTTPStatus.ACCEPTED, HTTPStatus.OK, file=self.golden.document
        )
        job = upload.json(_Job).id
        created.append(f"/api/v1/jobs/{job}")
        self._await_extraction(job)
        yield Finding(subject="upload of the golden document", ok=True, detail=f"job {job}")
        yield self._timetable(job)
        body: dict[str, Any] = {"jobs": [job], "name": "Release gate", "academic_year": _ACADEMIC_YEAR}
        calendar = self.client.expect("POST", "/api/v1/calendars", HTTPStatus.CREATED, body=body).json(_Calendar)
        created.append(f"/api/v1/calendars/{calendar.id}")
        yield self._feed(calendar)

    def _await_extraction(self, job: str) -> None:
        last = _Job(id=job, status="never asked")

        def ended() -> bool:
            nonlocal last
            last = self.client.expect("GET", f"/api/v1/jobs/{job}", HTTPStatus.OK).json(_Job)
            return last.status in {"completed", "failed"}

        if not self.clock.wait_until(ended, seconds=self.seconds, every_seconds=_POLL_SECONDS):
            raise ProbeFailed(f"the upload was still {last.status} after {self.seconds:g} s: is a worker running?")
        if last.status == "failed":
            raise ProbeFailed(f"the upload was refused: {(last.error or {}).get('detail')}")

    def _timetable(self, job: str) -> Finding:
        read = self.client.expect("GET", f"/api/v1/jobs/{job}/timetable", HTTPStatus.OK).json(Extraction)
        equal = self.golden.agrees(read)
        wanted = len(self.golden.expected.events)
        detail = (
            f"{wanted} entries as printed" if equal else f"read wrongly: {len(read.events)} entries, not the {wanted}"
        )
        return Finding(subject="golden timetable", ok=equal, detail=detail)

    def _feed(self, calendar: _Calendar) -> Finding:
        file = self.client.expect("GET", urlsplit(calendar.feed_url).path, HTTPStatus.OK)
        wrong = feed_difference(file.body, self.golden.expected.events)
        return Finding(
            subject="golden calendar and feed", ok=not wrong, detail=wrong or "every class on its day and time"
        )

    def _clean_up(self, created: list[str]) -> Iterator[Finding]:
        for path in reversed(created):
            self.client.expect("DELETE", path, HTTPStatus.NO_CONTENT)
        yield Finding(subject="deleting what was made", ok=True, detail=f"{len(created)} things deleted")


def feed_difference(feed: bytes, events: Iterable[Event]) -> str:
    """Empty when the feed has every class on its day at its time, and nothing else. Pure."""
    lectures = [event for event in events if isinstance(event, Lecture)]
    try:
        found = {
            (_module(str(entry["SUMMARY"]), lectures), weekday_of(entry.start), f"{entry.start:%H:%M}")
            for entry in Calendar.from_ical(feed).events
        }
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        return f"it is no calendar: {error}"
    wanted = {(event.module, event.day, event.start) for event in lectures}
    missing, extra = wanted - found, found - wanted
    if not missing and not extra:
        return ""
    return f"{len(missing)} of {len(wanted)} classes are missing, {len(extra)} entries are not in the document"


def _module(summary: str, lectures: Iterable[Lecture]) -> str:
    return next((event.module for event in lectures if event.module in summary), summary)
