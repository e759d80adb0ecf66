"""The client of Nomad's HTTP API, for all programs of the project."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from urllib3.util import Retry

from upschedule.deploy.errors import ServerRefused, ServerUnreachable
from upschedule.deploy.http import PATIENT, READ_SECONDS, Endpoint, JsonClient
from upschedule.deploy.nomad_model import Allocation, Deployment, Evaluation, Job, JobSnapshot

T = TypeVar("T")
_LOG_BYTES = 4_000
_DEFAULT_ADDRESS = "http://127.0.0.1:4646"


def nomad_endpoint(environment: Mapping[str, str]) -> Endpoint:
    """Nomad as the environment variables of its own command line name it. An empty variable is ignored."""
    return nomad_at(
        environment.get("NOMAD_ADDR") or _DEFAULT_ADDRESS,
        environment.get("NOMAD_TOKEN", ""),
        ca_file=environment.get("NOMAD_CACERT") or None,
        certificate_file=environment.get("NOMAD_CLIENT_CERT") or None,
        key_file=environment.get("NOMAD_CLIENT_KEY") or None,
    )


def nomad_at(
    address: str,
    token: str,
    *,
    ca_file: str | None = None,
    certificate_file: str | None = None,
    key_file: str | None = None,
) -> Endpoint:
    """`token` may end with a newline, as it does when it comes from a file; it may be empty."""
    secret = token.strip()
    return Endpoint(
        name="Nomad",
        address=address,
        headers={"X-Nomad-Token": secret} if secret else {},
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
    )


class NomadClient:
    """Raises ServerUnreachable and ServerRefused. Safe to use from several threads.

    `query` holds parameters of every request, such as `namespace` or `region`; a call's own override them. A path is
    given in parts, each of which is escaped.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        query: Mapping[str, str] | None = None,
        retries: Retry = PATIENT,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._client = JsonClient(endpoint, retries=retries, read_seconds=read_seconds)
        self._query = dict(query or {})

    def call(self, method: str, *path: str, body: Any = None, **query: str) -> Any:
        """The decoded answer. A change may have an empty answer, which gives None; a GET may not."""
        data = self._client.request(method, _joined(path), query={**self._query, **query}, body=body)
        if method != "GET" and not data.strip():
            return None
        answer: Any = self._client.decode(data, object)
        return answer

    def get(self, *path: str, **query: str) -> Any:
        """The decoded answer."""
        return self.call("GET", *path, **query)

    def find(self, *path: str, **query: str) -> Any:
        """Like `get`, but None if Nomad has nothing of that name."""
        try:
            return self.get(*path, **query)
        except ServerRefused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def delete(self, *path: str, **query: str) -> None:
        """Deletes the object. Succeeds also if no object has that name."""
        try:
            self.call("DELETE", *path, **query)
        except ServerRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def log_tail(self, allocation: str, task: str, stream: str, **query: str) -> str:
        """The end of a task's `stdout` or `stderr`; without retries."""
        options = {"task": task, "type": stream, "plain": "true", "origin": "end", "offset": str(_LOG_BYTES)}
        path = _joined(("client", "fs", "logs", allocation))
        return self._client.request("GET", path, query={**self._query, **query, **options}, retry=False).decode(
            errors="replace"
        )

    def job_snapshot(self, name: str) -> JobSnapshot:
        """The job's versions, deployments, allocations and evaluations; without versions where there is no such job."""
        found: Any = self.find("job", name, "versions")
        specifications = self._convert((found or {"Versions": []})["Versions"], list[dict[str, Any]])
        if not specifications:
            return JobSnapshot(
                name=name, specifications=(), versions=(), deployments=(), allocations=(), evaluations=()
            )
        deployments = self._list(Deployment, "job", name, "deployments")
        evaluations = self._list(Evaluation, "job", name, "evaluations")
        return JobSnapshot(
            name=name,
            specifications=tuple(specifications),
            versions=tuple(self._convert(specifications, list[Job])),
            deployments=tuple(sorted(deployments, key=lambda each: -each.create_index)),
            allocations=tuple(self._list(Allocation, "job", name, "allocations")),
            evaluations=tuple(sorted(evaluations, key=lambda each: -each.create_index)),
        )

    def deployment(self, id_: str) -> Deployment | None:
        """None once Nomad has removed it."""
        found = self.find("deployment", id_)
        return self._convert(found, Deployment) if found else None

    def promote_deployment(self, deployment: str) -> None:
        """Promotes all groups. Nomad refuses unless every canary is healthy."""
        self.call("PUT", "deployment", "promote", deployment, body={"DeploymentID": deployment, "All": True})

    def fail_deployment(self, deployment: str) -> None:
        """If the job has `auto_revert`, Nomad then returns to the latest stable version."""
        self.call("PUT", "deployment", "fail", deployment, body={"DeploymentID": deployment})

    def register_job(self, specification: dict[str, Any], *, over: int) -> None:
        """Refused if the job changed since `over`, the index of the version that is replaced; 0: there is none."""
        self.call("PUT", "jobs", body={"Job": specification, "EnforceIndex": True, "JobModifyIndex": over})

    def plan_job(self, specification: dict[str, Any]) -> Evaluation:
        """Plans the job without changing anything; `failed` names the groups without room."""
        body = {"Job": specification, "Diff": False}
        planned: dict[str, Any] = self.call("PUT", "job", specification["ID"], "plan", body=body)
        # The answer names groups without room as an evaluation does, but is none.
        return self._convert({"Status": "blocked", "CreateIndex": 0, **planned}, Evaluation)

    def _list(self, kind: type[T], *path: str) -> list[T]:
        return self._convert(self.get(*path) or [], list[kind])

    def _convert(self, value: Any, kind: type[T]) -> T:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ServerUnreachable("Nomad", error) from error


class NomadWithoutLogs(NomadClient):
    """For programs whose token may not read the logs of tasks: they explain a failure without its log."""

    def log_tail(self, allocation: str, task: str, stream: str, **query: str) -> str:  # noqa: ARG002 - the base class's
        """Empty, and Nomad is not asked."""
        return ""


def _joined(path: tuple[str, ...]) -> str:
    return "/".join(("v1", *(quote(part, safe="") for part in path)))
