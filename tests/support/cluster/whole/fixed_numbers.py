"""Two instances of the API and of the worker while the autoscaler is off."""

from contextlib import ExitStack

from tests.support.cluster.whole.instances import await_well
from tests.support.cluster.whole.releases import tried
from tests.support.cluster.whole.scaling import SCALED, answering, await_passing, scale, wanted
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

_INSTANCES = 2


class FixedNumbers:
    """`fix` switches the autoscaler off, `release` switches it on again; both do nothing where that is done already."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._changes = ExitStack()
        self._fixed = False

    def fix(self) -> None:
        """Also repairs the numbers of instances that an earlier module left."""
        if not self._fixed:
            self._changes.enter_context(tried(self._cluster, {"scalingEnabled": "false"}))
            self._fixed = True
        for job in SCALED:
            if wanted(self._cluster, job) != _INSTANCES:
                scale(self._cluster, job, _INSTANCES)
            await_passing(self._cluster, job, _INSTANCES)
        await_well(self._cluster)
        wait_until(self._all_answer, timeout_seconds=60)

    def _all_answer(self) -> bool:
        """Whether Traefik, too, knows all API instances."""
        return len(answering(self._cluster, requests=8 * _INSTANCES, connections=2)) == _INSTANCES

    def release(self) -> None:
        self._fixed = False
        self._changes.close()
