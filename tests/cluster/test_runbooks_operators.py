"""The runbooks of `upschedule ops`, followed on the whole cluster in the situations that they describe (R6.3)."""

import ssl
import threading
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(600)
READ_SECONDS = 120.0
LOCKED = "of_a_test_locked"


@pytest.fixture
def student(cluster: LocalCluster) -> Iterator[httpx.Client]:
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=30) as client:
        yield client


def upload(student: httpx.Client) -> str:
    """Uploads a document and returns the job's id."""
    files = {"file": ("schedule.pdf", document(7, rows_max=4).data, "application/pdf")}
    answer = student.post("/api/v1/uploads", files=files).raise_for_status()
    job: str = answer.json()["id"]
    return job


def state(student: httpx.Client, job: str) -> str:
    answer = student.get(f"/api/v1/jobs/{job}").raise_for_status()
    status: str = answer.json()["status"]
    return status


def test_an_account_that_fills_the_queue_is_found_and_a_failed_job_is_read_again(
    cluster: LocalCluster, student: httpx.Client
) -> None:
    """The queue is paused, a job is found and cancelled, and then retried until it is read (issue 12)."""
    environment = shell(cluster)
    follow("queue-filled", "Pause", environment=environment)
    try:
        job = upload(student)
        assert "queue: paused" in follow("queue-filled", "Is the queue held up?", environment=environment)
        assert job in follow("queue-filled", "Who fills it?", environment=environment)
        environment |= {"JOB": job}
        follow("queue-filled", "Cancel a job", environment=environment)
        assert state(student, job) == "failed"
        assert "reading-cancelled" in follow("job-failed", "Which", "Why", environment=environment)
    finally:
        output = follow("queue-filled", "Resume", environment=environment)
    assert "queue: open" in output

    follow("job-failed", "Read it again", environment=environment)
    wait_until(lambda: state(student, job) == "completed", timeout_seconds=READ_SECONDS)
    logged = follow("job-failed", "What the processes logged", environment=environment)
    assert '"request"' in logged


def test_who_holds_a_lock_is_found_and_ended(cluster: LocalCluster) -> None:
    """The runbook shows the instance, the route and the statement that are slow (issue 12)."""
    environment = shell(cluster)
    with psycopg.connect(owner_url(cluster), autocommit=True) as owner:
        owner.execute(f"CREATE TABLE {LOCKED} (word text)".encode())
        owner.execute(f"GRANT SELECT ON {LOCKED} TO PUBLIC".encode())
        with psycopg.connect(owner_url(cluster)) as holder:
            holder.execute(f"LOCK TABLE {LOCKED}".encode())
            waiting = threading.Thread(target=wait_for, args=(owner_url(cluster),))
            waiting.start()
            blocker = holder.info.backend_pid
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
            wait_until(lambda: owner.execute(blocked, [blocker]).fetchone() == (1,), timeout_seconds=10)

            assert str(blocker) in follow(
                "database-slow", "Which instance, route and statement", environment=environment
            )
            follow("database-slow", "End who holds the lock", environment={**environment, "BLOCKER": str(blocker)})
            waiting.join(timeout=30)
            assert not waiting.is_alive()
            with pytest.raises(psycopg.OperationalError):
                holder.execute("SELECT 1")
        owner.execute(f"DROP TABLE {LOCKED}".encode())


def wait_for(url: str) -> None:
    """Connects as the application does and waits for the lock."""
    with psycopg.connect(url, prepare_threshold=None) as connection:
        connection.execute(f"SELECT count(*) FROM {LOCKED}".encode())
