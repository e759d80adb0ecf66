"""Calendars with real HTTP, from documents that a real worker has read."""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from tests.support.browser import schedules
from tests.support.calendar_parsers import by_icalendar, by_vobject, content_lines
from tests.support.documents.refused import schedule
from tests.support.documents.schedules import LECTURES, TESTS
from tests.support.paths import SHARED
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until
from tests.support.web.requests import problem_code, upload

S2 = {"start": "2025-07-21", "end": "2025-10-31"}
SAMPLES = SHARED / "samples"


def _read(client: httpx.Client, content: bytes) -> str:
    """Uploads the content, waits until it is read, and returns the id of the job."""
    job = upload(client, content).json()
    wait_until(lambda: client.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "completed", timeout_seconds=60)
    return str(job["id"])


@pytest.fixture(scope="module")
def person(reading_api: ApiProcess) -> Iterator[httpx.Client]:
    """One visitor for all tests of this file, since reading documents takes time."""
    with httpx.Client(base_url=reading_api.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def jobs(person: httpx.Client) -> list[str]:
    """The jobs of a lecture schedule and a test schedule that were read."""
    sources = [SAMPLES / "lectures.pdf", SAMPLES / "tests.pdf"]
    if all(source.exists() for source in sources):
        return [_read(person, source.read_bytes()) for source in sources]
    return [_read(person, schedule(LECTURES, rows=12, seed=3)), _read(person, schedule(TESTS, rows=8, seed=4))]


def _create(person: httpx.Client, jobs: list[str], **body: Any) -> dict[str, Any]:
    terms = {"S1": {"start": "2025-02-10", "end": "2025-05-30"}, "S2": S2}
    answer = person.post(
        "/api/v1/calendars", json={"jobs": jobs, "academic_year": {"year": 2025, "terms": terms}} | body
    )
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/calendars/{created['id']}"
    return created


def _path(url: str) -> str:
    return re.sub(r"^https?://[^/]+", "", url)


def test_both_schedules_become_a_calendar_that_two_parsers_expand_alike(person: httpx.Client, jobs: list[str]) -> None:
    created = _create(person, jobs)
    events = [person.get(f"/api/v1/jobs/{job}/timetable").json()["events"] for job in jobs]

    feed = person.get(_path(created["feed_url"]))

    assert feed.status_code == 200
    content_lines(feed.content)
    starts = by_icalendar(feed.content)
    assert starts == by_vobject(feed.content)
    assert len(created["events"]) == sum(len(found) for found in events)
    happening = {event["uid"]: event["dates"] for event in created["events"] if event["dates"]}
    assert {uid: [moment.date().isoformat() for moment in found] for uid, found in starts.items()} == happening
    lectures = [event for event in created["events"] if event["printed"]["kind"] == "lecture"]
    assert all(event["dates"] for event in lectures)


def test_a_feed_answers_programs_as_they_expect(person: httpx.Client, jobs: list[str]) -> None:
    """Rule 14: no cookie, ETag, 304, HEAD, and no header that would pass on the address."""
    path = _path(_create(person, jobs)["feed_url"])
    with httpx.Client(base_url=person.base_url, headers={"Accept-Encoding": "identity"}) as program:
        full, head = program.get(path), program.head(path)
        again = program.get(path, headers={"If-None-Match": full.headers["etag"]})

    assert full.headers["content-type"] == "text/calendar; charset=utf-8"
    assert full.headers["cache-control"].startswith("private")
    assert full.headers["referrer-policy"] == "no-referrer"
    assert full.headers["x-robots-tag"] == "noindex"
    assert "set-cookie" not in full.headers
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == full.headers["etag"]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == full.headers["etag"]
    assert head.headers["content-length"] == str(len(full.content))


def test_a_feed_is_compressed_for_programs_that_take_it(person: httpx.Client, jobs: list[str]) -> None:
    """The compressed file has a strong tag of its own.

    With the tag of either form, an unchanged file is not sent again.
    """
    path = _path(_create(person, jobs)["feed_url"])
    plain = person.get(path, headers={"Accept-Encoding": "identity"})
    zipped = person.get(path, headers={"Accept-Encoding": "gzip"})

    assert (zipped.headers["content-encoding"], zipped.content) == ("gzip", plain.content)
    assert int(zipped.headers["content-length"]) * 3 < len(plain.content)
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == zipped.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != zipped.headers["etag"]
    for tag in (plain.headers["etag"], zipped.headers["etag"]):
        assert person.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_module_that_was_never_in_the_calendar_is_a_problem(person: httpx.Client, jobs: list[str]) -> None:
    """Every link in the answer works."""
    created = _create(person, jobs)

    for address in created["module_feeds"].values():
        assert person.get(_path(address)).status_code == 200
    answer = person.get(_path(created["feed_url"]), params={"module": "NOT 999"})
    assert (answer.status_code, problem_code(answer)) == (404, "feed-module-not-found")


def test_a_change_can_be_bound_to_what_was_seen(person: httpx.Client, jobs: list[str]) -> None:
    """`If-Match` is optional, and an outdated one changes nothing."""
    created = _create(person, jobs)
    path = f"/api/v1/calendars/{created['id']}"
    etag = person.get(path).headers["etag"]

    first = person.patch(path, json={"name": "Mine"}, headers={"If-Match": f'"other", {etag}'})
    late = person.patch(path, json={"name": "Ours"}, headers={"If-Match": etag})
    deletion = person.delete(path, headers={"If-Match": etag})

    assert (first.status_code, first.headers["etag"]) == (200, person.get(path).headers["etag"])
    for refused in (late, deletion):
        assert (refused.status_code, problem_code(refused)) == (412, "calendar-changed")
    assert person.get(path).json()["name"] == "Mine"
    assert person.patch(path, json={"name": "Theirs"}, headers={"If-Match": "*"}).status_code == 200
    assert person.patch(path, json={"name": "Whose"}).status_code == 200
    assert person.delete(path, headers={"If-Match": person.get(path).headers["etag"]}).status_code == 204


def test_a_feed_can_be_ended_without_another(person: httpx.Client, jobs: list[str]) -> None:
    created = _create(person, jobs)
    path = f"/api/v1/calendars/{created['id']}"
    closed = person.patch(path, json={"feed_open": False}).json()

    assert (closed["feed_url"], closed["webcal_url"], set(closed["module_feeds"].values())) == ("", "", {""})
    assert person.get(_path(created["feed_url"])).status_code == 404
    opened = person.patch(path, json={"feed_open": True}).json()
    assert person.get(_path(opened["feed_url"])).status_code == 200


def test_a_feed_address_appears_in_no_log(person: httpx.Client, jobs: list[str], reading_api: ApiProcess) -> None:
    created = _create(person, jobs)
    answer = person.get(_path(created["feed_url"]))
    token = _path(created["feed_url"]).removeprefix("/calendars/").removesuffix(".ics")

    assert len(token) == 32
    line = reading_api.awaited("request", request_id=answer.headers["x-request-id"])
    assert line["route"] == "/calendars/{file_name}"
    assert token not in reading_api.output.read_text()


@pytest.mark.parametrize("address", ["/calendars/unknown.ics", "/calendars/unknown", "/calendars/%2e%2e.ics"])
def test_an_unknown_feed_is_a_problem(reading_api: ApiProcess, address: str) -> None:
    answer = httpx.get(f"{reading_api.url}{address}")

    assert (answer.status_code, problem_code(answer)) == (404, "feed-not-found")


def test_the_owner_downloads_a_file(person: httpx.Client, jobs: list[str]) -> None:
    created = _create(person, jobs)
    answer = person.get(_path(created["ics_url"]))

    assert answer.headers["content-disposition"].startswith("attachment;")
    assert ".ics" in answer.headers["content-disposition"]
    assert by_icalendar(answer.content) == by_vobject(answer.content)
    with httpx.Client(base_url=person.base_url) as stranger:
        assert problem_code(stranger.get(_path(created["ics_url"]))) == "calendar-not-found"


def test_a_rotated_feed_ends_the_old_address(person: httpx.Client, jobs: list[str]) -> None:
    created = _create(person, jobs)
    changed = person.patch(f"/api/v1/calendars/{created['id']}", json={"rotate_feed": True}).json()

    assert changed["feed_url"] != created["feed_url"]
    assert person.get(_path(created["feed_url"])).status_code == 404
    assert person.get(_path(changed["feed_url"])).status_code == 200


def test_a_change_keeps_other_fields_and_null_restores_known_dates(person: httpx.Client, jobs: list[str]) -> None:
    created = _create(person, jobs, name="Mine")
    module = created["events"][0]["module"]
    address = f"/api/v1/calendars/{created['id']}"
    hidden = person.patch(address, json={"choices": {"hidden_modules": [module]}}).json()
    reset = person.patch(address, json={"academic_year": None}).json()

    assert hidden["name"] == "Mine"
    assert hidden["academic_year"]["terms"]["S2"] == S2 | {"name": ""}
    assert hidden["academic_year"]["overridden"] == ["terms"]
    assert {event["hidden"] for event in hidden["events"] if event["module"] == module} == {True}
    assert module not in hidden["module_feeds"]
    assert reset["academic_year"]["overridden"] == []
    assert reset["choices"] == {"hidden_modules": [module]}
    assert person.get(address).json() == reset


def test_entries_are_edited_and_added_and_the_feed_follows(person: httpx.Client, jobs: list[str]) -> None:
    """`printed` stays, and an impossible value is refused with its field."""
    created = _create(person, jobs)
    address, event = f"/api/v1/calendars/{created['id']}", created["events"][0]
    choir = {"id": "choir", "title": "Choir", "date": "2025-08-04", "start": "18:00", "end": "19:00"}
    edit = {"title": "Statics", "start": "06:00", "end": "06:45", "place": "Room 1", "note": "Blue book"}
    edits = {"entries": {event["id"]: edit}, "own": [choir]}

    changed = person.patch(address, json={"edits": edits}).json()
    refused = person.patch(address, json={"edits": {"own": [choir | {"end": "17:00"}]}})

    assert changed["edits"] == edits
    edited = next(found for found in changed["events"] if found["id"] == event["id"])
    assert (edited["uid"], edited["printed"]) == (event["uid"], event["printed"])
    assert (edited["title"], edited["start"], edited["end"], edited["note"]) == (
        "Statics",
        "06:00",
        "06:45",
        "Blue book",
    )
    (own,) = changed["own_events"]
    assert (own["own"], own["dates"]) == ("choir", ["2025-08-04"])
    assert own["id"] in {slot["event"] for week in changed["weeks"] for day in week["days"] for slot in day["slots"]}
    starts = by_icalendar(person.get(_path(created["feed_url"])).content)
    assert {start.hour for start in starts[event["uid"]]} == {6}
    assert [start.hour for start in starts[own["uid"]]] == [18]
    assert (refused.status_code, problem_code(refused)) == (400, "calendar-invalid")
    assert [error["field"] for error in refused.json()["errors"]] == ["edits.own.0.end"]
    assert person.get(address).json()["edits"] == edits


def test_missing_dates_are_a_problem_unless_an_estimate_is_asked_for(person: httpx.Client, jobs: list[str]) -> None:
    """The problem explains the short names of the terms."""
    body = {"jobs": jobs, "academic_year": 2031}
    refused = person.post("/api/v1/calendars", json=body)
    created = person.post("/api/v1/calendars", json=body | {"estimate_dates": True})

    assert (refused.status_code, problem_code(refused)) == (400, "academic-year-dates-missing")
    for error in refused.json()["errors"]:
        term = error["field"].removeprefix("academic_year.terms.")
        assert f"({term}) in 2031" in error["detail"]
    assert created.status_code == 201
    year = created.json()["academic_year"]
    assert {error["field"].rpartition(".")[2] for error in refused.json()["errors"]} == set(year["estimated"])
    assert (year["confirmed"], year["source"]) == (False, "An estimate from the dates of 2026")
    assert "dates-estimated" in {warning["code"] for warning in created.json()["warnings"]}
    off = person.patch(f"/api/v1/calendars/{created.json()['id']}", json={"estimate_dates": False})
    assert problem_code(off) == "academic-year-dates-missing"


def test_calendars_are_listed_and_deleted(person: httpx.Client, jobs: list[str]) -> None:
    first, second = _create(person, jobs), _create(person, jobs[:1])

    listed = [found["id"] for found in person.get("/api/v1/calendars").json()["calendars"]]
    assert listed[:2] == [second["id"], first["id"]]
    assert person.delete(f"/api/v1/calendars/{first['id']}").status_code == 204
    assert problem_code(person.get(f"/api/v1/calendars/{first['id']}")) == "calendar-not-found"
    assert person.get(_path(first["feed_url"])).status_code == 404


@pytest.mark.parametrize(
    ("academic_year", "field"),
    [
        ({"terms": {"S2": {"start": "2025-10-31", "end": "2025-07-21"}}}, "academic_year.terms.S2.end"),
        ({"terms": {"S2": {"start": "2024-07-21", "end": "2025-10-31"}}}, "academic_year.terms.S2.start"),
        ({"follows": [{"date": "2025-12-24", "weekday": "Monday"}]}, "academic_year.follows.0.date"),
        ({"recesses": [S2, {"start": "2025-04-09", "end": "2025-04-08"}]}, "academic_year.recesses.1.end"),
        ({"terms": {"S2": {"start": "soon", "end": "2025-10-31"}}}, "academic_year.terms.S2.start"),
        ({"terms": {"S9": S2}}, "academic_year.terms.S9"),
        ({"semesters": {"S2": S2}}, "academic_year.semesters"),
        ({"year": 20255}, "academic_year.year"),
    ],
)
def test_wrong_dates_are_refused_by_field(
    person: httpx.Client, jobs: list[str], academic_year: dict[str, object], field: str
) -> None:
    body = {"jobs": jobs, "academic_year": {"year": 2025} | academic_year}
    answer = person.post("/api/v1/calendars", json=body)

    assert answer.status_code == 400
    assert problem_code(answer) in {"calendar-invalid", "invalid-request"}
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_a_client_without_a_session_cannot_create_a_calendar(reading_api: ApiProcess) -> None:
    answer = httpx.post(f"{reading_api.url}/api/v1/calendars", json={"jobs": ["00000000-0000-0000-0000-000000000000"]})

    assert answer.status_code == 401
    assert problem_code(answer)


def test_known_years_are_public(reading_api: ApiProcess) -> None:
    years = httpx.get(f"{reading_api.url}/api/v1/academic-years").json()["academic_years"]
    one = httpx.get(f"{reading_api.url}/api/v1/academic-years/2026").json()
    none = httpx.get(f"{reading_api.url}/api/v1/academic-years/2040")

    assert one in years
    assert one["confirmed"] is False
    assert one["dates"]["terms"]["S2"] == {"start": "2026-07-13", "end": "2026-10-16", "name": ""}
    assert (none.status_code, problem_code(none)) == (404, "academic-year-not-found")


def test_proposed_groups_can_be_taken_and_their_clashes_dismissed(person: httpx.Client) -> None:
    """There are two groups of practicals, of which one clashes, and two lectures, which clash with every choice."""
    rows = (
        ("ABC 123", "G01", ("L1", 0, "08:30 - 09:20", "Maple 3-7")),
        ("ABC 123", "P01", ("P1", 1, "14:30 - 17:20", "Red Lab")),
        ("ABC 123", "P02", ("P1", 2, "14:30 - 17:20", "Grey Lab")),
        ("XYZ 214", "G01", ("L1", 0, "08:30 - 10:20", "Great Hall"), ("L2", 1, "15:30 - 16:20", "Great Hall")),
    )
    with TemporaryDirectory() as directory:
        job = _read(person, schedules.lectures(Path(directory), rows).read_bytes())
    calendar = _create(person, [job])
    path = f"/api/v1/calendars/{calendar['id']}"
    assert {clash["settled"] for clash in calendar["clashes"]} == {True, False}

    answer = person.post(f"{path}/proposals", json={"wishes": {"free_days": ["Tuesday"]}})

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["combinations"], found["clash_free"], found["proven"], found["current"]) == (2, 0, True, None)
    best = found["proposals"][0]
    assert [(item["group"], item["kind"]) for item in best["chosen"]] == [("P02", "P")]
    choices = {"groups": best["groups"]}
    taken = person.patch(path, json={"choices": choices}).json()
    (clash,) = taken["clashes"]
    assert clash["dates"] == best["clashes"][0]["dates"]
    planning = {"dismissed_clashes": [clash["id"]], "wishes": {"free_days": ["Tuesday"]}}
    assert person.patch(path, json={"planning": planning}).status_code == 200
    seen = person.get(path).json()
    assert seen["planning"] == planning
    assert [clash["dismissed"] for clash in seen["clashes"]] == [True]
    # The request has no wishes, so those of the calendar are used.
    assert person.post(f"{path}/proposals", json={}).json()["proposals"][0]["chosen"] == best["chosen"]


def test_proposals_are_for_the_owner_only(person: httpx.Client, jobs: list[str]) -> None:
    path = f"/api/v1/calendars/{_create(person, jobs)['id']}/proposals"
    with httpx.Client(base_url=person.base_url) as other:
        assert problem_code(other.post(path, json={})) == "calendar-not-found"
    assert person.post(path, json={"wishes": {"free_days": ["Someday"]}}).status_code == 400
