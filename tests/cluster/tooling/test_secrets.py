"""Secrets reach Nomad and no other place (R11.2)."""

from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.cluster.tooling.sleeper_jobs import sleeper, unique

SECRET = "Swordfish-7 ${not.evaluated}"


def test_secrets_are_in_nomad_but_in_no_state_and_no_output(stack: Stack, agent: Agent) -> None:
    """The state has them neither as inputs nor as outputs, after creation, update, refresh and drift."""
    name = unique("secretive")
    stack.run("config", "set", "--secret", "word", SECRET).expect_success()

    def program(extra: str) -> str:
        return f"""
word = pulumi.Config().require_secret("word")
token = nomad.AclToken("token", type="management", name={name!r})
nomad.Variable("variable", path={name!r}, items={{"word": word, "extra": {extra!r}}})
nomad.Job("job", jobspec='''{sleeper(name)}''', hcl2=nomad.JobHcl2Args(vars={{"word": word}}))
pulumi.export("token", token.secret_id)
"""

    stack.program(program("1"))
    stack.preview().expect_success()
    stack.up().expect_success()
    accessor = stack.resources()["token"]["id"]
    token = agent.call("GET", f"acl/token/{accessor}")["SecretID"]
    assert agent.call("GET", f"var/{name}")["Items"]["word"] == SECRET
    assert agent.call("GET", f"job/{name}")["TaskGroups"][0]["Tasks"][0]["Env"]["WORD"] == SECRET
    assert SECRET not in str(agent.call("GET", f"job/{name}/submission", version="0"))

    stack.up("--expect-no-changes").expect_success()
    stack.program(program("2"))
    stack.up().expect_success()
    agent.call("PUT", f"var/{name}", {"Path": name, "Items": {"word": f"{SECRET}!", "extra": "2"}})
    stack.up("--refresh").expect_success()

    written = stack.everything_written()
    assert "[secret]" in written
    assert SECRET not in written
    assert SECRET.partition(" ")[0] not in written
    assert token not in written


def test_a_secret_in_a_message_of_nomad_is_hidden(stack: Stack) -> None:
    """Nomad quotes values that it refuses, and the error names the requested path."""
    stack.program('nomad.Namespace("namespace", name=pulumi.Output.secret("Sword!fish no. 7"))')
    refused = stack.up()

    assert refused.code != 0
    assert 'invalid name "[secret]"' in refused.output
    assert "POST v1/namespace/[secret]" in refused.output
    assert "fish" not in stack.everything_written()
