"""The provider's resource Job, with the real Pulumi engine and pulumi-nomad on a real Nomad (R12.1, R10.1)."""

import copy
from typing import Any

from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.cluster.tooling.sleeper_jobs import sleeper, unique


def program(specification: str, *, word: str = "one", options: str = "", more: str = "") -> str:
    """The source of a program with one job called `job`."""
    return f"""
job = nomad.Job(
    "job",
    jobspec='''{specification}''',
    hcl2=nomad.JobHcl2Args(vars={{"word": {word!r}}}),
    purge_on_destroy=True,
    {options}
)
{more}
"""


def task(job: dict[str, Any]) -> dict[str, Any]:
    return job["TaskGroups"][0]["Tasks"][0]


def edit(agent: Agent, name: str, word: str) -> None:
    """Edits the job with the API, as an operator with the command line would."""
    job = copy.deepcopy(agent.call("GET", f"job/{name}"))
    task(job)["Env"]["WORD"] = word
    agent.call("POST", "jobs", {"Job": job})


def test_a_job_is_made_left_alone_updated_and_destroyed(stack: Stack, agent: Agent) -> None:
    """A second `up` changes nothing."""
    name = unique("sleeper")
    stack.program(program(sleeper(name), options="detach=False", more="pulumi.export('status', job.deployment_status)"))
    assert "successful" in stack.up().expect_success().output
    assert agent.call("GET", f"job/{name}")["Status"] == "running"
    stack.up("--expect-no-changes").expect_success()

    stack.program(program(sleeper(name), word="two", options="detach=False"))
    assert '"one" => "two"' in stack.up().expect_success().output
    job = agent.call("GET", f"job/{name}")
    assert (job["Version"], task(job)["Env"]["WORD"]) == (1, "two")

    stack.destroy().expect_success()
    assert agent.status(f"job/{name}") == 404


def test_a_job_with_another_name_takes_the_place_of_the_old_one(stack: Stack, agent: Agent) -> None:
    """The preview shows a replacement."""
    old, new = unique("old"), unique("new")
    stack.program(program(sleeper(old)))
    stack.up().expect_success()

    stack.program(program(sleeper(new)))
    assert "(replace)" in stack.up().expect_success().output

    assert (agent.status(f"job/{old}"), agent.status(f"job/{new}")) == (404, 200)
    assert stack.resources()["job"]["id"] == new


def test_a_job_edited_outside_is_seen_by_refresh_and_put_right_by_up(stack: Stack, agent: Agent) -> None:
    """The output names what differs."""
    name = unique("edited")
    stack.program(program(sleeper(name)))
    stack.up().expect_success()
    edit(agent, name, "by hand")

    stack.refresh().expect_success()
    assert "Edited outside Pulumi: only > sleep > Env[WORD]" in stack.up().expect_success().output

    assert task(agent.call("GET", f"job/{name}"))["Env"]["WORD"] == "one"
    stack.up("--refresh", "--expect-no-changes").expect_success()


def test_preserved_counts_are_neither_drift_nor_undone(stack: Stack, agent: Agent) -> None:
    """The number of instances that the autoscaler set stays (R1.3)."""
    name = unique("scaled")
    stack.program(program(sleeper(name), options="preserve_counts=True, detach=False"))
    stack.up().expect_success()
    assert agent.nomad("job", "scale", "-detach", name, "only", "2").returncode == 0

    stack.up("--refresh", "--expect-no-changes").expect_success()
    stack.program(program(sleeper(name), word="two", options="preserve_counts=True, detach=False"))
    stack.up().expect_success()

    job = agent.call("GET", f"job/{name}")
    assert (job["TaskGroups"][0]["Count"], task(job)["Env"]["WORD"]) == (2, "two")


def test_a_job_stopped_outside_runs_again_after_refresh_and_up(stack: Stack, agent: Agent) -> None:
    """A stopped job counts as deleted."""
    name = unique("stopped")
    stack.program(program(sleeper(name)))
    stack.up().expect_success()
    agent.call("DELETE", f"job/{name}")

    stack.refresh().expect_success()
    assert "job" not in stack.resources()
    stack.up().expect_success()

    assert agent.call("GET", f"job/{name}")["Stop"] is False


def test_a_job_that_runs_already_is_imported_with_its_source(stack: Stack, agent: Agent) -> None:
    """The import changes nothing in Nomad."""
    name = unique("imported")
    specification = sleeper(name)
    job = agent.call("POST", "jobs/parse", {"JobHCL": specification, "Variables": 'word = "one"'})
    source = {"Source": specification, "Format": "hcl2", "VariableFlags": {"word": "one"}}
    agent.call("POST", "jobs", {"Job": job, "Submission": source})
    importing = f"opts=pulumi.ResourceOptions(import_={name!r}),"

    stack.program(program(specification, options=importing).replace("purge_on_destroy=True,", ""))
    stack.up().expect_success()
    stack.program(program(specification).replace("purge_on_destroy=True,", ""))
    stack.up("--expect-no-changes").expect_success()

    assert agent.call("GET", f"job/{name}")["Version"] == 0


def test_a_failed_deployment_fails_the_update_and_the_next_one_mends_it(stack: Stack, agent: Agent) -> None:
    """The state contains the job although it failed, so that `destroy` removes it."""
    name = unique("failing")
    stack.program(program(sleeper(name, command="/bin/false"), options="detach=False"))
    failed = stack.up()
    assert failed.code != 0
    assert "Failed due to progress deadline" in failed.output or "unhealthy allocations" in failed.output
    assert stack.resources()["job"]["id"] == name

    stack.program(program(sleeper(name), options="detach=False"))
    stack.up().expect_success()

    assert agent.call("GET", f"job/{name}/deployment")["Status"] == "successful"


def test_a_wrong_specification_is_refused_in_preview_with_its_line(stack: Stack) -> None:
    """The preview refuses it before anything changes."""
    stack.program(program(sleeper(unique("wrong")).replace("driver", "drivr")))
    refused = stack.preview()
    assert refused.code != 0
    assert 'An argument named "drivr" is not expected here' in refused.output

    stack.program(program(sleeper(unique("wrong"), count=-1)))
    assert "count can't be negative" in stack.preview().output

    stack.program(program(sleeper(unique("wrong")).replace('variable "word"', 'variable "words"')))
    assert "the specification declares no variable word" in stack.preview().output


def test_a_value_not_known_yet_previews_and_is_filled_in_by_up(stack: Stack, agent: Agent) -> None:
    """A job may depend on an output of another resource."""
    name = unique("waiting")
    token = 'token = nomad.AclToken("token", type="management")\n'
    source = program(sleeper(name)).replace("{\"word\": 'one'}", '{"word": token.accessor_id}')
    stack.program(token + source)

    assert "[unknown]" in stack.preview().expect_success().output
    stack.up().expect_success()

    accessor = stack.resources()["token"]["id"]
    assert task(agent.call("GET", f"job/{name}"))["Env"]["WORD"] == accessor
    stack.up("--expect-no-changes").expect_success()
