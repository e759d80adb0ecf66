"""One service is its secrets, each where one job or one task may read it, and then its job."""

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
    """The service `scheduler` in the namespace `whole`; the result is the job's URN."""

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
    """Nomad's own rule: all tasks of a job read nomad/jobs/JOB, one task reads nomad/jobs/JOB/GROUP/TASK (R8.1)."""
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
    """Nomad refuses an empty one."""
    assert defined(task_secrets={"scheduler/wait": {}}).items == {}


def test_the_job_comes_after_all_of_its_secrets() -> None:
    """Without them its tasks would wait at their templates, and a deployment run out of time."""
    ran = defined(secrets={"password": PASSWORD}, task_secrets={"scheduler/wait": {"url": "one"}})

    assert ran.jobs["scheduler"].after == {
        ("Namespace", "namespace"),
        ("Variable", "scheduler"),
        ("Variable", "scheduler/scheduler/wait"),
    }


def test_the_job_is_its_file_as_it_stands_with_its_values() -> None:
    """An SRE reads the same file, and can run it by hand; the namespace is the stack's."""
    job = defined({"release": "7", "instances": "2"}, {"password": PASSWORD}).jobs["scheduler"]

    assert job.inputs["jobspec"] == text("scheduler")
    assert job.inputs["hcl2"] == {"vars": {"namespace": "whole", "release": "7", "instances": "2"}}
    assert job.secret == frozenset()


def test_up_neither_waits_for_a_promotion_nor_undoes_the_autoscaler() -> None:
    """And `destroy` leaves no stopped job behind, whose name the next stack would want."""
    inputs = defined().jobs["scheduler"].inputs

    assert {name: value for name, value in inputs.items() if name not in ("jobspec", "hcl2")} == {
        "detach": True,
        "preserveCounts": True,
        "purgeOnDestroy": True,
    }


def test_a_secret_among_the_values_of_a_job_stays_one() -> None:
    """None belongs there, for whoever may read jobs reads them; Pulumi at least does not print it."""

    def program() -> pulumi.Output[str]:
        args = ServiceArgs(namespace="whole", file=file_name("scheduler"), variables=hidden({"release": "7"}))
        return Service("scheduler", args).job.urn

    ran = run(program)

    assert ran.jobs["scheduler"].secret == {"hcl2"}


def test_parts_of_a_service_are_its_children() -> None:
    """So that a preview shows what belongs together."""
    ran = defined(secrets={"password": PASSWORD})
    services = [made for made in ran.resources if made.type == "upschedule:cluster:Service"]

    assert [service.name for service in services] == ["scheduler"]
    assert ran.result.split("::")[2] == "upschedule:cluster:Service$nomad:index/job:Job"


def test_a_service_without_a_file_is_told() -> None:
    """A misspelt name, before anything is made."""
    ran = Ran[str]()
    with pytest.raises(FileNotFoundError, match=r"jobs/schedulre\.nomad\.hcl"):
        run(lambda: Service("schedulre", ServiceArgs(namespace="whole", variables={})).job.urn, into=ran)

    assert ran.jobs == {}
