"""Takes a student's steps with the golden documents: upload, timetable, calendar, feed; then deletes its data."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from upschedule.deploy.clock import Clock
from upschedule.deploy.findings import Finding
from upschedule.deploy.probe.client import ProbeClient, ProbeFailed
from upschedule.golden import Golden, GoldenSet
from upschedule.golden.comparison import event_differences
from upschedule.timetable.event import Event, Extraction
from upschedule.timetable.merge import identity

_POLL_SECONDS = 0.7
#: Of stages that concern all documents at once.
ALL = "all"
#: What the files and the calendar are called, by which the synthetic student finds what an earlier run left.
CALENDAR_NAME = "Release gate"
#: A release that is wrong everywhere would fill the terminal.
_DIFFERENCES_MAX = 3


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    error: dict[str, object] | None = None


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    printed: Event


class _Calendar(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    feed_url: str
    events: tuple[_Entry, ...]


@dataclass(frozen=True, kw_only=True)
class GoldenStage:
    """One step with one document, or with `ALL`. `differences` are between what is expected and what came.

    `done` is False if the step did not come to its end.
    """

    name: str
    document: str
    seconds: float
    differences: int
    done: bool


@dataclass(frozen=True, kw_only=True)
class GoldenRun:
    """`seconds` limits the wait for the extraction of all documents, queue included.

    `stages` has each step that was begun, in order.
    """

    client: ProbeClient
    golden: GoldenSet
    clock: Clock
    seconds: float
    calendar_name: str = CALENDAR_NAME
    stages: list[GoldenStage] = field(default_factory=list[GoldenStage], init=False)

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

    @contextmanager
    def stage(self, name: str, document: str = ALL) -> Generator[list[str]]:
        """Records a step, also if it fails. Yields the list of its differences."""
        wrong: list[str] = []
        began, done = self.clock.now(), False
        try:
            yield wrong
            done = True
        finally:
            self._record(name, document, began, differences=len(wrong), done=done)

    def _record(self, name: str, document: str, began: float, *, differences: int = 0, done: bool) -> None:
        seconds = self.clock.now() - began
        self.stages.append(
            GoldenStage(name=name, document=document, seconds=seconds, differences=differences, done=done)
        )

    def _steps(self, created: list[str]) -> Iterator[Finding]:
        # All at once: the time in the queue counts once.
        jobs = [self._upload(document, created) for document in self.golden.documents]
        self._await_extractions(jobs)
        yield Finding(subject="upload of the golden document", ok=True, detail=f"jobs {', '.join(jobs)}")
        yield self._timetables(jobs)
        body: dict[str, Any] = {
            "jobs": jobs,
            "name": self.calendar_name,
            "academic_year": self.golden.calendar.academic_year,
        }
        yield self._calendar(body, created)

    def _upload(self, document: Golden, created: list[str]) -> str:
        with self.stage("upload", document.layout):
            upload = self.client.expect(
                "POST", "/api/v1/uploads", HTTPStatus.ACCEPTED, HTTPStatus.OK, file=document.document
            )
            job = upload.json(_Job).id
            created.append(f"/api/v1/jobs/{job}")
        return job

    def _await_extractions(self, jobs: Sequence[str]) -> None:
        open_jobs = {job: _Job(id=job, status="never asked") for job in jobs}
        layouts = {job: document.layout for job, document in zip(jobs, self.golden.documents, strict=True)}
        began = self.clock.now()

        def ended() -> bool:
            for job in list(open_jobs):
                open_jobs[job] = self.client.expect("GET", f"/api/v1/jobs/{job}", HTTPStatus.OK).json(_Job)
                if open_jobs[job].status == "failed":
                    raise ProbeFailed(f"the upload was refused: {(open_jobs[job].error or {}).get('detail')}")
                if open_jobs[job].status == "completed":
                    del open_jobs[job]
                    self._record("reading", layouts[job], began, done=True)
            return not open_jobs

        try:
            if not self.clock.wait_until(ended, seconds=self.seconds, every_seconds=_POLL_SECONDS):
                status = next(iter(open_jobs.values())).status
                raise ProbeFailed(f"the upload was still {status} after {self.seconds:g} s: is a worker running?")
        finally:
            for job in open_jobs:
                self._record("reading", layouts[job], began, done=False)

    def _timetables(self, jobs: Sequence[str]) -> Finding:
        wrong: list[str] = []
        for job, document in zip(jobs, self.golden.documents, strict=True):
            with self.stage("timetable", document.layout) as here:
                read = self.client.expect("GET", f"/api/v1/jobs/{job}/timetable", HTTPStatus.OK).json(Extraction)
                here.extend(document.differences(read))
            wrong += here
        count = sum(len(document.expected.events) for document in self.golden.documents)
        layouts = ", ".join(document.layout for document in self.golden.documents)
        return _finding("golden timetable", wrong, f"{count} entries of {layouts} as printed")

    def _calendar(self, body: Any, created: list[str]) -> Finding:
        """Its JSON, the file for importing by hand, and the feed."""
        with self.stage("calendar") as wrong:
            calendar = self.client.expect("POST", "/api/v1/calendars", HTTPStatus.CREATED, body=body).json(_Calendar)
            created.append(f"/api/v1/calendars/{calendar.id}")
            wrong.extend(self._printed_differences(calendar))
            wrong.extend(self._file_differences("calendar file", f"/api/v1/calendars/{calendar.id}/calendar.ics"))
        with self.stage("feed") as in_feed:
            in_feed.extend(self._file_differences("feed", urlsplit(calendar.feed_url).path))
        differences = [*wrong, *in_feed]
        return _finding("golden calendar and feed", differences, "every class, test and exam on its day and time")

    def _file_differences(self, name: str, path: str) -> list[str]:
        return self.golden.calendar.differences(name, self.client.expect("GET", path, HTTPStatus.OK).body)

    def _printed_differences(self, calendar: _Calendar) -> list[str]:
        """Sorted here: a calendar's entries are in the order of their dates."""
        wrong: list[str] = []
        found = sorted((entry.printed for entry in calendar.events), key=identity)
        for document in self.golden.documents:
            kinds = {type(event) for event in document.expected.events}
            mine = [event for event in found if type(event) in kinds]
            expected = sorted(document.expected.events, key=identity)
            wrong += event_differences(f"calendar's {document.layout}", expected, mine)
        return wrong

    def _clean_up(self, created: list[str]) -> Iterator[Finding]:
        with self.stage("deletion"):
            for path in reversed(created):
                self.client.expect("DELETE", path, HTTPStatus.NO_CONTENT)
        yield Finding(subject="deleting what was made", ok=True, detail=f"{len(created)} things deleted")


def _finding(subject: str, wrong: Sequence[str], right: str) -> Finding:
    more = f"; and {len(wrong) - _DIFFERENCES_MAX} more" if len(wrong) > _DIFFERENCES_MAX else ""
    return Finding(subject=subject, ok=not wrong, detail="; ".join(wrong[:_DIFFERENCES_MAX]) + more if wrong else right)
