"""Access tokens are limited to one policy with the rights of one command."""

import re

import pytest

from components.access import (
    AccessToken,
    autoscaler_rules,
    deploy_rules,
    log_shipper_rules,
    operator_rules,
    supervisor_rules,
)
from tests.support.cluster.program.recorded_engine import run, token_of


def test_a_token_has_its_policy_and_no_other() -> None:
    """No token is a management token either, since that type bypasses every policy."""
    ran = run(
        lambda: (
            AccessToken("deploy", title="whole-deploy", rules=deploy_rules("whole", release_volume="unpacked")).token
        )
    )
    (policy,) = ran.of("AclPolicy").values()
    (token,) = ran.of("AclToken").values()

    assert policy.inputs == {"name": "whole-deploy", "rulesHcl": deploy_rules("whole", release_volume="unpacked")}
    assert token.inputs == {"name": "whole-deploy", "type": "client", "policies": ["whole-deploy"]}
    assert token.after == {("AclPolicy", "deploy")}
    assert ran.result == token_of("deploy")


@pytest.mark.parametrize(
    ("rules", "variables"),
    [
        (
            deploy_rules("whole", release_volume="unpacked"),
            [
                "releases/*",
                "stack/applied",
                "nomad/jobs/traefik/traefik",
                "nomad/jobs/worker/worker",
                "supervisor/watch",
            ],
        ),
        (
            supervisor_rules("whole", release_volume="unpacked"),
            ["releases/*", "stack/applied", "supervisor/watch"],
        ),
        (operator_rules("whole"), ["operators/ops"]),
        (autoscaler_rules("whole"), []),
        (log_shipper_rules("whole"), []),
    ],
    ids=["deploy", "supervisor", "operator", "autoscaler", "log-shipper"],
)
def test_rules_are_for_one_namespace_and_name_each_right(rules: str, variables: list[str]) -> None:
    """The rules contain no `policy`, which grants many rights at once.

    They give no right to enter a task, read secrets or change access.
    """
    assert rules.startswith('namespace "whole" {')
    assert rules.count("namespace") == 1
    # Secrets are stored below `nomad/jobs`. None of these paths may be in a group's variable.
    assert re.findall(r'path "(.*)" {', rules) == variables
    assert ("variables" in rules) is bool(variables)
    for word in (
        "policy =",
        "alloc-exec",
        "alloc-node-exec",
        "alloc-lifecycle",
        "read-fs",
        "acl",
        "node {",
    ):
        assert word not in rules
