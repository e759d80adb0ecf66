"""The runbooks of `upschedule ops`, followed on the whole cluster in the situation that they are for (R6.3)."""

import threading

import psycopg
import pytest

from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(600)
LOCKED = "of_a_test_locked"


def test_who_holds_a_lock_is_found_and_ended(cluster: LocalCluster) -> None:
    """With the instance, the route and the statement that are slow (issue 12)."""
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
    """As the application would."""
    with psycopg.connect(url, prepare_threshold=None) as connection:
        connection.execute(f"SELECT count(*) FROM {LOCKED}".encode())
