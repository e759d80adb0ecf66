"""The program refuses resources that must never be on the cluster."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_nomad as nomad
import pytest

from policies import PolicyViolated, enforce, job_problems, rule_problems
from tests.support.cluster.program.nomad_server import WELL_FORMED
from tests.support.cluster.program.recorded_engine import run

KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"
SECRETS = {"postgresOwnerPassword": "s3cret/word", "storesKey": KEY, "short": "up"}
Change = Callable[[dict[str, Any]], None]


def changed(change: Change) -> dict[str, Any]:
    """A job of one task, changed by `change`."""
    job = copy.deepcopy(WELL_FORMED)
    change(job["TaskGroups"][0])
    return job


def setting(**values: Any) -> Change:
    """Sets these fields of the task."""
    return lambda group: group["Tasks"][0].update(values)


def job(variable: pulumi.Input[str] = "x", **options: Any) -> None:
    nomad.Job(
        "one",
        jobspec="job one",
        hcl2=nomad.JobHcl2Args(vars={"word": variable}),
        opts=pulumi.ResourceOptions(**options),
    )


def refused(program: Callable[[], None], parsed: dict[str, Any] = WELL_FORMED) -> str:
    """Returns the reason of the refusal, or an empty text if the program is accepted."""

    def checked() -> None:
        enforce(SECRETS, lambda *_: parsed)
        program()

    try:
        run(checked)
    except PolicyViolated as error:
        return str(error)
    return ""


@pytest.mark.parametrize("user", ["root", "0", "", None])
def test_no_task_runs_as_root(user: str | None) -> None:
    """Nomad runs a task as root unless its job names a user (R8.1)."""
    assert "task group/task would run as root" in refused(job, changed(setting(User=user)))


@pytest.mark.parametrize(
    "resources", [None, {}, {"CPU": 100}, {"MemoryMB": 64}, {"CPU": 0, "MemoryMB": 64}, {"Cores": 1}]
)
def test_every_task_has_limits(resources: dict[str, int] | None) -> None:
    """A task without limits could use the resources that all others need (R11.1)."""
    assert "has no limit of memory and processor" in refused(job, changed(setting(Resources=resources)))
    assert refused(job, changed(setting(Resources={"Cores": 1, "MemoryMB": 64}))) == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda group: group.pop("Volumes"),
        lambda group: group["Volumes"]["data"].update(ReadOnly=True),
        lambda group: group["Volumes"]["data"].update(Type="csi"),
        setting(VolumeMounts=None),
        setting(VolumeMounts=[{"Volume": "data", "ReadOnly": True}]),
        setting(VolumeMounts=[{"Volume": "other", "ReadOnly": False}]),
    ],
    ids=["none", "read only", "of another type", "not mounted", "mounted read only", "another"],
)
def test_what_keeps_data_has_a_volume(change: Change) -> None:
    """Without a volume, its data would be lost with the allocation."""
    assert "keeps data, but no task writes to a host volume" in refused(lambda: job(protect=True), changed(change))
    assert refused(job, changed(change)) == ""


@pytest.mark.parametrize(
    "rules",
    [
        'namespace "*" {\n  capabilities = ["read-job"]\n}',
        'namespace "up-*" {}',
        'namespace "up" {\n  variables {\n    path "*" {}\n  }\n}',
        'namespace "up" {\n  variables {\n    path "nomad/jobs/*" {}\n  }\n}',
        'namespace "up" {\n  policy = "write"\n}',
    ],
)
def test_a_policy_names_what_it_allows(rules: str) -> None:
    """A policy may contain neither a wildcard nor all rights at once (R8.1)."""
    assert "must never be" in refused(lambda: policy(rules))
    assert list(rule_problems(rules))


def policy(rules: str) -> None:
    nomad.AclPolicy("deploy", name="deploy", rules_hcl=rules)


def test_a_path_may_cover_what_is_below_it() -> None:
    """The records of releases are stored in this way."""
    assert list(rule_problems('namespace "up" {\n  variables {\n    path "releases/*" {}\n  }\n}')) == []


def test_no_token_passes_every_policy_by() -> None:
    assert "management token" in refused(lambda: token("management"))
    assert refused(lambda: token("client")) == ""


def token(kind: str) -> None:
    nomad.AclToken("deploy", name="deploy", type=kind)


@pytest.mark.parametrize(
    "program",
    [
        lambda: job("postgresql://owner:s3cret%2Fword@host/db"),
        lambda: job(json.dumps({"password": "s3cret/word"})),
        lambda: job(pulumi.Output.secret("s3cret/word")),
        lambda: job(pulumi.Output.secret("s3cret/word").apply(lambda word: f"postgresql://owner:{word}@host")),
        lambda: policy("# s3cret/word"),
    ],
    ids=["in a URL", "in JSON", "as a secret output", "made of a secret output", "in a policy"],
)
def test_an_unencrypted_secret_is_refused(program: Callable[[], None]) -> None:
    """Nomad shows jobs and policies to everyone with read access, even if Pulumi encrypts the values (R8.2)."""
    reason = refused(program)

    assert "the secret postgresOwnerPassword would be stored in the clear" in reason
    assert "s3cret" not in reason


@pytest.mark.parametrize("text", [KEY, json.dumps({"key": KEY}), KEY.replace("\n", "\r\n")])
def test_an_unencrypted_key_is_refused(text: str) -> None:
    """The form of the line breaks makes no difference."""
    assert "the secret storesKey would be stored in the clear" in refused(lambda: job(text))
    assert refused(lambda: job("-----BEGIN PRIVATE KEY-----")) == ""


def test_what_is_right_is_left_as_it_is() -> None:
    """A short text can occur in other texts by chance."""
    assert refused(lambda: job("upschedule")) == ""
    assert refused(lambda: job(pulumi.Output.from_input("later"), protect=True)) == ""
    assert list(job_problems(WELL_FORMED, keeps_data=True)) == []
