"""Jobs with real HTTP: status, list, stream, result and deletion."""

import threading
import uuid
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from tests.integration.web.conftest import NewClient
from tests.support.documents.generate import Document, document, stripped
from tests.support.processes.application import ApiProcess
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, problem_code, upload
from upschedule.timetable.event import Extraction

Read = tuple[httpx.Client, str, Document]


def _events(stream: httpx.Response) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields name and data of each event until the stream ends."""
    name = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, msgspec.json.decode(line.removeprefix("data: "))


@pytest.fixture
def read(reading_api: ApiProcess, new_client: NewClient) -> Read:
    """A visitor, their completed job, and the document."""
    client, source = new_client(reading_api), document(7)
    job = upload(client, source.data).json()
    with client.stream("GET", f"/api/v1/jobs/{job['id']}/stream") as stream:
        *_, (_, last) = _events(stream)
    assert last["status"] == "completed", last
    return client, f"/api/v1/jobs/{job['id']}", source


def test_a_stream_tells_the_way_of_a_job_to_its_end(reading_api: ApiProcess, new_client: NewClient) -> None:
    """Events named `status` contain the same object as the status. The last one is final."""
    client, source = new_client(reading_api), document(11)
    job = upload(client, source.data).json()

    with client.stream("GET", f"/api/v1/jobs/{job['id']}/stream", headers={"Last-Event-ID": "whatever"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        events = list(_events(stream))

    assert {name for name, _ in events} == {"status"}
    assert events[-1][1] == client.get(f"/api/v1/jobs/{job['id']}").json()
    assert events[-1][1]["status"] == "completed"
    assert events[-1][1]["pages_read"] == events[-1][1]["pages"] == source.pages


def test_a_timetable_is_what_the_document_says(read: Read) -> None:
    client, address, source = read
    answer = client.get(f"{address}/timetable")

    found = msgspec.json.decode(answer.content, type=Extraction)
    assert stripped(found.events) == source.events


def test_known_bytes_of_a_finished_job_answer_at_once(read: Read) -> None:
    """The answer is 200 with the finished job instead of 202, and nothing is read again."""
    client, address, source = read
    again = upload(client, source.data, name="other name.pdf")

    assert again.status_code == 200
    assert again.json() == client.get(address).json()
    assert again.headers["location"] == address


def test_a_file_that_holds_no_timetable_fails_with_a_problem(reading_api: ApiProcess, new_client: NewClient) -> None:
    """The cause is in the file.

    The error is a problem with its own code, and the same reader does not read it again.
    """
    client = new_client(reading_api)
    job = upload(client, pdf_like()).json()
    with client.stream("GET", f"/api/v1/jobs/{job['id']}/stream") as stream:
        *_, (_, last) = _events(stream)

    assert last["status"] == "failed"
    error = msgspec.convert(last["error"], dict[str, str | int])
    assert str(error["type"]).startswith("/problems/pdf-")
    assert error["detail"]
    assert error["status"] == 400
    assert client.get(str(error["type"])).status_code == 200
    retried = client.post(f"/api/v1/jobs/{job['id']}/retry")
    assert (retried.status_code, problem_code(retried)) == (409, "nothing-to-retry")
    assert "same answer" in retried.json()["detail"]
    assert client.get(f"/api/v1/jobs/{job['id']}").json()["status"] == "failed"


def test_a_finished_job_cannot_be_retried(read: Read) -> None:
    client, address, _ = read
    answer = client.post(f"{address}/retry")

    assert (answer.status_code, problem_code(answer)) == (409, "job-not-failed")


def test_a_timetable_is_not_there_before_it_was_read_completely(client: httpx.Client) -> None:
    address = upload(client, pdf_like()).headers["location"]
    answer = client.get(f"{address}/timetable")

    assert (answer.status_code, problem_code(answer)) == (409, "job-not-completed")


def test_a_status_that_has_not_changed_answers_304(read: Read) -> None:
    client, address, _ = read
    first = client.get(address)
    tag = first.headers["etag"]

    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(address, headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"


def test_an_etag_covers_the_position_in_the_queue(client: httpx.Client, new_client: NewClient, api: ApiProcess) -> None:
    """A job moves up in the queue without a change of its own row."""
    ahead = new_client(api)
    first = upload(ahead, pdf_like()).headers["location"]
    address = upload(client, pdf_like()).headers["location"]
    before = client.get(address)
    ahead.delete(first)

    def moved_up() -> bool:
        return client.get(address).json()["position"] < before.json()["position"]

    wait_until(moved_up)
    after = client.get(address, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("GET", "/stream"), ("GET", "/timetable"), ("DELETE", ""), ("POST", "/retry")],
)
def test_a_job_of_another_visitor_does_not_exist(
    client: httpx.Client, new_client: NewClient, api: ApiProcess, method: str, suffix: str
) -> None:
    """The answer is 404 for a client without a session, for another visitor, and for an unknown job."""
    address = upload(client, pdf_like()).headers["location"]
    stranger, other = new_client(api), new_client(api)
    upload(other, pdf_like())

    for person, asked in ((stranger, address), (other, address), (other, f"/api/v1/jobs/{uuid.uuid4()}")):
        answer = person.request(method, asked + suffix)
        assert (answer.status_code, problem_code(answer)) == (404, "job-not-found")
    assert client.get(address).status_code == 200


def test_an_id_that_is_none_is_not_found(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs/not-an-id")

    assert (answer.status_code, problem_code(answer)) == (404, "not-found")


def test_a_list_gives_every_job_once_newest_first_page_by_page(client: httpx.Client) -> None:
    """With cursors, a new upload between two pages shifts nothing."""
    ids = [upload(client, pdf_like()).json()["id"] for _ in range(5)]
    first = client.get("/api/v1/jobs", params={"limit": 2}).json()
    upload(client, pdf_like())
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    found = [job["id"] for page in (first, second, third) for job in page["jobs"]]
    assert found == ids[::-1]
    assert third["next"] is None


def test_a_new_client_has_an_empty_list_and_gets_no_cookie(client: httpx.Client) -> None:
    answer = client.get("/api/v1/jobs")

    assert answer.json() == {"jobs": [], "next": None}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=e30", "limit=0", "limit=101", "limit=x"])
def test_a_wrong_page_names_its_field(client: httpx.Client, query: str) -> None:
    upload(client, pdf_like())
    answer = client.get(f"/api/v1/jobs?{query}")

    assert (answer.status_code, problem_code(answer)) == (400, "invalid-request")
    assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


def test_a_deleted_job_is_gone_with_the_room_it_took(client: httpx.Client) -> None:
    """The quota decreases (R11.4)."""
    address = upload(client, pdf_like(size_bytes=500_000)).headers["location"]
    assert client.get("/api/v1/accounts/current").json()["stored_bytes"] == 500_000

    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get("/api/v1/accounts/current").json()["stored_bytes"] == 0


def test_a_stream_ends_when_its_job_is_deleted(client: httpx.Client) -> None:
    """Otherwise the stream would hold a connection for a job that never changes again."""
    address = upload(client, pdf_like()).headers["location"]
    with client.stream("GET", f"{address}/stream") as stream:
        events = _events(stream)
        assert next(events)[1]["status"] == "queued"
        deleting = threading.Thread(target=client.delete, args=(address,))
        deleting.start()
        assert list(events) == []
        deleting.join()


def test_an_account_may_hold_a_bounded_number_of_streams(client: httpx.Client, api: ApiProcess) -> None:
    """The limit is twenty. The next stream is refused, and closing one makes room."""
    address = upload(client, pdf_like()).headers["location"] + "/stream"
    opened = [client.send(client.build_request("GET", address), stream=True) for _ in range(20)]
    refused = client.get(address)
    opened.pop().close()

    def makes_room() -> bool:
        again = client.send(client.build_request("GET", address), stream=True)
        again.close()
        return again.status_code == 200

    assert (refused.status_code, problem_code(refused)) == (429, "rate-limit")
    assert int(refused.headers["retry-after"]) > 0
    wait_until(makes_room)
    for stream in opened:
        stream.close()
