"""The cluster's cache is filled to its limit while students use the service (R4.3)."""

import os

import pytest
import redis

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.releases import unlimited_traffic
from tests.support.documents.generate import document
from tools.local_cluster.cluster import LocalCluster
from upschedule.operations.embedded.ports import LOOPBACK

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

LIMIT_BYTES = 2 * 1024**3
VALUE_BYTES = 1024**2
#: A fifth more than fits.
VALUES = LIMIT_BYTES // VALUE_BYTES * 6 // 5
AT_ONCE = 32
#: As many documents as are read while the cache is full.
DOCUMENTS = 40


def test_a_full_cache_evicts_what_was_not_used_lately_and_serves_students(
    cluster: LocalCluster, figure: Figure
) -> None:
    """Two gigabytes are really written. Values that are read again and again stay, and no status is wrong."""
    password = cluster.credentials.password("redisCachePassword")
    port = cluster.plan.ports["redisCachePort"]
    with (
        redis.Redis(host=LOOPBACK, port=port, password=password, socket_timeout=60) as client,
        unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as students,
    ):
        began = client.info("server")["run_id"]
        kept = [f"of-a-test:kept:{number}" for number in range(10)]
        try:
            for key in kept:
                client.set(key, os.urandom(VALUE_BYTES))
            for first in range(0, VALUES, AT_ONCE):
                with client.pipeline(transaction=False) as commands:
                    for number in range(first, min(first + AT_ONCE, VALUES)):
                        commands.set(f"of-a-test:{number}", os.urandom(VALUE_BYTES))
                    commands.mget(kept)
                    commands.execute()
            used = client.info("memory")["used_memory"]
            evicted = client.info("stats")["evicted_keys"]
            figure("bytes that the full cache uses", used)
            figure("keys evicted", evicted)
            assert 0.95 * LIMIT_BYTES < used <= LIMIT_BYTES
            assert evicted >= VALUES - LIMIT_BYTES // VALUE_BYTES
            assert client.exists(*kept) == len(kept)
            students.upload(
                [document(number) for number in range(DOCUMENTS)], at_once=DOCUMENTS, within_seconds=300, poll_seconds=1
            ).result()
        finally:
            for batch in _batches(client):
                client.delete(*batch)
        assert client.info("server")["run_id"] == began
    assert students.seen.failures == []
    assert students.seen.documents == DOCUMENTS


def _batches(client: redis.Redis) -> list[list[bytes]]:
    keys = list(client.scan_iter("of-a-test:*", count=1000))
    return [keys[first : first + 500] for first in range(0, len(keys), 500)]
