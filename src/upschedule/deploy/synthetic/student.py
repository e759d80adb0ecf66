"""Runs the synthetic student once: signs in, removes the data of an earlier run, takes the steps of the gate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
import structlog

from upschedule.backoff import jittered
from upschedule.deploy.clock import Clock
from upschedule.deploy.findings import Finding
from upschedule.deploy.http import Endpoint
from upschedule.deploy.probe.client import FILE_NAME, ProbeClient, ProbeFailed
from upschedule.deploy.probe.golden import GoldenRun, GoldenStage
from upschedule.golden import GoldenSet

_log = structlog.stdlib.get_logger(__name__)

#: By this and the name of the files it knows what is its own, and removes nothing else.
CALENDAR_NAME = "Synthetic student"
# As many as a page has; a run leaves three documents and one calendar at most.
_DOCUMENTS_MAX = 100
_JITTER = 0.1
_SIGNED_IN = (HTTPStatus.OK, HTTPStatus.CREATED)
_STRANGER = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials of the account that the program uses; it signs up with them if there is no account."""

    email: str
    password: str


class StudentRun(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run. `ended_at` is Unix time; `stages` has the stages that were begun, in order."""

    ended_at: float
    findings: tuple[Finding, ...]
    stages: tuple[GoldenStage, ...]

    @property
    def ok(self) -> bool:
        """Whether every step came to its end, and everything was as expected."""
        return all(finding.ok for finding in self.findings)


class _Account(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    file_name: str


class _Documents(msgspec.Struct, frozen=True, kw_only=True):
    jobs: tuple[_Document, ...]


class _Calendar(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


class _Calendars(msgspec.Struct, frozen=True, kw_only=True):
    calendars: tuple[_Calendar, ...]


@dataclass(kw_only=True)
class SyntheticStudent:
    """`site` is the public address. `document_seconds` limits the wait for the reading of all documents."""

    site: Endpoint
    golden: GoldenSet
    clock: Clock
    credentials: Credentials
    document_seconds: float
    _client: ProbeClient | None = field(default=None, init=False)
    _signed_up: bool = field(default=False, init=False)

    def run(self) -> StudentRun:
        """Raises nothing that the service can cause."""
        # One client keeps its session from run to run: signing in is slow on purpose, and limited.
        client = self._client = self._client or ProbeClient(self.site, self.clock)
        client.records.clear()
        golden = GoldenRun(
            client=client,
            golden=self.golden,
            clock=self.clock,
            seconds=self.document_seconds,
            calendar_name=CALENDAR_NAME,
        )
        findings: list[Finding]
        try:
            with golden.stage("sign-in"):
                self._sign_in(client)
            with golden.stage("left-overs"):
                remove_own(client)
            findings = golden.findings()
        except ProbeFailed as error:
            findings = [Finding(subject="synthetic student", ok=False, detail=str(error))]
        return StudentRun(
            ended_at=self.clock.utc_now().timestamp(), findings=tuple(findings), stages=tuple(golden.stages)
        )

    def _sign_in(self, client: ProbeClient) -> None:
        """Signs up where there is no such account, once: a service with a mail server sends a message for each time.

        Raises ProbeFailed.
        """
        if client.request("GET", "/api/v1/accounts/current").record.status == HTTPStatus.OK:
            return
        body = msgspec.to_builtins(self.credentials)
        answer = client.request("POST", "/api/v1/sessions", body=body)
        if answer.record.status in _STRANGER and not self._signed_up:
            # The answer does not say whether there is an account: signing up an address that has one changes nothing.
            client.expect("POST", "/api/v1/accounts", HTTPStatus.ACCEPTED, body=body)
            self._signed_up = True
            answer = client.request("POST", "/api/v1/sessions", body=body)
        if answer.record.status not in _SIGNED_IN:
            raise ProbeFailed(f"signing in answers {answer.record.status or 'nothing'}: {answer.record.detail}")
        account_id = answer.json(_Account).id
        _log.info("synthetic_signed_in", account_id=account_id, next=f"upschedule ops exempt {account_id}")


def remove_own(client: ProbeClient) -> None:
    """Removes what a run that was killed has left. Raises ProbeFailed."""
    calendars = client.expect("GET", "/api/v1/calendars", HTTPStatus.OK).json(_Calendars).calendars
    documents = client.expect("GET", f"/api/v1/jobs?limit={_DOCUMENTS_MAX}", HTTPStatus.OK).json(_Documents).jobs
    own = [f"/api/v1/calendars/{each.id}" for each in calendars if each.name == CALENDAR_NAME]
    own += [f"/api/v1/jobs/{each.id}" for each in documents if each.file_name == FILE_NAME]
    for path in own:
        # A request that was cut off may have removed it.
        client.expect("DELETE", path, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND)
    if own:
        _log.warning("synthetic_left_overs_removed", count=len(own))


def pause_seconds(clock: Clock, *, every_seconds: float, began: float) -> float:
    """Until the next run begins. Jitter shortens the time between two runs by up to a tenth."""
    return max(0.0, began + jittered(every_seconds, _JITTER, clock.random()) - clock.now())


def log_run(findings: Sequence[Finding]) -> None:
    """One line for each finding that is not good, and one for a run in which all are."""
    for finding in findings:
        if not finding.ok:
            _log.error("synthetic_finding", subject=finding.subject, detail=finding.detail)
    if all(finding.ok for finding in findings):
        _log.info("synthetic_run_right")
