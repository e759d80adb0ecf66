"""Alerts on the whole cluster: each has a real cause and arrives at a real SMTP server and webhook (R6.4, R6.5).

The file takes half an hour, so it belongs to `nox -s cluster_full` and to no job of the CI.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.alert_receivers import Hooks, receiving_hooks
from tests.support.cluster.whole import causes
from tests.support.cluster.whole.backups import backed_up
from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.instances import await_well, without
from tests.support.cluster.whole.releases import tried, unlimited_traffic
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.cluster.whole.scaling import measured
from tests.support.documents.generate import document
from tests.support.mailbox import Mailbox, receiving_mail
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800), pytest.mark.usefixtures("two_of_each")]
PAGES, TICKETS = "on-call@example.org", "operations@example.org"
SECRETS = ("alertWebhookUrl", "alertWatchdogUrl")
#: Longest time from the cause to the mail (docs/slo.md) for rules without a time window.
ARRIVES_SECONDS = 60.0
#: The same for rules with a window of some minutes, on two busy cores.
PATIENCE_SECONDS = 300.0
#: The short window of an error budget is five minutes.
RESOLVED_SECONDS = 600.0
#: `SettingsRefused` looks at the last ten minutes.
FORGOTTEN_SECONDS = 900.0
#: For one question of the night (issue 12).
QUESTION_SECONDS = 120.0
VISITORS = 12
#: The pause of a visitor between two requests. It gives enough requests for a 95th percentile within a minute.
PAUSE_SECONDS = 0.4
#: Slightly more than 80 % of `jobs/pending_max`.
DOCUMENTS = 415


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The mails and webhook calls that arrived at the receivers of the stack."""

    mailbox: Mailbox
    hooks: Hooks

    def mailed(self, status: str, alert: str, since: float) -> float | None:
        """When the first mail with this status of the alert arrived after `since`."""
        times = [
            at
            for at, _, mail in list(self.mailbox.arrived)
            if at > since and mail["Subject"].startswith(f"[{status} ") and mail["Subject"].endswith(f"] {alert}")
        ]
        return min(times, default=None)

    def addressed(self, alert: str) -> set[str]:
        """Recipients of all mails about the alert."""
        return {to for _, who, mail in self.mailbox.arrived if mail["Subject"].endswith(f"] {alert}") for to in who}

    def subjects(self, since: float) -> list[str]:
        return [str(mail["Subject"]) for at, _, mail in self.mailbox.arrived if at > since]


@pytest.fixture(scope="module")
def reached(cluster: LocalCluster, two_of_each: None) -> Iterator[Reached]:
    """Configures the receivers in the stack, as an operator does."""
    del two_of_each
    with ExitStack() as owned:
        mailbox = owned.enter_context(receiving_mail(None))
        hooks = owned.enter_context(receiving_hooks())
        settings = {
            "alertsUnsent": "false",
            "alertSmtpAddress": mailbox.address,
            "alertSmtpTls": "false",
            "alertMailFrom": "alerts@example.org",
            "alertMailTo": PAGES,
            "alertTicketMailTo": TICKETS,
            "alertRegroupSeconds": "1",
            "alertWatchdogSeconds": "2",
        }
        cluster.stack.configure({}, dict(zip(SECRETS, map(hooks.url, ("/alerts", "/watchdog")), strict=True)))
        owned.enter_context(tried(cluster, settings))
        # This must precede `tried`, which sets `alertsUnsent` again, because that contradicts a webhook.
        owned.callback(forget_secrets, cluster)
        await_well(cluster)
        yield Reached(mailbox=mailbox, hooks=hooks)


def forget_secrets(cluster: LocalCluster) -> None:
    for name in SECRETS:
        cluster.stack.run("config", "rm", name)


@contextmanager
def caused(
    reached: Reached, expected: Mapping[str, str], figure: Figure, *, within_seconds: float = PATIENCE_SECONDS
) -> Iterator[None]:
    """Waits on exit until every expected alert has arrived by mail and at the webhook. The block causes them.

    `expected` has the cause of each alert, for the figures.
    """
    since = time.monotonic()
    yield
    wait_until(
        lambda: all(reached.mailed("firing", alert, since) for alert in expected), timeout_seconds=within_seconds
    )
    wait_until(lambda: expected.keys() <= reached.hooks.names("/alerts"), timeout_seconds=within_seconds)
    for alert, cause in expected.items():
        arrived = reached.mailed("firing", alert, since)
        assert arrived
        figure(f"seconds from {cause} to the mail {alert}", arrived - since)


def await_resolved(reached: Reached, since: float, *alerts: str, within_seconds: float = RESOLVED_SECONDS) -> None:
    """Waits for the mails about the resolved alerts."""
    wait_until(
        lambda: all(reached.mailed("resolved", alert, since) for alert in alerts), timeout_seconds=within_seconds
    )


def test_a_store_that_is_away_calls_a_person_within_a_minute_and_a_wrong_setting_opens_a_ticket(
    cluster: LocalCluster, reached: Reached, figure: Figure
) -> None:
    """Both are caused at once.

    The watchdog reaches its receiver, and no ticket is sent to the address for pages (R6.4).
    """
    wait_until(lambda: reached.hooks.statuses("/watchdog", "Watchdog"), timeout_seconds=PATIENCE_SECONDS)
    since = time.monotonic()
    pages = {"RedisDown": "the end of Redis state", "StoreUnreachable": "the end of Redis state"}
    with ExitStack() as broken, caused(reached, {**pages, "SettingsRefused": "a wrong live setting"}, figure):
        broken.enter_context(without(cluster, "redis-state"))
        broken.enter_context(causes.wrong_setting(cluster))
    await_resolved(reached, since, *pages)

    assert all((reached.mailed("firing", alert, since) or 0) - since < ARRIVES_SECONDS for alert in pages)
    assert set[str]().union(*map(reached.addressed, pages)) == {PAGES}
    assert reached.addressed("SettingsRefused") == {TICKETS}
    await_resolved(reached, since, "SettingsRefused", within_seconds=FORGOTTEN_SECONDS)
    await_well(cluster)


def test_requests_that_fail_call_a_person(cluster: LocalCluster, reached: Reached, figure: Figure) -> None:
    """A table is missing, as after a wrong migration, and no scheduler can renew the lease of the leader (R6.4)."""
    since = time.monotonic()
    failing = dict.fromkeys(("RequestsFailing", "AvailabilityBudgetBurnsFast"), "a missing table")
    leaderless = {"SchedulerWithoutLeader": "a locked lease of the leader"}
    with visited(cluster, "/api/v1/calendars", "/"):
        with ExitStack() as broken, caused(reached, failing | leaderless, figure):
            broken.enter_context(causes.renamed_table(cluster, "calendars"))
            broken.enter_context(causes.locked_leases(cluster))
        await_resolved(reached, since, "RequestsFailing", *leaderless)
    await_well(cluster)


def test_a_queue_that_is_nearly_full_calls_a_person(cluster: LocalCluster, reached: Reached, figure: Figure) -> None:
    """Workers take no document, and uploads continue (R6.4, R6.5)."""
    since = time.monotonic()
    waiting = {
        "QueueNearlyFull": "the pause of the queue, and 415 documents",
        "QueueWaitsLong": "the pause of the queue",
    }
    with unlimited_traffic(cluster, readers=2, pause_seconds=0.5) as students:
        with ExitStack() as broken, caused(reached, waiting, figure):
            broken.enter_context(causes.paused_queue(cluster))
            uploaded = students.upload(
                [document(seed, rows_max=4) for seed in range(DOCUMENTS)],
                at_once=DOCUMENTS,
                within_seconds=RESOLVED_SECONDS,
                poll_seconds=20,
            )
        uploaded.result(RESOLVED_SECONDS)
    await_resolved(reached, since, *waiting)
    await_well(cluster)


def test_an_outage_calls_a_person(cluster: LocalCluster, reached: Reached, figure: Figure) -> None:
    """Traefik and the stores are stopped and all workers hang. None of these alerts inhibits another (R6.4)."""
    since = time.monotonic()
    expected = {
        "EdgeUnreachable": "the end of Traefik",
        "ServiceGone": "workers that hang",
        "PostgresDown": "the end of PostgreSQL",
        "PgBouncerDown": "the end of PgBouncer",
    }
    with ExitStack() as broken, caused(reached, expected, figure):
        broken.enter_context(causes.frozen(cluster, "worker"))
        for job in ("pgbouncer", "postgres", "traefik"):
            broken.enter_context(without(cluster, job))
    await_resolved(reached, since, *expected)
    await_well(cluster)

    assert {to for alert in expected for to in reached.addressed(alert)} == {PAGES}


def test_slow_answers_call_a_person_and_a_failed_backup_opens_a_ticket(
    cluster: LocalCluster, reached: Reached, figure: Figure
) -> None:
    """A table is locked in turns, the backup's store is away during a run, and an exporter hangs (R6.4, R9.5)."""
    since = time.monotonic()
    slow = {"AnswersSlow": "a table that is locked for seconds"}
    tickets = {
        "BackupFailed": "a backup whose store is away",
        "PostgresArchiveFailing": "a backup store that is away",
        "TargetDown": "an exporter that hangs",
    }
    with visited(cluster, "/api/v1/calendars"):
        with ExitStack() as broken, caused(reached, slow | tickets, figure, within_seconds=RESOLVED_SECONDS):
            broken.enter_context(causes.locked_in_turns(cluster, "calendars"))
            broken.enter_context(causes.frozen(cluster, "redis-exporter"))
            broken.enter_context(without(cluster, "backup-store"))
            cluster.nomad.api.call("PUT", "job", "backup", "periodic", "force", namespace=NAMESPACE)
        await_resolved(reached, since, "AnswersSlow", "TargetDown")
    repaired = backed_up(cluster, timeout_seconds=RESOLVED_SECONDS)
    assert repaired.exit_code == 0, repaired.log
    await_resolved(reached, since, "BackupFailed")
    await_well(cluster)

    assert reached.addressed("AnswersSlow") == {PAGES}
    assert {to for alert in tickets for to in reached.addressed(alert)} == {TICKETS}


def test_backups_that_do_not_count_open_tickets(cluster: LocalCluster, reached: Reached, figure: Figure) -> None:
    """The recorded runs are a backup that cannot be restored, an old and small one, and a drill that failed (R9.5)."""
    since = time.monotonic()
    tickets = {
        "BackupUnverified": "a run whose backup is not verified",
        "BackupLate": "a backup that is ten days old",
        "BackupTooSmall": "a backup of a quarter of the size",
        "RestoreDrillFailed": "a drill that failed",
        "RestoreDrillLate": "a drill that passed ten days ago",
    }
    with caused(reached, tickets, figure), causes.backups_that_do_not_count(cluster):
        wait_until(
            lambda: all(reached.mailed("firing", alert, since) for alert in tickets), timeout_seconds=PATIENCE_SECONDS
        )
    await_resolved(reached, since, *tickets)

    assert {to for alert in tickets for to in reached.addressed(alert)} == {TICKETS}


def test_an_operator_answers_each_question_of_the_night_within_two_minutes(
    cluster: LocalCluster, reached: Reached, figure: Figure
) -> None:
    """With nothing but the commands of the runbooks, as docs/reports/night-shift.md records it (issue 12)."""
    environment, since = shell(cluster), time.monotonic()

    def asked(question: str, answer: Callable[[], str]) -> str:
        began = time.monotonic()
        said = answer()
        took = time.monotonic() - began
        figure(f"seconds for: {question}", took)
        assert took < QUESTION_SECONDS
        return said

    with causes.paused_queue(cluster), locked_events(cluster) as (blocker, statement):
        job = waiting_document(cluster)
        wait_until(lambda: reached.mailed("firing", "QueueWaitsLong", since), timeout_seconds=PATIENCE_SECONDS)
        arrived = reached.mailed("firing", "QueueWaitsLong", since)
        assert arrived
        figure("seconds from an upload to the mail that it waits", arrived - since)
        (mail,) = [text for text in reached.mailbox.texts(PAGES) if "QueueWaitsLong.md" in text][:1]
        assert "Runbook: " in mail

        assert "queue: paused" in asked(
            "who fills the queue", lambda: follow("queue-filled", "Is the queue held up?", environment=environment)
        )
        assert job in asked(
            "who fills the queue, by account", lambda: follow("queue-filled", "Who fills it?", environment=environment)
        )
        slow = asked(
            "the slow instance and statement",
            lambda: follow("database-slow", "Which instance, route and statement", environment=environment),
        )
        assert blocker in slow
        assert statement in slow
        listed = asked(
            "which alerts fire", lambda: follow("silence-alert", "Which alerts fire", environment=environment)
        )
        assert "QueueWaitsLong" in listed
        silenced = asked(
            "silence an alert",
            lambda: follow("silence-alert", "Silence one", environment=environment | {"ALERT": "QueueWaitsLong"}),
        )
        assert "QueueWaitsLong" not in silenced
        asked("cancel a job", lambda: follow("queue-filled", "Cancel a job", environment=environment | {"JOB": job}))
        assert job in asked("which job failed", lambda: follow("job-failed", "Which", environment=environment))
        assert "reading-cancelled" in asked(
            "why it failed", lambda: follow("job-failed", "Why", environment=environment | {"JOB": job})
        )
    asked(
        "end the silence",
        lambda: follow("silence-alert", "End the silence", environment=environment | {"ALERT": "QueueWaitsLong"}),
    )
    asked("retry a dead letter", lambda: follow("job-failed", "Read it again", environment=environment | {"JOB": job}))
    wait_until(lambda: "completed" in asked_again(environment, job), timeout_seconds=PATIENCE_SECONDS)
    await_well(cluster)


def asked_again(environment: Mapping[str, str], job: str) -> str:
    """The first line of `why`."""
    return follow("job-failed", "Why", environment={**environment, "JOB": job}).splitlines()[0]


def waiting_document(cluster: LocalCluster) -> str:
    """The job of an upload."""
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=30) as student:
        files = {"file": ("schedule.pdf", document(17, rows_max=4).data, "application/pdf")}
        return str(student.post("/api/v1/uploads", files=files).raise_for_status().json()["id"])


@contextmanager
def locked_events(cluster: LocalCluster) -> Iterator[tuple[str, str]]:
    """A statement waits for the lock of a table. Yields the process that holds the lock, and the table's name."""
    word = "of_a_test_waiting"
    with psycopg.connect(owner_url(cluster), autocommit=True) as owner:
        owner.execute(f"CREATE TABLE {word} (word text)".encode())
        try:
            with psycopg.connect(owner_url(cluster)) as holder, psycopg.connect(owner_url(cluster)) as waiting:
                holder.execute(f"LOCK TABLE {word}".encode())
                waiting.pgconn.send_query(f"SELECT count(*) FROM {word}".encode())
                yield str(holder.info.backend_pid), word
                holder.rollback()
                waiting.close()
        finally:
            owner.execute(f"DROP TABLE {word}".encode())


def test_the_measurements_of_forty_days_fit_their_disk(cluster: LocalCluster, figure: Figure) -> None:
    """The size is computed from the samples per second at rest, with two bytes per sample on disk (decision 30)."""
    samples = measured(cluster, "sum(rate(prometheus_tsdb_head_samples_appended_total[1m]))")[""]
    bytes_of_a_sample = 2.0
    gigabytes = samples * bytes_of_a_sample * 40 * 86_400 / 1e9
    figure("samples a second", samples)
    figure("GB in 40 days at 2 bytes a sample", gigabytes)

    assert gigabytes < 16


@contextmanager
def visited(cluster: LocalCluster, *paths: str) -> Iterator[list[int]]:
    """A visitor requests the paths from many devices until the block ends.

    Yields the number of answers of any status.
    """
    stop, answers = threading.Event(), [0]
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)

    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=30) as first:
        files = {"file": ("schedule.pdf", document(3, rows_max=4).data, "application/pdf")}
        first.post("/api/v1/uploads", files=files).raise_for_status()
        cookies = {cookie.name: cookie.value or "" for cookie in first.cookies.jar}

    def visit() -> None:
        with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=30, cookies=cookies) as client:
            while not stop.wait(PAUSE_SECONDS):
                for path in paths:
                    client.get(path)
                    answers[0] += 1

    with ThreadPoolExecutor(max_workers=VISITORS) as visitors:
        for _ in range(VISITORS):
            visitors.submit(visit)
        try:
            yield answers
        finally:
            stop.set()
