"""Namespace, Variable, AclPolicy and AclToken of the Nomad provider through the real Pulumi engine (R11.1)."""

from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.cluster.tooling.sleeper_jobs import sleeper, unique


def test_a_namespace_is_made_drifts_is_renamed_and_goes_with_its_jobs(stack: Stack, agent: Agent) -> None:
    """`destroy` waits until the jobs in the namespace have ended."""
    first, second = unique("ns"), unique("ns")

    def program(name: str) -> str:
        return f"""
namespace = nomad.Namespace("namespace", name={name!r}, description="ours", meta={{"a": "1"}})
nomad.Job("job", jobspec='''{sleeper(name, namespace=name)}''', opts=pulumi.ResourceOptions(depends_on=[namespace]))
"""

    stack.program(program(first))
    stack.preview().expect_success()
    stack.up().expect_success()
    assert agent.call("GET", f"namespace/{first}")["Meta"] == {"a": "1"}

    agent.call("POST", f"namespace/{first}", {"Name": first, "Description": "theirs"})
    assert '"ours" => "theirs"' in stack.refresh().expect_success().output
    stack.up().expect_success()
    assert agent.call("GET", f"namespace/{first}")["Description"] == "ours"

    stack.program(program(second))
    stack.up().expect_success()
    assert (agent.status(f"namespace/{first}"), agent.status(f"namespace/{second}")) == (404, 200)

    stack.destroy().expect_success()
    assert agent.status(f"namespace/{second}") == 404


def test_a_namespace_with_a_variable_of_others_is_not_called_deleted(stack: Stack, agent: Agent) -> None:
    """Nomad answers that the namespace is deleted, but keeps it."""
    name = unique("ns")
    timeouts = 'pulumi.CustomTimeouts(delete="2s")'
    stack.program(
        f'nomad.Namespace("namespace", name={name!r}, opts=pulumi.ResourceOptions(custom_timeouts={timeouts}))'
    )
    stack.up().expect_success()
    agent.call("PUT", "var/theirs", {"Path": "theirs", "Items": {"a": "1"}}, namespace=name)

    destroyed = stack.destroy()
    assert destroyed.code != 0
    assert f"Nomad does not delete the namespace {name}" in destroyed.output
    assert agent.status(f"namespace/{name}") == 200

    agent.call("DELETE", "var/theirs", namespace=name)
    stack.destroy().expect_success()
    assert agent.status(f"namespace/{name}") == 404


def test_a_variable_is_made_drifts_moves_and_is_destroyed(stack: Stack, agent: Agent) -> None:
    """The variable contains exactly the items of the program."""
    old, new = unique("nomad/jobs/old"), unique("nomad/jobs/new")

    def program(path: str, value: str) -> str:
        return f'nomad.Variable("variable", path={path!r}, items={{"user": {value!r}, "host": "db"}})'

    stack.program(program(old, "one"))
    stack.up().expect_success()
    assert agent.call("GET", f"var/{old}")["Items"] == {"user": "one", "host": "db"}

    agent.call("PUT", f"var/{old}", {"Path": old, "Items": {"user": "else"}})
    stack.up("--refresh").expect_success()
    assert agent.call("GET", f"var/{old}")["Items"] == {"user": "one", "host": "db"}

    stack.program(program(new, "two"))
    stack.up().expect_success()
    assert agent.status(f"var/{old}") == 404
    assert agent.call("GET", f"var/{new}")["Items"]["user"] == "two"

    stack.destroy().expect_success()
    assert agent.status(f"var/{new}") == 404


def test_a_token_may_do_what_its_policy_says_and_no_more(stack: Stack, agent: Agent) -> None:
    """A token has only the rights of its policy. The program decides who gets its secret (least privilege)."""
    name = unique("reader")

    def program(rules: str) -> str:
        return f"""
policy = nomad.AclPolicy("policy", name={name!r}, rules_hcl='''{rules}''')
token = nomad.AclToken("token", name={name!r}, type="client", policies=[policy.name])
nomad.Variable("handed", path={name!r}, items={{"token": token.secret_id}})
"""

    reading = 'namespace "default" {\n  policy = "read"\n}\n'
    stack.program(program(reading))
    stack.up().expect_success()
    token = agent.call("GET", f"var/{name}")["Items"]["token"]
    assert (agent.status("jobs", token=token), agent.status("nodes", token=token)) == (200, 403)

    agent.call("POST", f"acl/policy/{name}", {"Name": name, "Rules": 'node { policy = "read" }'})
    stack.up("--refresh").expect_success()
    assert agent.status("nodes", token=token) == 403

    stack.program(program(f'{reading}node {{\n  policy = "read"\n}}\n'))
    stack.up().expect_success()
    assert agent.status("nodes", token=token) == 200

    stack.destroy().expect_success()
    assert agent.status("jobs", token=token) == 403


def test_what_is_there_already_is_imported(stack: Stack, agent: Agent) -> None:
    """The identifiers are the policy's name, path@namespace of the variable, and the namespace's name."""
    name = unique("there")
    agent.call("POST", f"namespace/{name}", {"Name": name, "Description": "ours"})
    agent.call("POST", f"acl/policy/{name}", {"Name": name, "Rules": 'node { policy = "read" }'})
    agent.call("PUT", f"var/{name}", {"Path": name, "Namespace": name, "Items": {"a": "b"}}, namespace=name)

    def program(importing: bool) -> str:  # noqa: FBT001 - the only parameter of this program
        def options(id_: str) -> str:
            return f"opts=pulumi.ResourceOptions(import_={id_!r})" if importing else ""

        return f"""
nomad.Namespace("namespace", name={name!r}, description="ours", {options(name)})
nomad.AclPolicy("policy", name={name!r}, rules_hcl='node {{ policy = "read" }}', {options(name)})
nomad.Variable("variable", namespace={name!r}, path={name!r}, items={{"a": "b"}}, {options(f"{name}@{name}")})
"""

    stack.program(program(importing=True))
    stack.up().expect_success()
    stack.program(program(importing=False))
    stack.up("--expect-no-changes").expect_success()

    assert {resource["id"] for resource in stack.resources().values()} == {name, f"{name}@{name}"}
    # The namespace cannot be deleted while it contains the variable, and Pulumi does not know this dependency.
    agent.call("DELETE", f"var/{name}", namespace=name)
