"""Nomad, with the deploy token: reads jobs, promotes and fails deployments, registers an earlier version again."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from upschedule.deploy.errors import DeployError, ServerRefused
from upschedule.deploy.http import Endpoint, JsonClient
from upschedule.deploy.nomad_model import Allocation, Deployment, Evaluation, Job, Snapshot

_LOG_BYTES = 4_000


class _Versions(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    versions: list[dict[str, Any]]


class Nomad:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, endpoint: Endpoint, *, namespace: str) -> None:
        self._client = JsonClient(endpoint)
        self._namespace = namespace

    def snapshot(self, name: str) -> Snapshot:
        """Without versions where there is no such job."""
        path = f"v1/job/{quote(name, safe='')}"
        try:
            specifications = self._get(f"{path}/versions", _Versions).versions
        except ServerRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            specifications = list[dict[str, Any]]()
        if not specifications:
            return Snapshot(name=name, specifications=(), versions=(), deployments=(), allocations=(), evaluations=())
        deployments = self._get(f"{path}/deployments", list[Deployment])
        evaluations = self._get(f"{path}/evaluations", list[Evaluation])
        return Snapshot(
            name=name,
            specifications=tuple(specifications),
            versions=tuple(msgspec.convert(specifications, list[Job])),
            deployments=tuple(sorted(deployments, key=lambda each: -each.create_index)),
            allocations=tuple(self._get(f"{path}/allocations", list[Allocation])),
            evaluations=tuple(sorted(evaluations, key=lambda each: -each.create_index)),
        )

    def promote(self, deployment: str) -> None:
        """All its groups. Refused unless every canary is healthy."""
        self._put(f"v1/deployment/promote/{deployment}", {"DeploymentID": deployment, "All": True})

    def fail(self, deployment: str) -> None:
        """Nomad then goes back to the latest stable version by itself where the job says `auto_revert`."""
        self._put(f"v1/deployment/fail/{deployment}", {"DeploymentID": deployment})

    def register(self, specification: dict[str, Any], *, over: int) -> None:
        """As `nomad job revert` does, but the numbers of instances stay. `over` is the index of what it replaces."""
        body = {"Job": specification, "EnforceIndex": True, "JobModifyIndex": over, "PreserveCounts": True}
        self._put("v1/jobs", body)

    def log(self, allocation: str, task: str, stream: str) -> str:
        """The end of what a task wrote, or why it cannot be read."""
        path = f"v1/client/fs/logs/{allocation}"
        try:
            return self._client.text(
                path,
                namespace=self._namespace,
                task=task,
                type=stream,
                plain="true",
                origin="end",
                offset=str(_LOG_BYTES),
            )
        except DeployError as error:
            return f"(its {stream} cannot be read: {error})"

    def _get(self, path: str, kind: type[Any]) -> Any:
        return self._client.get(path, kind, namespace=self._namespace) or []

    def _put(self, path: str, body: dict[str, Any]) -> None:
        self._client.put(f"{path}?namespace={quote(self._namespace, safe='')}", body, dict[str, Any])
