"""Failures are reported in words and leave no resources and no processes."""

import signal

import pytest

from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.cluster.tooling.sleeper_jobs import sleeper, unique
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import free_port


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('nomad.NodePool("pool", name="pool")', "nomad:index/nodePool:NodePool is not served by this stand-in"),
        ('nomad.Job("job", jobspec="", rerun_if_dead=True)', "is not served by this stand-in"),
        ('nomad.Namespace("namespace", description="no name")', "is required"),
        ('nomad.Provider("there", address="http://127.0.0.1:1", http_auth="a:b")', "is not served by this stand-in"),
    ],
)
def test_what_is_not_served_is_refused_in_words(stack: Stack, source: str, words: str) -> None:
    """Unsupported resources and options are never accepted silently."""
    stack.program(source)
    refused = stack.preview()

    assert refused.code != 0
    assert words in refused.output


def test_an_unreachable_nomad_and_a_wrong_token_are_reported(stack: Stack, agent: Agent) -> None:
    """The message contains the address, which shows a wrong one."""
    address = f"http://127.0.0.1:{free_port()}"
    source = """
provider = nomad.Provider("provider", address={address!r}, secret_id={token!r})
nomad.Namespace("namespace", name="never", opts=pulumi.ResourceOptions(provider=provider))
"""
    stack.program(source.format(address=address, token=agent.token))
    away = stack.up()
    assert away.code != 0
    assert f"Nomad at {address} cannot be asked" in away.output

    stack.program(source.format(address=agent.address, token="12345678-1234-1234-1234-123456789012"))
    refused = stack.up()
    assert refused.code != 0
    assert "Nomad refuses" in refused.output
    assert ": 403 " in refused.output
    assert "12345678-1234-1234-1234-123456789012" not in stack.everything_written()


def test_a_program_that_fails_shows_its_own_lines_and_changes_nothing(stack: Stack) -> None:
    """The earlier output of the program is shown, too."""
    stack.program('print("so far")\nraise LookupError("no such setting")')
    failed = stack.up()

    assert failed.code != 0
    assert "so far" in failed.output
    assert 'raise LookupError("no such setting")' in failed.output
    assert stack.resources() == {}


def test_an_interrupted_update_ends_and_leaves_no_process(stack: Stack, agent: Agent) -> None:
    """The first Ctrl-C cancels the wait for a deployment. Resources that were created are in the state."""
    name = unique("interrupted")
    patient = sleeper(name).replace('min_healthy_time  = "1s"', 'min_healthy_time = "9s"')
    stack.program(f"nomad.Job('job', jobspec='''{patient}''', detach=False)")
    with stack.started("up", "--yes", "--skip-preview") as running:
        wait_for_job(agent, name)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) != 0

    assert stack.resources()["job"]["id"] == name
    wait_until(lambda: stack.processes() == [])


def wait_for_job(agent: Agent, name: str) -> None:
    """Waits until the job's deployment has begun."""
    path = f"job/{name}/deployment"
    wait_until(lambda: agent.status(f"job/{name}") == 200 and agent.call("GET", path), timeout_seconds=30)
