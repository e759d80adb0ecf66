"""What a student does, with the golden document: upload, follow, timetable, calendar, feed; then all is deleted."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from upschedule.deploy import feed
from upschedule.deploy.clock import Clock
from upschedule.deploy.findings import Finding
from upschedule.deploy.probe.client import VisitFailed, Visitor
from upschedule.golden import Golden
from upschedule.timetable.event import Extraction

_POLL_SECONDS = 0.7


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    error: dict[str, object] | None = None


class _Calendar(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    feed_url: str


@dataclass(frozen=True, kw_only=True)
class Visit:
    """`seconds` is how long the reading may take, queue included."""

    visitor: Visitor
    golden: Golden
    clock: Clock
    seconds: float

    def findings(self) -> list[Finding]:
        """Ends at the first step that fails; what was made is deleted all the same."""
        made: list[str] = []
        return [*self._told(self._steps(made)), *self._told(self._clean_up(made))]

    def _told(self, steps: Iterator[Finding]) -> list[Finding]:
        found: list[Finding] = []
        try:
            found.extend(steps)
        except VisitFailed as error:
            found.append(Finding(checked="golden document", ok=False, said=str(error)))
        return found

    def _steps(self, made: list[str]) -> Iterator[Finding]:
        upload = self.visitor.expect(
            "POST", "/api/v1/uploads", HTTPStatus.ACCEPTED, HTTPStatus.OK, file=self.golden.document
        )
        job = upload.json(_Job).id
        made.append(f"/api/v1/jobs/{job}")
        self._follow(job)
        yield Finding(checked="upload of the golden document", ok=True, said=f"job {job}")
        yield self._timetable(job)
        body: dict[str, Any] = {"jobs": [job], "name": "Release gate", "academic_year": feed.ACADEMIC_YEAR}
        calendar = self.visitor.expect("POST", "/api/v1/calendars", HTTPStatus.CREATED, body=body).json(_Calendar)
        made.append(f"/api/v1/calendars/{calendar.id}")
        yield self._feed(calendar)

    def _follow(self, job: str) -> None:
        last = _Job(id=job, status="never asked")

        def ended() -> bool:
            nonlocal last
            last = self.visitor.expect("GET", f"/api/v1/jobs/{job}", HTTPStatus.OK).json(_Job)
            return last.status in {"completed", "failed"}

        if not self.clock.until(ended, seconds=self.seconds, every_seconds=_POLL_SECONDS):
            raise VisitFailed(f"the upload was still {last.status} after {self.seconds:g} s: is a worker running?")
        if last.status == "failed":
            raise VisitFailed(f"the upload was refused: {(last.error or {}).get('detail')}")

    def _timetable(self, job: str) -> Finding:
        read = self.visitor.expect("GET", f"/api/v1/jobs/{job}/timetable", HTTPStatus.OK).json(Extraction)
        right = self.golden.agrees(read)
        wanted = len(self.golden.expected.events)
        said = (
            f"{wanted} entries as printed" if right else f"read wrongly: {len(read.events)} entries, not the {wanted}"
        )
        return Finding(checked="golden timetable", ok=right, said=said)

    def _feed(self, calendar: _Calendar) -> Finding:
        file = self.visitor.expect("GET", urlsplit(calendar.feed_url).path, HTTPStatus.OK)
        wrong = feed.difference(file.body, self.golden.expected.events)
        return Finding(
            checked="golden calendar and feed", ok=not wrong, said=wrong or "every class on its day and time"
        )

    def _clean_up(self, made: list[str]) -> Iterator[Finding]:
        for path in reversed(made):
            self.visitor.expect("DELETE", path, HTTPStatus.NO_CONTENT)
        yield Finding(checked="deleting what was made", ok=True, said=f"{len(made)} things deleted")
