"""Cancels a migration that blocks the running release for too long, while it runs (R12.2).

`lock_timeout` bounds how long a statement waits for a lock, and `statement_timeout` how long one statement runs.
Neither bounds how long a transaction of many short statements holds a lock that others wait for.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.rows import scalar_row

_LOOK_SECONDS = 0.2
_CONNECT_SECONDS = 10
_LOOK_STATEMENT_MILLISECONDS = 2000

# What the backend keeps others from. First a relation that others can see, so not one that the migration has just made,
# in a mode that conflicts with reading or changing rows; then any lock that another backend waits for to read or change
# rows: a vacuum may wait. A backend that waits for a lock itself is left to `lock_timeout`.
_BLOCKED = """
    (
        SELECT relation.oid::regclass::text
        FROM pg_locks held JOIN pg_class relation ON relation.oid = held.relation
        WHERE held.pid = %(pid)s AND held.granted AND held.locktype = 'relation'
          AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND held.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
          AND relation.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)
        ORDER BY relation.relkind <> 'r', relation.relname
        LIMIT 1
    )
    UNION ALL
    (
        SELECT coalesce(
            (
                SELECT rows.relation::regclass::text FROM pg_locks rows
                WHERE rows.pid = waiting.pid AND rows.locktype = 'tuple' LIMIT 1
            ),
            waiting.relation::regclass::text,
            'rows'
        )
        FROM pg_locks waiting
        WHERE NOT waiting.granted AND %(pid)s = ANY (pg_blocking_pids(waiting.pid))
          AND (
            waiting.locktype IN ('transactionid', 'tuple')
            OR waiting.mode IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
          )
          AND NOT EXISTS (SELECT FROM pg_locks own WHERE own.pid = %(pid)s AND NOT own.granted)
        LIMIT 1
    )
    LIMIT 1
"""


class BlockingWatch:
    """Looks at one backend until it is stopped. `exceeded`: it blocked `table` for `seconds`, and was cancelled."""

    def __init__(
        self, own: psycopg.Connection, watched: psycopg.Connection, seconds_max: float, clock: Callable[[], float]
    ) -> None:
        self.table = ""
        self.seconds = 0.0
        self.exceeded = False
        self.failure: psycopg.Error | None = None
        self._own = own
        self._watched = watched
        self._pid = watched.info.backend_pid
        self._seconds_max = seconds_max
        self._clock = clock
        self._stopped = threading.Event()

    def look_until_stopped(self) -> None:
        """Runs in a thread of its own. If its connection fails, the migration is cancelled as well."""
        seen_at: float | None = None
        try:
            while not self._stopped.wait(_LOOK_SECONDS):
                table = self._blocked()
                now = self._clock()
                if table is not None:
                    self.table = table
                    self.seconds += now - seen_at if seen_at is not None else 0.0
                seen_at = now if table is not None else None
                if self.seconds > self._seconds_max:
                    self.exceeded = True
                    # Again at each look: a cancellation between two statements has no effect.
                    self._own.execute("SELECT pg_cancel_backend(%s)", [self._pid])
        except psycopg.Error as error:
            self.failure = error
            self._cancel_until_stopped()

    def stop(self) -> None:
        self._stopped.set()

    def _cancel_until_stopped(self) -> None:
        """Cancels repeatedly, because a cancellation between two statements has no effect."""
        while True:
            with suppress(psycopg.Error):
                self._watched.cancel_safe(timeout=_CONNECT_SECONDS)
            if self._stopped.wait(_LOOK_SECONDS):
                return

    def _blocked(self) -> str | None:
        return self._own.cursor(row_factory=scalar_row).execute(_BLOCKED, {"pid": self._pid}).fetchone()


@contextmanager
def watching(
    dsn: str, watched: psycopg.Connection, *, seconds_max: float, clock: Callable[[], float]
) -> Generator[BlockingWatch]:
    """Watches the backend of a connection of the same role until the block ends. Raises psycopg.OperationalError."""
    with psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        options=f"-c statement_timeout={_LOOK_STATEMENT_MILLISECONDS}",
    ) as own:
        watch = BlockingWatch(own, watched, seconds_max, clock)
        thread = threading.Thread(target=watch.look_until_stopped, name="blocking-watch", daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.stop()
            thread.join()
