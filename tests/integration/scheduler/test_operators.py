"""`upschedule ops` against a real scheduler: what it shows and changes, and which requests it refuses."""

import asyncio
import http.client
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result

from tests.integration.conftest import StartScheduler, StartWorker
from tests.integration.processing.test_intake import accept
from tests.support.job_rows import an_extraction, change, claimed, count, queued, read
from tests.support.processes.health_pages import await_ready, metric
from tests.support.services import Addresses, a_document, new_account, opened, until, until_final
from upschedule.cli import main
from upschedule.operations.embedded.ports import free_port
from upschedule.pdf import READER_VERSION
from upschedule.processing.job import JobError, Status
from upschedule.processing.runs import RunRepository
from upschedule.processing.shares import ShareOptions, ShareRepository
from upschedule.services import Services
from upschedule.services.opening import QUEUE

TOKEN = "for tests, and longer than thirty-two characters"
OURS = {"JOBS_SWEEP_SECONDS": "0.2", "JOBS_RING_AGAIN_SECONDS": "300", "JOBS_HEARTBEAT_SECONDS": "0.3"}
OUTSIDE = JobError(code="reading-failed", title="Failed", detail="The reader fell over.", in_file=False)
IN_FILE = JobError(code="no-schedule", title="No schedule", detail="There is none.", in_file=True)

ANY_SHARES = ShareOptions(quick_seconds=1, slow_seconds=10, half_life_seconds=600)

Ops = Callable[..., Result]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def services(addresses: Addresses, start_scheduler: StartScheduler, port: int) -> AsyncGenerator[Services]:
    """Services with which the test does the work of API and worker, beside a scheduler that answers operators."""
    start_scheduler(addresses, OURS | {"SCHEDULER_PORT": str(port), "SCHEDULER_OPERATOR_TOKEN": TOKEN})
    async with opened(addresses, settings=OURS) as ours:
        await asyncio.to_thread(await_ready, port)
        yield ours


@pytest.fixture
def ops(port: int) -> Ops:
    """Runs `upschedule ops` with these arguments."""

    def run(*words: str, token: str = TOKEN) -> Result:
        environment = {"UPSCHEDULE_OPS_ADDRESS": f"http://127.0.0.1:{port}", "UPSCHEDULE_OPS_TOKEN": token}
        return CliRunner().invoke(main, ["ops", *words], env=environment)

    return run


def json_of(ops: Ops, *words: str) -> Any:
    """The answer as JSON."""
    result = ops(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def failed(services: Services, account_id: UUID, error: JobError = OUTSIDE, **columns: str) -> UUID:
    run = await claimed(services, account_id)
    async with services.database.transaction() as connection:
        await RunRepository(connection).fail(
            run, error, traceback="Traceback (most recent call last):\n  the cause", reader_version="0"
        )
    await change(services, run.id, **columns)
    return run.id


async def actions(services: Services) -> list[tuple[str, str, str, UUID | None]]:
    async with services.database.transaction() as connection:
        rows = await (await connection.execute("SELECT * FROM operator_actions ORDER BY id")).fetchall()
    return [(row["action"], row["operator"], row["reason"], row["job_id"]) for row in rows]


async def test_status_says_how_the_service_is(services: Services, ops: Ops) -> None:
    """It shows the queue, the leader, the dependencies, and recent failures (R6.1, R6.2)."""
    account_id = await new_account(services)
    await queued(services, account_id, run_after="now() + interval '1 hour'")
    await claimed(services, account_id)
    await failed(services, account_id)

    status = await until_status(ops, lambda found: found["leader"]["held"])
    assert (status["queue"]["delayed"], status["queue"]["processing"], status["paused_at"]) == (1, 1, None)
    assert [each["name"] for each in status["dependencies"] if each["ok"]] == [
        "postgres",
        "redis-state",
        "redis-cache",
        "objects",
    ]
    assert [(each["code"], each["count"]) for each in status["failures"]] == [("reading-failed", 1)]
    output = ops("status").stdout
    assert "queue: open" in output
    assert "1 wait for a retry" in output
    assert "reading-failed" in output


async def until_status(ops: Ops, wanted: Callable[[Any], bool]) -> Any:
    async def found() -> Any:
        status = await asyncio.to_thread(json_of, ops, "status")
        return status if wanted(status) else None

    return await until(found)


async def test_why_tells_the_life_of_a_job_and_its_traceback(services: Services, ops: Ops) -> None:
    """Text of the owner, such as the file name, is not shown (R2.5, R6.3)."""
    job_id = await failed(services, await new_account(services), file_name="'Jane Doe.pdf'", request_id="'r-1'")

    life = json_of(ops, "why", str(job_id))
    assert (life["status"], life["attempt"], life["error"]["code"]) == ("failed", 1, "reading-failed")
    assert [letter["traceback"] for letter in life["letters"]] == ["Traceback (most recent call last):\n  the cause"]
    assert life["created_at"] <= life["started_at"] <= life["finished_at"]
    output = ops("why", str(job_id)).stdout
    assert "error reading-failed (cause outside the file): The reader fell over." in output
    assert "  the cause" in output
    assert "request r-1" in output
    assert "Jane" not in output + json.dumps(life)


async def test_the_queue_is_shown_in_its_order_and_within_its_bound(
    addresses: Addresses, start_scheduler: StartScheduler, port: int, ops: Ops
) -> None:
    """The rows that are left out are counted."""
    start_scheduler(
        addresses,
        OURS | {"SCHEDULER_PORT": str(port), "SCHEDULER_OPERATOR_TOKEN": TOKEN, "SCHEDULER_OPERATOR_ROWS_MAX": "3"},
    )
    async with opened(addresses) as services:
        account_id = await new_account(services)
        read_now = await claimed(services, account_id)
        waiting = [await queued(services, account_id, run_after=f"now() - interval '{4 - n} s'") for n in range(4)]
        await asyncio.to_thread(await_ready, port)
        listing = json_of(ops, "queue")
    assert [(job["id"], job["position"]) for job in listing["jobs"]] == [
        (str(read_now.id), None),
        (str(waiting[0].id), 1),
        (str(waiting[1].id), 2),
    ]
    assert listing["left_out"] == 2
    assert "and 2 more" in ops("queue").stdout


async def test_who_names_those_that_fill_the_queue(services: Services, ops: Ops) -> None:
    """Jobs are grouped by account and by the hash of the address, with the largest groups first."""
    few, many = await new_account(services), await new_account(services)
    await queued(services, few, address_hash=r"'\x0011223344556677'::bytea")
    for _ in range(3):
        await queued(services, many, address_hash=r"'\xaabbccddeeff0011'::bytea")
    users = json_of(ops, "who")
    assert [(each["id"], each["queued"]) for each in users["accounts"]] == [(str(many), 3), (str(few), 1)]
    assert [(each["id"], each["queued"]) for each in users["addresses"]] == [("aabbccddeeff", 3), ("001122334455", 1)]
    assert "aabbccddeeff" in ops("who").stdout


async def test_slow_shows_the_statement_that_holds_a_lock_and_the_one_that_waits(
    services: Services, ops: Ops, postgres_dsn: str
) -> None:
    """The process to end is shown, and the values in statements are not."""
    job = await queued(services, await new_account(services))
    with psycopg.connect(postgres_dsn) as holder:
        holder.execute("UPDATE jobs SET file_name = 'Jane Doe' WHERE id = %s", [job.id])
        holding = holder.info.backend_pid
        async with services.database.transaction() as connection:
            waiting = asyncio.create_task(connection.execute("SELECT * FROM jobs WHERE id = %s FOR UPDATE", [job.id]))

            async def blocked() -> Any:
                found = await asyncio.to_thread(json_of, ops, "slow")
                return next((each for each in found["statements"]["running"] if each["blocked_by"]), None)

            found = await until(blocked)
            holder.rollback()
            await waiting
    assert found["blocked_by"] == [holding]
    assert "FOR UPDATE" in found["text"]
    assert found["waits_for"].startswith("Lock: ")
    assert "Jane" not in ops("slow").stdout


async def test_retry_queues_a_dead_letter_again(services: Services, ops: Ops) -> None:
    """Operator and reason are recorded.

    A retry that cannot help is refused, and so is that of a job that has not failed.
    """
    account_id = await new_account(services)
    job_id, refused = await failed(services, account_id, attempt="4"), await failed(services, account_id, IN_FILE)
    without_file = await failed(services, account_id, object_key="NULL, stored_at = NULL")
    letters = json_of(ops, "dead-letters")["letters"]
    assert {letter["job_id"]: letter["can_retry"] for letter in letters} == {
        str(job_id): True,
        str(refused): True,
        str(without_file): False,
    }

    result = ops("retry", str(job_id), "--operator", "thandi", "--reason", "the store is back")
    assert (result.exit_code, result.stdout) == (0, f"Job {job_id} is queued, with all its attempts.\n")
    job = await read(services, job_id)
    assert (job.status, job.attempt, job.error) == (Status.QUEUED, 0, None)
    assert await actions(services) == [("retry", "thandi", "the store is back", job_id)]
    for wrong, sentence in ((job_id, "has not"), (without_file, "no longer stored"), (uuid4(), "no job of this id")):
        result = ops("retry", str(wrong))
        assert result.exit_code == 65
        assert sentence in result.stderr
    assert len(await actions(services)) == 1
    assert "thandi" in ops("why", str(job_id)).stdout


async def test_a_retry_that_gives_the_same_answer_is_refused(services: Services, ops: Ops) -> None:
    """The same reader refuses the same bytes again."""
    settled = await failed(services, await new_account(services), IN_FILE)
    await change(services, settled, reader_version=f"'{READER_VERSION}'")
    assert [letter["can_retry"] for letter in json_of(ops, "dead-letters")["letters"]] == [False]
    result = ops("retry", str(settled))
    assert (result.exit_code, await count(services, "operator_actions")) == (65, 0)
    assert "Fix the reader first" in result.stderr


async def test_cancel_ends_a_job_that_waits_and_one_that_is_read(
    services: Services, ops: Ops, addresses: Addresses, start_worker: StartWorker
) -> None:
    """The worker stops reading at its next heartbeat and stores nothing (R2.3)."""
    account_id = await new_account(services)
    waits = await queued(services, account_id, run_after="now() + interval '1 hour'")
    start_worker(addresses, OURS)
    accepted = await services.intake.accept(
        account_id,
        file_name="a.pdf",
        data=a_document("slow 60 2 x"),
        request_id=None,
        settings=services.settings,
    )

    async def is_read() -> bool:
        return (await read(services, accepted.job.id)).status is Status.PROCESSING

    await until(is_read)
    assert ops("cancel", str(waits.id), str(accepted.job.id)).exit_code == 0
    for job_id in (waits.id, accepted.job.id):
        final = await until_final(services, account_id, job_id)
        assert final.error is not None
        assert (final.status, final.error.code, final.error.in_file) == (Status.FAILED, "reading-cancelled", False)
    result = ops("cancel", str(waits.id))
    assert (result.exit_code, "has ended already" in result.stderr) == (65, True)
    assert [action[0] for action in await actions(services)] == ["cancel", "cancel"]


async def test_a_job_that_is_cancelled_before_its_first_run_leaves_the_queue_measured(
    services: Services, ops: Ops
) -> None:
    """The job has no run to measure.

    In an earlier version, capacity, uploads and these commands then failed for minutes.
    """
    waits = await queued(services, await new_account(services))
    assert ops("cancel", str(waits.id)).exit_code == 0

    assert json_of(ops, "status")["queue"]["finished_per_minute"] > 0


async def test_a_document_with_an_earlier_result_is_not_cancelled(services: Services, ops: Ops) -> None:
    """Its owner uses the earlier result (decision 28)."""
    job = await queued(services, await new_account(services))
    async with services.database.transaction() as connection:
        await connection.execute("INSERT INTO events (job_id, ordinal, body) VALUES (%s, 1, '{}')", [job.id])
    result = ops("cancel", str(job.id))
    assert (result.exit_code, "earlier result" in result.stderr) == (65, True)
    assert (await read(services, job.id)).status is Status.QUEUED


async def test_while_the_queue_is_paused_workers_take_no_job_and_uploads_wait(
    services: Services, ops: Ops, addresses: Addresses, start_worker: StartWorker, port: int
) -> None:
    """Uploads wait up to the limit of the queue, which then refuses them as always.

    After `resume`, waiting jobs are read at once.
    """
    account_id = await new_account(services)
    assert ops("pause", "--operator", "thandi", "--reason", "the store is moved").exit_code == 0
    assert "Uploads wait" in ops("pause").stdout
    worker = free_port()
    start_worker(addresses, OURS | {"WORKER_PORT": str(worker)})
    await asyncio.to_thread(await_ready, worker)
    accepted = await services.intake.accept(
        account_id, file_name="a.pdf", data=a_document(), request_id=None, settings=services.settings
    )

    async def message_received() -> bool:
        return await services.redis_state.xlen(QUEUE.stream) == 0

    await until(message_received)
    async with services.database.transaction() as connection:
        assert await ShareRepository(connection, ANY_SHARES).fairest(with_slow=True) is None
    assert (await read(services, accepted.job.id)).status is Status.QUEUED
    assert metric(port, "upschedule_queue_paused", queue="jobs") == 1
    assert "queue: paused since" in ops("status").stdout
    assert ops("resume").stdout == "The queue is open: workers take jobs again.\n"
    assert (await until_final(services, account_id, accepted.job.id, timeout_seconds=20)).status is Status.COMPLETED
    assert metric(port, "upschedule_queue_paused", queue="jobs") == 0
    assert next(action[:2] for action in await actions(services)) == ("pause", "thandi")


async def test_exempt_lifts_the_limits_of_an_account_until_its_exemption_ends(services: Services, ops: Ops) -> None:
    """Both changes are recorded with the account.

    A repeated command records nothing, and an unknown account is refused (R8.1).
    """
    account_id = await new_account(services)
    assert "is exempt from limits" in ops("exempt", str(account_id), "--operator", "thandi", "--reason", "probe").stdout
    assert ops("exempt", str(account_id), "--operator", "thandi").exit_code == 0
    status = json_of(ops, "status")
    assert status["exempt"] == [str(account_id)]
    assert {(each["action"], each["account_id"]) for each in status["actions"]} == {("exempt", str(account_id))}
    assert f"accounts exempt from limits: {account_id}" in ops("status").stdout

    assert "the limits of all others again" in ops("end-exemption", str(account_id), "--operator", "sipho").stdout
    assert json_of(ops, "status")["exempt"] == []
    again, unknown = ops("end-exemption", str(account_id)), ops("exempt", str(uuid4()))
    assert (again.exit_code, "no exemption to end" in again.stderr) == (65, True)
    assert (unknown.exit_code, "There is no account of this id" in unknown.stderr) == (65, True)
    assert [action[:3] for action in await actions(services)] == [
        ("exempt", "thandi", "probe"),
        ("exempt", "thandi", ""),
        ("end-exemption", "sipho", ""),
    ]


async def test_jobs_of_an_exempt_account_count_in_no_figure_of_the_queue(
    services: Services, ops: Ops, port: int
) -> None:
    """They count neither in the capacity, nor in the demand for the autoscaler, nor in the rate (R2.2, R9.4)."""
    exempt, visitor = await new_account(services), await new_account(services)
    assert ops("exempt", str(exempt)).exit_code == 0
    assumed = json_of(ops, "status")["queue"]["finished_per_minute"]
    # The jobs are: long due, waiting for a retry, being read, and finished within a thousandth of the assumed time.
    await queued(services, exempt, run_after="now() - interval '90 s'")
    await queued(services, exempt, run_after="now() + interval '1 hour'")
    await claimed(services, exempt)
    await failed(services, exempt, started_at="finished_at - interval '1 ms'")
    await queued(services, visitor, run_after="now() - interval '1 s'")

    found = json_of(ops, "status")["queue"]
    assert (found["due"], found["delayed"], found["processing"]) == (1, 0, 0)
    assert found["oldest_seconds"] < 60
    assert found["finished_per_minute"] == assumed
    assert metric(port, "upschedule_queue_depth", state="due") == 1
    capacity = await services.intake.capacity(settings=services.settings)
    assert (capacity.queued, capacity.rate_per_minute) == (1, assumed)


async def test_a_stranger_learns_and_changes_nothing(services: Services, ops: Ops) -> None:
    """This holds with a wrong token, without one, and on a path that does not exist (R8.1)."""
    for words in (["status"], ["queue"], ["why", str(uuid4())], ["pause"], ["exempt", str(uuid4())]):
        result = ops(*words, token="another, and longer than thirty-two characters")
        assert result.exit_code == 77
        assert "This token is not the one of the operators" in result.stderr
    assert await count(services, "operator_actions") == 0


Sent = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture
def send(port: int) -> Sent:
    """Sends one request with the operators' token, and returns status, headers and body."""

    def sent(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"} | headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    return sent


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/ops/", None, 404, "unknown-page"),
        ("GET", "/ops/jobs/nonsense", None, 404, "unknown-job"),
        ("GET", "/ops/queue/pause", None, 405, "wrong-method"),
        ("POST", "/ops/accounts/nonsense/exempt", b'{"operator":"a"}', 404, "unknown-account"),
        ("POST", "/ops/status", b"{}", 405, "wrong-method"),
        ("POST", "/ops/queue/pause", None, 400, "invalid-body"),
        ("POST", "/ops/queue/pause", b"{", 400, "invalid-body"),
        ("POST", "/ops/queue/pause", b'{"operator":""}', 400, "invalid-body"),
        ("POST", "/ops/queue/pause", b'{"operator":"a\\nb"}', 400, "invalid-body"),
        ("POST", "/ops/queue/pause", b'{"operator":"a","more":1}', 400, "invalid-body"),
        ("POST", "/ops/queue/pause", b'{"operator":"' + 4096 * b"a" + b'"}', 400, "invalid-body"),
    ],
)
async def test_a_wrong_request_is_answered_with_a_problem(  # noqa: PLR0917 - the columns of the table
    services: Services, send: Sent, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    """The answer is a problem document (RFC 9457) with the id that is also in the log."""
    answer_status, headers, content = await asyncio.to_thread(send, method, path, body)
    problem = json.loads(content)
    assert (answer_status, headers["content-type"]) == (status, "application/problem+json")
    assert (problem["type"], problem["status"]) == (f"/problems/{code}", status)
    assert UUID(problem["instance"])
    assert await count(services, "operator_actions") == 0


async def test_without_a_token_of_its_own_a_scheduler_answers_no_operator(
    addresses: Addresses, start_scheduler: StartScheduler, port: int, ops: Ops
) -> None:
    """An empty token would give access to everyone."""
    start_scheduler(addresses, {"SCHEDULER_PORT": str(port)})
    await asyncio.to_thread(await_ready, port)
    for token in (TOKEN, " "):
        result = ops("status", token=token)
        assert result.exit_code == 69
        assert "has no token for operators" in result.stderr


def test_without_a_scheduler_a_sentence_says_so(ops: Ops) -> None:
    """The exit code differs from that of a refusal."""
    result = ops("status")
    assert result.exit_code == 69
    assert "The scheduler at http://127.0.0.1:" in result.stderr


async def test_a_silent_database_is_reported_in_time(
    addresses: Addresses, start_scheduler: StartScheduler, port: int, ops: Ops, postgres_dsn: str
) -> None:
    """A locked table delays the answer. The command is refused, and nothing has changed."""
    start_scheduler(
        addresses,
        {"SCHEDULER_PORT": str(port), "SCHEDULER_OPERATOR_TOKEN": TOKEN, "SCHEDULER_OPERATOR_ANSWER_SECONDS": "0.5"},
    )
    await asyncio.to_thread(await_ready, port)
    with psycopg.connect(postgres_dsn) as holder:
        holder.execute("UPDATE queue_pauses SET paused_at = paused_at")
        result = await asyncio.to_thread(ops, "pause")
        assert result.exit_code == 69
        assert "took too long" in result.stderr
        holder.rollback()
    async with opened(addresses) as services:
        assert await count(services, "operator_actions") == 0


async def test_old_records_are_removed(services: Services, ops: Ops) -> None:
    """The limit is `operator_actions_days`."""
    assert ops("resume").exit_code == 0
    assert ops("resume").exit_code == 0
    async with services.database.transaction() as connection:
        await connection.execute(
            "UPDATE operator_actions SET done_at = now() - interval '91 days' WHERE id = (SELECT min(id) FROM"
            " operator_actions)"
        )
    await services.retention().remove_old()
    assert await count(services, "operator_actions") == 1


async def test_rows_that_students_reported_are_listed_and_their_file_is_fetched(
    services: Services, ops: Ops, tmp_path: Path
) -> None:
    """Only where the student agreed, and without a line that names a person."""
    account_id = await new_account(services)
    event = an_extraction("COS132").events[0]
    data = a_document()
    for with_file in (False, True):
        accepted = await accept(services, account_id, data if with_file else a_document())
        await services.reports.add(account_id, accepted.job.id, event, remark="The room is Oak.", with_file=with_file)

    [agreed, refused] = (await asyncio.to_thread(json_of, ops, "wrong-rows"))["rows"]
    assert (agreed["event"]["module"], agreed["remark"], refused["file_until"]) == ("COS132", "The room is Oak.", None)
    text = (await asyncio.to_thread(ops, "wrong-rows")).output
    assert "module COS132" in text
    assert "  > The room is Oak." in text
    assert str(account_id) not in text
    target = tmp_path / "reported.pdf"
    fetched = await asyncio.to_thread(ops, "wrong-row-file", agreed["id"], str(target))
    assert (fetched.exit_code, target.read_bytes()) == (0, data)
    missing = await asyncio.to_thread(ops, "wrong-row-file", refused["id"], str(target))
    assert (missing.exit_code, "did not agree" in missing.output) == (65, True)
    unknown = await asyncio.to_thread(ops, "wrong-row-file", str(uuid4()), str(target))
    assert (unknown.exit_code, "no report of this id" in unknown.output) == (65, True)
