"""What schemathesis must know of this service; loaded by its command through SCHEMATHESIS_HOOKS.

Generated ids, addresses and passwords name nothing that exists, so about half of them are replaced by those that do.
"""

import itertools
import os
from typing import Any

import httpx
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase

from tests.support.documents.refused import schedule
from tests.support.documents.schedules import LECTURES, TESTS
from tests.support.servers import wait_until

_URL = os.environ["FUZZING_URL"]
_COOKIE = os.environ["FUZZING_COOKIE"]
_FEED = os.environ["FUZZING_FEED"]
_ACCOUNT = {"email": os.environ["FUZZING_EMAIL"], "password": os.environ["FUZZING_PASSWORD"]}
#: They end or replace the session by which all other requests have a visitor.
_STRANGERS = {"SignUp", "SignIn", "SignOut"}
#: A cursor is opaque: no schema says which text is one.
_OPAQUE = {"ListJobs"}

_jobs: list[str] = [os.environ["FUZZING_JOB"]]
_calendars: list[str] = []
_people = itertools.count(1)

schemathesis.openapi.media_type(
    "application/pdf",
    st.sampled_from(
        [
            *(schedule(kind, rows=3, seed=seed) for kind in (LECTURES, TESTS) for seed in range(3)),
            b"%PDF-1.7\nnot a schedule",
            b"not a PDF",
            b"",
        ]
    ),
)


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case, _kwargs: dict[str, Any]) -> None:
    """One visitor makes all requests but those of people who sign up, in and out.

    Not while requests are made up: what exists at the time would make the same seed make others.
    """
    if _operation_id(case) not in _STRANGERS:
        case.headers["Cookie"] = _COOKIE
    if case.meta and case.meta.generation.mode.is_positive:
        _lead_to_what_exists(case, case.meta.phase.name)


@schemathesis.hook
def after_call(_context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Remembers what exists."""
    operation, parameters = _operation_id(case), case.path_parameters or {}
    if operation in {"UploadDocument", "RetryJob"} and response.status_code == 202:
        _await_reading(response.json()["id"])
    elif operation == "GetTimetable" and response.status_code == 200:
        _jobs.append(str(parameters["job_id"]))
    elif operation == "CreateCalendar" and response.status_code == 201:
        _calendars.append(str(response.json()["id"]))
    elif operation == "DeleteJob" and response.status_code == 204:
        _forget(_jobs, parameters["job_id"])
    elif operation == "DeleteCalendar" and response.status_code == 204:
        _forget(_calendars, parameters["calendar_id"])


@schemathesis.check
def well_formed_requests_are_understood(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A request of the form that the description gives is never refused for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    if _operation_id(case) not in _OPAQUE and case.method.upper() != "HEAD":
        assert response.json()["type"] != "/problems/invalid-request", response.text


@schemathesis.check
def errors_are_problems(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """RFC 9457, for every request."""
    if response.status_code >= 400 and case.method.upper() != "HEAD":
        assert response.headers.get("content-type") == ["application/problem+json"], response.text
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["title"]
        assert problem["detail"]


def _lead_to_what_exists(case: schemathesis.Case, phase: TestPhase) -> None:
    """Schedules that were read, calendars, feeds, explanations, people who have signed up, addresses that are free."""
    existing = {"file_name": _FEED, "code": "rate-limit", **_last("job_id", _jobs), **_last("calendar_id", _calendars)}
    for name, value in case.path_parameters.items():
        # What a link has led to stays.
        if name in existing and _chosen(value) and phase is not TestPhase.STATEFUL:
            case.path_parameters[name] = existing[name]
    if not isinstance(case.body, dict) or not _chosen(case.body):
        return
    body: dict[str, Any] = case.body
    match _operation_id(case):
        case "CreateCalendar" if _jobs and phase is not TestPhase.STATEFUL:
            body["jobs"] = _jobs[-1:]
        case "SignIn":
            case.body = {**_ACCOUNT}
        case "SignUp":
            case.body = {**_ACCOUNT, "email": f"person-{next(_people)}@example.org"}


def _operation_id(case: schemathesis.Case) -> str | None:
    operation_id: str | None = case.operation.definition.raw.get("operationId")
    return operation_id


def _chosen(value: object) -> bool:
    """Half of them, the same in each run."""
    return sum(repr(value).encode()) % 2 == 0


def _await_reading(job_id: str) -> None:
    """The same seed must meet the same states: a document is read before the next request."""

    def read() -> bool:
        status = httpx.get(f"{_URL}/api/v1/jobs/{job_id}", headers={"Cookie": _COOKIE}).json()["status"]
        return status in {"completed", "failed"}

    wait_until(read, timeout_seconds=60)


def _last(name: str, known: list[str]) -> dict[str, str]:
    return {name: known[-1]} if known else {}


def _forget(known: list[str], gone: object) -> None:
    if str(gone) in known:
        known.remove(str(gone))
