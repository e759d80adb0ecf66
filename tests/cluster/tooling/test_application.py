"""API, workers and scheduler of one release in the program, on a real Nomad whose client runs none of their tasks."""

import json
from typing import Any

import pytest

from tests.cluster.tooling.test_program import CONFIGURATION, RELEASE, SECRETS, configure
from tests.support.cluster.program.job_files import path
from tests.support.cluster.program.whole_program import manifest
from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.tooling.pulumi_stack import Stack

JOBS = ("api", "worker", "scheduler")
VARIABLES = {
    "namespace": "default",
    "user": "nobody",
    "release": RELEASE,
    "settings": "UPSCHEDULE_LOG_LEVEL=info",
}
SIZES = {"cpu": "200", "memory_mb": "256"}
OWN = {
    "api": {
        "prepare_user": "nobody",
        "backups_url": "http://127.0.0.1:8333",
        "backups_region": "us-east-1",
        "restore_points": "true",
    },
    "worker": {**SIZES, "process": "worker"},
    "scheduler": {**SIZES, "process": "scheduler"},
}


def release(project: Stack, version: str) -> None:
    project.run("config", "set", "release", manifest(version)).expect_success()


def job(agent: Agent, name: str) -> dict[str, Any]:
    return agent.call("GET", f"job/{name}", namespace="whole")


@pytest.mark.parametrize("cores", ["0", "2"])
@pytest.mark.parametrize("name", JOBS)
def test_each_job_file_is_accepted_with_cores_or_with_shares(agent: Agent, name: str, cores: str) -> None:
    """The test uses the command with which an operator would check the file (R11.1)."""
    variables = {**VARIABLES, **OWN[name], "cores": cores}
    values = [word for variable, value in variables.items() for word in ("-var", f"{variable}={value}")]
    answer = agent.nomad("job", "validate", *values, str(path(name)))

    assert answer.returncode == 0, answer.stderr
    assert "Job validation successful" in answer.stdout


@pytest.mark.parametrize("name", JOBS)
def test_each_job_gives_up_a_canary_that_fails_after_three_restarts(agent: Agent, name: str) -> None:
    """The releases of test_deploy.py have the same settings. Nomad reverts those within a minute (R12.3)."""
    variables = {**VARIABLES, **OWN[name], "cores": "0"}
    values = [word for variable, value in variables.items() for word in ("-var", f"{variable}={value}")]
    answer = agent.nomad("job", "run", "-output", *values, str(path(name)))
    assert answer.returncode == 0, answer.stderr
    job = json.loads(answer.stdout)["Job"]
    (group,) = job["TaskGroups"]
    second = 1_000_000_000

    update = {**job["Update"], **(group.get("Update") or {})}
    assert (update["ProgressDeadline"], update["AutoRevert"], update["HealthyDeadline"]) == (0, True, 900 * second)
    policy = group["RestartPolicy"]
    assert {key: policy[key] for key in ("Attempts", "Interval", "Delay", "Mode")} == {
        "Attempts": 3,
        "Interval": 120 * second,
        "Delay": 3 * second,
        "Mode": "fail",
    }


def test_a_stack_without_a_release_has_no_application(project: Stack) -> None:
    """A new cluster runs its stores first, and the release is uploaded into them later."""
    configure(project, CONFIGURATION, SECRETS)
    planned = project.preview().expect_success().output
    assert "nomad:index/job:Job: (create)" in planned
    assert not [name for name in JOBS if f"jobs/{name}" in planned]


def test_a_release_is_three_jobs_whose_tasks_read_their_own_secrets_only(project: Stack, agent: Agent) -> None:
    """The owner's database URL is only in the task that migrates (R8.1, R11.2)."""
    configure(project, CONFIGURATION, SECRETS)
    project.run("config", "set", "--path", "settings.UPSCHEDULE_JOBS_PENDING_MAX", "7").expect_success()
    release(project, "1")
    project.up().expect_success()

    for name in JOBS:
        found = job(agent, name)
        assert found["Meta"]["release"] == "1"
        update = found["TaskGroups"][0]["Update"]
        assert (update["Canary"], update["AutoRevert"], update["AutoPromote"]) == (1, True, False)
        main = found["TaskGroups"][0]["Tasks"][-1]
        assert any('UPSCHEDULE_JOBS_PENDING_MAX="7"' in template["EmbeddedTmpl"] for template in main["Templates"])
    paths = {entry["Path"] for entry in agent.call("GET", "vars", namespace="whole", prefix="nomad/jobs/")}
    items = {path: agent.call("GET", f"var/{path}", namespace="whole")["Items"] for path in paths}
    owner = [path for path, found in items.items() if "UPSCHEDULE_POSTGRES_OWNER_URL" in found]
    assert owner == ["nomad/jobs/api/api/prepare"]
    feeds = [path for path, found in items.items() if "UPSCHEDULE_WEB_FEED_SECRET" in found]
    assert feeds == ["nomad/jobs/api/api/serve"]
    assert set(items["nomad/jobs/worker/worker/wait"]) == {"authority", "UPSCHEDULE_POSTGRES_URL"}
    assert not paths & {f"nomad/jobs/{name}" for name in JOBS}
    project.up("--expect-no-changes").expect_success()


def test_new_secrets_go_out_as_a_release_does(project: Stack, agent: Agent) -> None:
    """Running instances keep their secrets. The changed mark changes the job, which starts a canary (R8.2, R12.2)."""
    configure(project, CONFIGURATION, SECRETS)
    release(project, "1")
    project.up().expect_success()
    before = {name: job(agent, name) for name in JOBS}
    configure(project, {}, {"redisStatePassword": "state-3e9d"})
    project.up().expect_success()

    for name in JOBS:
        after = job(agent, name)
        assert after["Version"] == before[name]["Version"] + 1
        assert after["Meta"]["release"] == before[name]["Meta"]["release"]
        assert after["Meta"]["secrets"] != before[name]["Meta"]["secrets"]


def test_a_second_release_waits_until_the_first_has_ended(project: Stack, agent: Agent) -> None:
    """It is refused before anything changes, and accepted once the first release has failed or was promoted (R12.4)."""
    configure(project, CONFIGURATION, SECRETS)
    release(project, "1")
    project.up().expect_success()
    release(project, "2")
    refused = project.up()

    assert refused.code != 0
    assert "Release 2 must wait: another release is still in progress in api (1, running)" in refused.output
    assert "Traceback" not in refused.output
    assert {name: job(agent, name)["Meta"]["release"] for name in JOBS} == dict.fromkeys(JOBS, "1")

    for name in JOBS:
        deployment = agent.call("GET", f"job/{name}/deployment", namespace="whole")["ID"]
        agent.call("POST", f"deployment/fail/{deployment}", {"DeploymentID": deployment}, namespace="whole")
    project.up().expect_success()
    assert {name: job(agent, name)["Meta"]["release"] for name in JOBS} == dict.fromkeys(JOBS, "2")


def test_what_is_no_manifest_is_refused(project: Stack) -> None:
    """The program refuses it before the first resource, together with all other errors."""
    configure(project, {**CONFIGURATION, "release": "v1", "settings": "[]"}, SECRETS)
    refused = project.preview().output

    assert "release: is no manifest that `upschedule release` prints: JSON is malformed" in refused
    assert "settings: must be an object of names and values" in refused
