"""The jobs of one release have equal settings wherever they need not differ, although each has its own file."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.cluster.tooling.test_application import JOBS, OWN, VARIABLES
from tests.cluster.tooling.test_program import COMMON
from tests.cluster.tooling.test_program import OWN as SERVICES
from tests.support.cluster.program.job_files import path
from tests.support.cluster.tooling.nomad_agent import Agent

TASKS = {"api": ("prepare", "serve"), "worker": ("wait", "work"), "scheduler": ("wait", "schedule")}
#: These fields differ on purpose: only the API receives traffic and prepares the database, with its own user.
JOB_DIFFERS = {"ID", "Name", "TaskGroups"}
GROUP_DIFFERS = {"Name", "Tasks", "Scaling"}
PREPARING_DIFFERS = {"Name", "User", "Config", "Env", "Templates", "Resources"}
SERVING_DIFFERS = {"Name", "Config", "Env", "KillTimeout", "Services", "Templates"}


@pytest.fixture(scope="module")
def parsed(agent: Agent) -> Mapping[str, dict[str, Any]]:
    """Each job as Nomad parses its file, with equal variables."""
    found: dict[str, dict[str, Any]] = {}
    for name in JOBS:
        sizes = {"cores": "0", "cpu": "200", "memory_mb": "256", "instances": "2"}
        found[name] = parse(agent, name, {**VARIABLES, **OWN[name], **sizes})
    return found


def parse(agent: Agent, name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The job as Nomad parses its file."""
    values = [word for variable, value in variables.items() for word in ("-var", f"{variable}={value}")]
    answer = agent.nomad("job", "run", "-output", *values, str(path(name)))
    assert answer.returncode == 0, answer.stderr
    job: dict[str, Any] = json.loads(answer.stdout)["Job"]
    return job


def common_blocks(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """The parts that must be the same in all three jobs, each with a name that says where it is."""
    (group,) = job["TaskGroups"]
    fetch, preparing, serving = group["Tasks"]
    (service,) = serving["Services"]
    # Each job has its own number of instances that are replaced at once.
    update = {**job["Update"], "MaxParallel": None}
    templates = {
        f"{kind} task: template {template['DestPath']}": _without_path(template, name, task["Name"])
        for kind, task in (("preparing", preparing), ("serving", serving))
        for template in task["Templates"]
        if template["DestPath"].endswith(("unpacked.py", "settings.env", "secrets.env", "stores-authority.pem"))
    }
    return {
        **{f"job: {key}": value for key, value in job.items() if key not in JOB_DIFFERS},
        "job: Update": update,
        **{f"group: {key}": value for key, value in group.items() if key not in GROUP_DIFFERS},
        **{f"task fetch: {key}": value for key, value in fetch.items()},
        **{f"preparing task: {key}": value for key, value in preparing.items() if key not in PREPARING_DIFFERS},
        "preparing task: environment": _python_environment(preparing),
        "preparing task: command": _start(preparing),
        **{f"serving task: {key}": value for key, value in serving.items() if key not in SERVING_DIFFERS},
        "serving task: environment": _python_environment(serving),
        "serving task: command": _start(serving),
        # Only an instance of the API prepares the database, so only it needs to know which deployments run.
        "service: meta": {key: value for key, value in service["Meta"].items() if key != "deployment"},
        # Each service has its own path for the readiness check.
        "service: checks": [{**check, "Path": None} for check in service["Checks"]],
        **templates,
    }


def _without_path(template: dict[str, Any], name: str, task: str) -> dict[str, Any]:
    """The template without the path of the task's own secrets."""
    path_of_secrets = f"nomad/jobs/{name}/{name}/{task}"
    return {**template, "EmbeddedTmpl": template["EmbeddedTmpl"].replace(path_of_secrets, "PATH")}


def _python_environment(task: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in task["Env"].items() if key.startswith("PYTHON")}


def _start(task: dict[str, Any]) -> dict[str, Any]:
    """The command up to the arguments of the program itself."""
    config = task["Config"]
    return {**config, "args": config["args"][: config["args"].index("upschedule") + 1]}


def test_the_tasks_are_those_that_are_compared(parsed: Mapping[str, dict[str, Any]]) -> None:
    """Each job unpacks the release, waits until the database is ready for it, and serves."""
    tasks = {name: tuple(task["Name"] for task in job["TaskGroups"][0]["Tasks"]) for name, job in parsed.items()}

    assert tasks == {name: ("fetch", *own) for name, own in TASKS.items()}


def test_common_blocks_of_the_application_are_equal(parsed: Mapping[str, dict[str, Any]]) -> None:
    """A change that was made in only one of the files fails here, with the name of the block."""
    blocks = {name: common_blocks(name, job) for name, job in parsed.items()}
    differing = {
        f"{name}: {block}": (blocks["api"].get(block), blocks[name].get(block))
        for name in JOBS
        for block in blocks["api"].keys() | blocks[name].keys()
        if blocks[name].get(block) != blocks["api"].get(block)
    }

    assert sorted(differing) == [], differing


@pytest.mark.parametrize("name", ["supervisor", "synthetic", "object-copies"])
def test_other_jobs_of_a_release_unpack_and_restart_as_those_of_the_application(
    agent: Agent, parsed: Mapping[str, dict[str, Any]], name: str
) -> None:
    """These jobs belong to the same release and have their own files. They need neither Consul nor a store."""
    variables = {name: VARIABLES[name] for name in ("namespace", "user", "release")}
    other = parse(agent, name, {**variables, **SERVICES[name]})
    blocks = [
        {
            **{key: group[key] for key in ("Volumes", "RestartPolicy", "ReschedulePolicy")},
            "fetch": group["Tasks"][0],
        }
        for job in (parsed["api"], other)
        for group in job["TaskGroups"]
    ]

    assert blocks[1] == blocks[0]


@pytest.mark.parametrize("name", ["backup", "restore"])
def test_backups_and_restores_unpack_a_release_as_the_application_does(
    agent: Agent, parsed: Mapping[str, dict[str, Any]], name: str
) -> None:
    """These jobs end, so they have another restart policy."""
    variables = {name: VARIABLES[name] for name in ("namespace", "user", "release")}
    (group,) = parse(agent, name, {**variables, **SERVICES[name]})["TaskGroups"]
    (own,) = parsed["api"]["TaskGroups"]

    assert group["Volumes"]["releases"] == own["Volumes"]["releases"]
    assert group["Tasks"][0] == own["Tasks"][0]
    assert _python_environment(group["Tasks"][1]) == _python_environment(own["Tasks"][1])


def test_the_two_object_stores_differ_in_what_they_are_for_only(agent: Agent) -> None:
    """The backups' store has TLS, its own identity and a lock. The program is the same."""
    stores = {name: parse(agent, name, {**COMMON, **SERVICES[name]}) for name in ("object-store", "backup-store")}
    groups = [store["TaskGroups"][0] for store in stores.values()]
    servers = [{task["Name"]: task for task in group["Tasks"]}["store"] for group in groups]
    same = ("Driver", "KillSignal", "KillTimeout", "VolumeMounts", "RestartPolicy")

    assert {key: groups[0][key] for key in ("Count", "RestartPolicy")} == {
        key: groups[1][key] for key in ("Count", "RestartPolicy")
    }
    assert {key: servers[0][key] for key in same} == {key: servers[1][key] for key in same}
    assert set(_flags(servers[0])) <= set(_flags(servers[1]))


def _flags(server: dict[str, Any]) -> list[str]:
    """The options of the server."""
    return [word.partition("=")[0] for word in server["Config"]["args"]]
