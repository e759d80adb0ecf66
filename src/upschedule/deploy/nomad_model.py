"""The parts of Nomad's answers that deploy commands read; other fields are ignored."""

from typing import Any

import msgspec
from msgspec import field


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    hook: str = ""


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    memory_mb: int = field(default=0, name="MemoryMB")


class ServiceBlock(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    name: str
    provider: str = "consul"


class Task(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    name: str
    lifecycle: Lifecycle | None = None
    resources: Resources = Resources()
    services: list[ServiceBlock] | None = None

    @property
    def is_prestart(self) -> bool:
        return self.lifecycle is not None and self.lifecycle.hook == "prestart"


class Group(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    name: str
    count: int
    tasks: list[Task]
    services: list[ServiceBlock] | None = None


#: The meta data that the jobs of one release have in common.
_RELEASE_META = ("release", "commit", "secrets", "settings")


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One version. `stable`: a deployment of it once succeeded."""

    id: str = field(name="ID")
    version: int
    stable: bool
    stop: bool
    meta: dict[str, str] | None = None
    task_groups: list[Group]

    @property
    def release(self) -> str:
        """The release for people, such as `3.1.0 (0a1b2c3)`."""
        meta = self.meta or {}
        commit = f" ({meta['commit'][:10]})" if meta.get("commit") else ""
        return f"{meta.get('release') or 'without a name'}{commit}"

    @property
    def release_key(self) -> tuple[str, ...]:
        """Equal for the jobs of one release; `release` is also equal for two releases that differ in a setting."""
        meta = self.meta or {}
        return tuple(meta.get(name, "") for name in _RELEASE_META)

    @property
    def count(self) -> int:
        return sum(group.count for group in self.task_groups)

    @property
    def tasks(self) -> dict[str, Task]:
        return {task.name: task for group in self.task_groups for task in group.tasks}

    @property
    def services(self) -> list[str]:
        """Names under which each of its instances is registered in Consul."""
        blocks = [block for group in self.task_groups for block in group.services or []]
        blocks += [block for task in self.tasks.values() for block in task.services or []]
        return sorted({block.name for block in blocks if block.provider == "consul"})


class GroupDeployment(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    promoted: bool
    placed_canaries: list[str] | None = None
    desired_canaries: int
    desired_total: int
    healthy_allocs: int


#: A deployment that has neither succeeded nor failed.
ACTIVE = frozenset({"initializing", "pending", "blocked", "unblocking", "running", "paused"})


class Deployment(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = field(name="ID")
    job_version: int
    status: str
    status_description: str
    task_groups: dict[str, GroupDeployment]
    create_index: int

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def reverts_automatically(self) -> bool:
        """Nomad has begun to return to the earlier version (`auto_revert`)."""
        return self.status == "failed" and " - rolling back to job version " in self.status_description

    @property
    def is_failed_by_hand(self) -> bool:
        """A person or the gate failed the deployment; no instance had failed."""
        return self.status_description.startswith("Deployment marked as failed")

    @property
    def needs_promotion(self) -> bool:
        return any(group.desired_canaries and not group.promoted for group in self.task_groups.values())

    @property
    def canaries(self) -> list[str]:
        return [id_ for group in self.task_groups.values() for id_ in group.placed_canaries or []]

    @property
    def canaries_desired(self) -> int:
        return sum(group.desired_canaries for group in self.task_groups.values())


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    type: str
    time: int
    display_message: str = ""
    exit_code: int = 0
    signal: int = 0


class TaskState(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    state: str
    failed: bool
    restarts: int
    events: list[TaskEvent] | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """`healthy` is None until Nomad has decided."""

    healthy: bool | None = None
    canary: bool = False


class Allocation(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = field(name="ID")
    task_group: str
    job_version: int
    client_status: str
    client_description: str = ""
    desired_status: str
    node_name: str = ""
    create_time: int = 0
    deployment_status: Health | None = None
    task_states: dict[str, TaskState] | None = None

    @property
    def is_wanted(self) -> bool:
        """It should run and has not ended."""
        return self.desired_status == "run" and self.client_status in {"pending", "running", "unknown"}

    @property
    def is_leaving(self) -> bool:
        """It should stop and has not ended. While its tasks stop, Nomad may call it `pending`."""
        return self.desired_status != "run" and self.client_status in {"pending", "running"}

    @property
    def is_healthy(self) -> bool:
        """Whether its deployment last saw it as healthy."""
        return self.deployment_status is not None and self.deployment_status.healthy is True

    @property
    def is_unhealthy(self) -> bool:
        return self.client_status == "failed" or (
            self.deployment_status is not None and self.deployment_status.healthy is False
        )


class Placement(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Why an instance found no node."""

    nodes_evaluated: int = 0
    dimension_exhausted: dict[str, int] | None = None
    constraint_filtered: dict[str, int] | None = None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    status: str
    create_index: int
    failed: dict[str, Placement] | None = field(default=None, name="FailedTGAllocs")


class JobSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A job at one moment, newest first. `specifications` are the versions as Nomad gave them."""

    name: str
    specifications: tuple[dict[str, Any], ...]
    versions: tuple[Job, ...]
    deployments: tuple[Deployment, ...]
    allocations: tuple[Allocation, ...]
    evaluations: tuple[Evaluation, ...]
