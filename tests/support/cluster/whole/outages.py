"""Measures for how long no visitor reached the service."""

import ssl
from contextlib import AbstractContextManager

from tests.support.cluster.whole.visits import Visits, reading
from tools.local_cluster.cluster import LocalCluster

PAUSE_SECONDS = 0.1
#: A request that waits longer is tried again: it says nothing about when the service is back.
PATIENCE_SECONDS = 2.0


def visiting(cluster: LocalCluster, path: str) -> AbstractContextManager[Visits]:
    """At the public address."""
    return reading(
        [f"{cluster.plan.public_url}{path}"],
        verify=ssl.create_default_context(cafile=cluster.certificates.authority),
        patience_seconds=PATIENCE_SECONDS,
        pause_seconds=PAUSE_SECONDS,
    )
