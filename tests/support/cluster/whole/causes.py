"""Causes of alerts: each context manager breaks one thing on the whole cluster, and repairs it on exit (R6.4, R6.5)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from tests.support.cluster.whole.cluster import consul_with, delete_settings, owner_url
from tests.support.cluster.whole.instances import instances
from tools.local_cluster.cluster import LocalCluster

#: Below the time after which PostgreSQL ends a statement of the application.
LOCKED_SECONDS, FREE_SECONDS = 3.0, 0.5


@contextmanager
def wrong_setting(cluster: LocalCluster) -> Iterator[None]:
    assert consul_with(cluster, "operator").kv.put("upschedule/settings/jobs/pending_max", "many")
    try:
        yield
    finally:
        delete_settings(cluster)


@contextmanager
def frozen(cluster: LocalCluster, job: str) -> Iterator[None]:
    """Freezes also each process that Nomad starts as a replacement, so that the target exists but does not answer."""
    try:
        with _again_and_again(lambda: [instance.freeze() for instance in instances(cluster, job)], pause_seconds=0.5):
            yield
    finally:
        for instance in instances(cluster, job):
            instance.thaw()


@contextmanager
def _again_and_again(action: Callable[[], object], *, pause_seconds: float) -> Iterator[None]:
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(pause_seconds):
            with suppress(OSError):  # An instance ended meanwhile.
                action()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def renamed_table(cluster: LocalCluster, table: str) -> Iterator[None]:
    """The statements of the application fail, as after a wrong migration."""
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO of_a_test_{table}".encode())
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE of_a_test_{table} RENAME TO {table}".encode())


@contextmanager
def locked_leases(cluster: LocalCluster) -> Iterator[None]:
    """No scheduler can take or renew the lease of the leader."""
    with psycopg.connect(owner_url(cluster)) as connection:
        connection.execute("LOCK TABLE leaderships IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def locked_in_turns(cluster: LocalCluster, table: str) -> Iterator[None]:
    """Requests that read the table wait for seconds, but are answered: the lock ends before their statements do."""
    ended = threading.Event()

    def lock() -> None:
        with psycopg.connect(owner_url(cluster)) as connection:
            while not ended.is_set():
                connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
                ended.wait(LOCKED_SECONDS)
                connection.rollback()
                ended.wait(FREE_SECONDS)

    thread = threading.Thread(target=lock)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def paused_queue(cluster: LocalCluster) -> Iterator[None]:
    """A queue that an operator has paused with `upschedule ops pause`: workers take no new job."""
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        connection.execute("UPDATE queue_pauses SET paused_at = now()")
        try:
            yield
        finally:
            connection.execute("UPDATE queue_pauses SET paused_at = NULL")


@contextmanager
def backups_that_do_not_count(cluster: LocalCluster) -> Iterator[None]:
    """What the runs record when the last backup cannot be restored and the last drill failed.

    The newest verified backup is ten days older and has a quarter of its size, and no drill has passed since.
    """
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        with connection.transaction():
            connection.execute(
                "UPDATE backup_runs SET made_at = made_at - interval '10 days', size_bytes = size_bytes / 4"
            )
            connection.execute("UPDATE restore_drills SET began_at = began_at - interval '10 days'")
            run = connection.execute(
                "INSERT INTO backup_runs (began_at, ended_at, outcome, reason)"
                " VALUES (now(), now(), 'not verified', 'of a test') RETURNING id"
            ).fetchone()
            drill = connection.execute(
                "INSERT INTO restore_drills (began_at, ended_at, outcome, reason)"
                " VALUES (now(), now(), 'failed', 'of a test') RETURNING id"
            ).fetchone()
        try:
            yield
        finally:
            with connection.transaction():
                connection.execute("DELETE FROM restore_drills WHERE id = %s", drill)
                connection.execute("DELETE FROM backup_runs WHERE id = %s", run)
                connection.execute("UPDATE restore_drills SET began_at = began_at + interval '10 days'")
                connection.execute(
                    "UPDATE backup_runs SET made_at = made_at + interval '10 days', size_bytes = size_bytes * 4"
                )
