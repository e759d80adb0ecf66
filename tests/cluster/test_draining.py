"""Instances stop, hang and replace each other while students use them (R10.3, R10.4)."""

import ssl
import time
from collections.abc import Callable

import httpx
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.instances import (
    READ_SECONDS,
    Instance,
    addresses,
    await_replaced,
    await_well,
    instances,
    restart,
    stop,
    students_at_work,
)
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("two_of_each")]
#: The header with Nomad's id of the allocation that answered.
INSTANCE = "X-Upschedule-Instance"
#: Two instances take turns, so this many answers in a row from one of them are not chance.
ALONE = 6
PASSWORD = "correct horse battery staple"


def visitor(cluster: LocalCluster, *, patience_seconds: float = 20.0) -> httpx.Client:
    """A client of the public address that keeps its cookies."""
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    return httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=patience_seconds)


@pytest.mark.parametrize("job", ["api", "worker"])
@pytest.mark.parametrize("end", [stop, pytest.param(restart, marks=pytest.mark.long)])
def test_stopping_an_instance_fails_no_request(
    cluster: LocalCluster, figure: Figure, job: str, end: Callable[[LocalCluster, Instance], None]
) -> None:
    """The instance leaves Consul first and answers requests in progress.

    It gives back documents that it cannot finish (R10.4).
    """
    with students_at_work(cluster) as students:
        uploads = students.upload([document(seed, rows_max=60) for seed in range(16)], at_once=6)
        wait_until(lambda: students.seen.documents >= 1, timeout_seconds=READ_SECONDS)
        stopped, began = instances(cluster, job)[0], time.monotonic()
        end(cluster, stopped)
        await_replaced(cluster, stopped, 2)
        seconds = time.monotonic() - began
        uploads.result(READ_SECONDS)
    figure(f"seconds to {end.__name__} an instance ({job})", seconds)
    figure(f"requests answered meanwhile ({job})", students.seen.answered)
    assert (students.seen.failures, students.seen.refused) == ([], 0), students.seen.summary()
    assert students.seen.documents == 16


def test_a_stream_of_a_stopped_instance_ends_and_is_continued_by_another(cluster: LocalCluster, figure: Figure) -> None:
    """The client connects again, as browsers do automatically, and misses no state (R12.2)."""
    workers = instances(cluster, "worker")
    with visitor(cluster) as student:
        for worker in workers:
            worker.freeze()
        job = student.post("/api/v1/uploads", files={"file": ("a.pdf", document(1).data, "application/pdf")}).json()[
            "id"
        ]
        with student.stream("GET", f"/api/v1/jobs/{job}/stream") as first:
            served = first.headers[INSTANCE]
            began = time.monotonic()
            stop(cluster, next(one for one in instances(cluster, "api") if one.allocation == served))
            # The stream ends regularly: httpx would raise an error for one that is cut.
            text = "".join(first.iter_text())
            seconds = time.monotonic() - began
        assert '"status":"queued"' in text
        with student.stream("GET", f"/api/v1/jobs/{job}/stream") as second:
            assert second.headers[INSTANCE] != served
            for worker in workers:
                worker.thaw()
            text = "".join(second.iter_text())
    figure("seconds from `nomad alloc stop` to the end of an open stream", seconds)
    assert '"status":"completed"' in text
    await_well(cluster, lambda: len(addresses(cluster, "api")) == len(instances(cluster, "api")) == 2)


def test_a_session_holds_on_every_instance(cluster: LocalCluster) -> None:
    """A session that begins at one instance is known at the other, and ends at both (R10.3)."""
    with visitor(cluster) as student:
        credentials = {"email": f"session-{time.time_ns()}@example.org", "password": PASSWORD}
        student.post("/api/v1/accounts", json=credentials).raise_for_status()
        profile = student.post("/api/v1/sessions", json=credentials).raise_for_status().json()
        answers = from_each(cluster, student, "/api/v1/accounts/current")
        assert [answer.json() for answer in answers] == [profile, profile]
        student.delete("/api/v1/sessions/current").raise_for_status()
        assert all(answer.is_client_error for answer in from_each(cluster, student, "/api/v1/accounts/current"))


def from_each(cluster: LocalCluster, student: httpx.Client, path: str) -> list[httpx.Response]:
    """Returns an answer of each instance of the API."""
    wanted, found = set(addresses(cluster, "api")), dict[str, httpx.Response]()

    def all_answered() -> bool:
        answer = student.get(path)
        found[answer.headers[INSTANCE]] = answer
        return set(found) == wanted

    wait_until(all_answered, timeout_seconds=30)
    return list(found.values())


def test_an_instance_that_hangs_gets_no_requests_until_it_answers_again(cluster: LocalCluster, figure: Figure) -> None:
    """The time is the sum of interval and timeout of its check, 2 and 5 seconds.

    The instance is not restarted (R10.4).
    """
    hanging, other = instances(cluster, "api")
    with students_at_work(cluster) as students, visitor(cluster, patience_seconds=1.0) as student:
        hanging.freeze()
        began = time.monotonic()
        wait_until(lambda: alone(student, other), timeout_seconds=60)
        out_seconds = time.monotonic() - began
        hanging.thaw()
        began = time.monotonic()
        wait_until(lambda: answering(student) == hanging.allocation, timeout_seconds=60)
        in_seconds = time.monotonic() - began
    figure("seconds until an API instance that hangs gets no more requests", out_seconds)
    figure("seconds until it is asked again when it answers", in_seconds)
    figure("slowest request meanwhile, in seconds", students.seen.slowest_seconds)
    assert students.seen.failures == [], students.seen.summary()
    assert hanging in instances(cluster, "api")
    await_well(cluster)


def alone(student: httpx.Client, instance: Instance) -> bool:
    """Whether only this instance answers several requests in a row."""
    return all(answering(student) == instance.allocation for _ in range(ALONE))


def answering(student: httpx.Client) -> str | None:
    """The allocation that answers, or None without an answer."""
    try:
        return student.get("/health/live").headers.get(INSTANCE)
    except httpx.TimeoutException:
        return None
