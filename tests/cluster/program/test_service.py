"""A service consists of its secrets, each readable by one job or one task, and of its job, which depends on them."""

from collections.abc import Mapping
from types import MappingProxyType

import pulumi
import pulumi_nomad
import pytest

from components.service import Service, ServiceArgs
from tests.support.cluster.program.job_files import file_name, text
from tests.support.cluster.program.recorded_engine import Ran, run

PASSWORD = "for redis-state alone"


def defined(
    variables: Mapping[str, str] = MappingProxyType({}),
    secrets: Mapping[str, str] = MappingProxyType({}),
    task_secrets: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Ran[str]:
    """Runs a program with the service `scheduler` in the namespace `whole`. Its result is the URN of the job."""

    def program() -> pulumi.Output[str]:
        namespace = pulumi_nomad.Namespace("namespace", name="whole")
        hidden_ones = {task: hidden(items) for task, items in task_secrets.items()}
        args = ServiceArgs(
            namespace=namespace.name,
            file=file_name("scheduler"),
            variables=variables,
            secrets=hidden(secrets),
            task_secrets=hidden_ones,
        )
        return Service("scheduler", args).job.urn

    return run(program)


def hidden(secrets: Mapping[str, str]) -> dict[str, pulumi.Output[str]]:
    return {name: pulumi.Output.secret(value) for name, value in secrets.items()}


def test_each_secret_is_where_its_task_may_read_it() -> None:
    """Nomad's rule: all tasks of a job read nomad/jobs/JOB, and one task reads nomad/jobs/JOB/GROUP/TASK (R8.1)."""
    tasks = {"scheduler/wait": {"url": "one"}, "scheduler/schedule": {"url": "two"}}
    ran = defined(secrets={"password": PASSWORD}, task_secrets=tasks)

    assert ran.items == {
        "nomad/jobs/scheduler": {"password": PASSWORD},
        "nomad/jobs/scheduler/scheduler/wait": {"url": "one"},
        "nomad/jobs/scheduler/scheduler/schedule": {"url": "two"},
    }
    for variable in ran.of("Variable").values():
        assert variable.inputs["namespace"] == "whole"
        assert variable.secret == {"items"}


def test_what_has_no_secret_has_no_variable() -> None:
    """Nomad refuses an empty variable."""
    assert defined(task_secrets={"scheduler/wait": {}}).items == {}


def test_the_job_comes_after_all_of_its_secrets() -> None:
    """Without the secrets, the tasks would wait for their templates until the deployment fails at its deadline."""
    ran = defined(secrets={"password": PASSWORD}, task_secrets={"scheduler/wait": {"url": "one"}})

    assert ran.jobs["scheduler"].after == {
        ("Namespace", "namespace"),
        ("Variable", "scheduler"),
        ("Variable", "scheduler/scheduler/wait"),
    }


def test_the_job_is_its_unchanged_file_with_its_values() -> None:
    """An operator reads the same file and can run it by hand. The namespace is that of the stack."""
    job = defined({"release": "7", "instances": "2"}, {"password": PASSWORD}).jobs["scheduler"]

    assert job.inputs["jobspec"] == text("scheduler")
    assert job.inputs["hcl2"] == {"vars": {"namespace": "whole", "release": "7", "instances": "2"}}
    assert job.secret == frozenset()


def test_up_neither_waits_for_a_promotion_nor_undoes_the_autoscaler() -> None:
    """`destroy` purges the job, since a stopped job would keep a name that the next stack needs."""
    inputs = defined().jobs["scheduler"].inputs

    assert {name: value for name, value in inputs.items() if name not in ("jobspec", "hcl2")} == {
        "detach": True,
        "preserveCounts": True,
        "purgeOnDestroy": True,
    }


def test_a_secret_among_the_values_of_a_job_stays_one() -> None:
    """Secrets do not belong there, because jobs are readable with few rights. Pulumi at least does not print them."""

    def program() -> pulumi.Output[str]:
        args = ServiceArgs(namespace="whole", file=file_name("scheduler"), variables=hidden({"release": "7"}))
        return Service("scheduler", args).job.urn

    ran = run(program)

    assert ran.jobs["scheduler"].secret == {"hcl2"}


def test_parts_of_a_service_are_its_children() -> None:
    """A preview then shows which resources belong together."""
    ran = defined(secrets={"password": PASSWORD})
    services = [resource for resource in ran.resources if resource.type == "upschedule:cluster:Service"]

    assert [service.name for service in services] == ["scheduler"]
    assert ran.result.split("::")[2] == "upschedule:cluster:Service$nomad:index/job:Job"


def test_a_service_without_a_file_is_refused() -> None:
    """The error names the missing file before any resource is created."""
    ran = Ran[str]()
    with pytest.raises(FileNotFoundError, match=r"jobs/schedulre\.nomad\.hcl"):
        run(lambda: Service("schedulre", ServiceArgs(namespace="whole", variables={})).job.urn, into=ran)

    assert ran.jobs == {}
