"""Nomad's answers, made small: only what differs from case to case is named."""

from typing import Any

import msgspec

from upschedule.deploy.nomad_model import Allocation, Deployment, Evaluation, Job, JobSnapshot


def specification(
    version: int, release: str, *, stable: bool = True, count: int = 2, stop: bool = False, settings: str = ""
) -> dict[str, Any]:
    return {
        "ID": "api",
        "Version": version,
        "Stable": stable,
        "Stop": stop,
        "JobModifyIndex": 100 + version,
        "SubmitTime": version,
        "Meta": {"release": release, **({"settings": settings} if settings else {})},
        "TaskGroups": [
            {
                "Name": "api",
                "Count": count,
                "Services": [{"Name": "api", "Provider": "consul"}],
                "Tasks": [
                    {"Name": "prepare", "Lifecycle": {"Hook": "prestart"}, "Resources": {"MemoryMB": 256}},
                    {"Name": "serve", "Resources": {"MemoryMB": 1024}, "Env": {"RELEASE": release}},
                ],
            }
        ],
    }


def deployment(
    version: int,
    status: str,
    said: str = "",
    *,
    canaries: tuple[str, ...] = (),
    desired_canaries: int = 0,
    promoted: bool = False,
    healthy: int = 0,
) -> Deployment:
    group = {
        "Promoted": promoted,
        "PlacedCanaries": list(canaries),
        "DesiredCanaries": desired_canaries,
        "DesiredTotal": 2,
        "HealthyAllocs": healthy,
    }
    return msgspec.convert(
        {
            "ID": f"deployment-{version}",
            "JobVersion": version,
            "Status": status,
            "StatusDescription": said,
            "TaskGroups": {"api": group},
            "CreateIndex": version,
        },
        Deployment,
    )


def allocation(
    id_: str,
    version: int,
    *,
    status: str = "running",
    desired: str = "run",
    healthy: bool | None = True,
    tasks: dict[str, Any] | None = None,
) -> Allocation:
    return msgspec.convert(
        {
            "ID": id_,
            "TaskGroup": "api",
            "JobVersion": version,
            "ClientStatus": status,
            "DesiredStatus": desired,
            "DeploymentStatus": {"Healthy": healthy, "Canary": False},
            "TaskStates": tasks,
            "NodeName": "one",
        },
        Allocation,
    )


def events(*told: tuple[str, str, int]) -> dict[str, Any]:
    """A task's state from (type, message, exit code)."""
    return {
        "State": "dead",
        "Failed": True,
        "Restarts": 0,
        "Events": [
            {"Type": kind, "DisplayMessage": message, "ExitCode": code, "Time": number}
            for number, (kind, message, code) in enumerate(told)
        ],
    }


def snapshot(
    specifications: list[dict[str, Any]],
    deployments: list[Deployment] | None = None,
    allocations: list[Allocation] | None = None,
    evaluations: list[Evaluation] | None = None,
) -> JobSnapshot:
    """Newest first."""
    return JobSnapshot(
        name="api",
        specifications=tuple(specifications),
        versions=tuple(msgspec.convert(specifications, list[Job])),
        deployments=tuple(deployments or ()),
        allocations=tuple(allocations or ()),
        evaluations=tuple(evaluations or ()),
    )
