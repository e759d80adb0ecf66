"""The resources that the whole program creates for a stack, and how they match the job files."""

import pytest

from config import ConfigurationError
from guard import NomadSilent, ReleaseUnderWay
from parts import application
from tests.support.cluster.program.configurations import PARTS
from tests.support.cluster.program.job_files import FILES, JOBS, declared, text_with_names
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran, token_of
from tests.support.cluster.program.secret_readers import ALL, READERS
from tests.support.cluster.program.whole_program import RELEASED, manifest, up

#: Jobs that exist only with a release, besides those of the application.
OF_A_RELEASE = ("supervisor", "synthetic", "backup", "restore", "object-copies")
#: Outputs that are not addresses: the namespace, and the secret ones.
NOT_PLACES = {"namespace", "deployToken", "operatorToken"}


def marks(name: str) -> tuple[str, str]:
    """The marker inside a secret's value, plain and percent-encoded."""
    return f"<{name}>", f"%3C{name}%3E"


def test_the_parts_of_the_program_are_those_of_these_tests(released: Ran[list[str]]) -> None:
    """The program's configuration reader gets the settings and secrets of these parts. All parts share `cluster`."""
    assert {"parts.cluster", *released.result} == {part.__name__ for part in PARTS}


def test_every_job_file_has_its_job_in_the_namespace_of_the_stack(released: Ran[list[str]]) -> None:
    """Each job runs as a user of its own, except the restore job, which writes the files of PostgreSQL (R8.1)."""
    assert tuple(sorted(released.jobs)) == JOBS
    assert released.of("Namespace")["namespace"].inputs["name"] == "whole"
    for name, job in released.jobs.items():
        assert released.variables(name)["namespace"] == "whole"
        assert released.variables(name)["user"] == f"whole-{'postgres' if name == 'restore' else name}"
        assert ("Namespace", "namespace") in job.after
    assert {resource.inputs["namespace"] for resource in released.of("Variable").values()} == {"whole"}


def test_a_stack_without_a_release_has_everything_else() -> None:
    """The stores run before the first release is uploaded to them, so a stack without a release needs none."""
    assert set(up().jobs) == set(JOBS) - {*application.JOBS, *OF_A_RELEASE}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_given_what_its_file_declares(released: Ran[list[str]], job: str) -> None:
    """Otherwise Nomad refuses an unknown or missing variable in the middle of an `up`."""
    variables, known = released.variables(job).keys(), declared(job)

    assert variables <= known.keys()
    assert {name for name, default in known.items() if default is None} <= variables


def test_a_secret_is_read_where_it_is_needed_and_nowhere_else(released: Ran[list[str]]) -> None:
    """The owner's password, which can change tables, reaches only a task that runs once in a release (R8.1, R8.2)."""
    found = {
        name: {
            path.removeprefix("nomad/jobs/")
            for path, items in released.items.items()
            if any(mark in value for mark in marks(name) for value in items.values())
        }
        for name in ALL
    }

    assert found == READERS


def test_what_is_secret_is_encrypted_and_nowhere_else(released: Ran[list[str]]) -> None:
    """Pulumi's state and output do not show it, nor do Nomad's jobs, which more people may read (R8.2)."""
    for resource in released.resources:
        open_ones = str({name: value for name, value in resource.inputs.items() if name not in resource.secret})
        assert not [name for name in ALL if any(mark in open_ones for mark in marks(name))]
        names = ("autoscaler", "deploy", "log-shipper", "operator", "supervisor")
        assert not [name for name in names if token_of(name) in open_ones]
    assert all(resource.secret == {"items"} for resource in released.of("Variable").values())


def test_every_secret_item_is_read_by_a_template_of_its_job(released: Ran[list[str]]) -> None:
    """The file names its path and its item. A secret that no template reads would be exposed without need."""
    of_jobs = {path: items for path, items in released.items.items() if path.startswith("nomad/jobs/")}
    assert set(released.items) - set(of_jobs) == {"stack/applied", "operators/ops"}
    for path, items in of_jobs.items():
        job = path.split("/")[2]
        blocks = [part.partition("nomadVar")[0] for part in templates(job).split(f'nomadVar "{path}"')[1:]]
        assert blocks
        assert "range .Tuples" in str(blocks) or not [name for name in items if f".{name}" not in str(blocks)]


def templates(job: str) -> str:
    """The templates in the job's file, where quotes may be escaped in a string, and in files beside it."""
    files = sorted((FILES / job).glob("*.tpl"))
    return "\n".join([text_with_names(job).replace('\\"', '"'), *(file.read_text(encoding="utf-8") for file in files)])


def test_the_stack_tells_its_namespace_and_keeps_its_token(released: Ran[list[str]]) -> None:
    """`pulumi stack output` shows `deployToken` and `operatorToken` only with `--show-secrets`."""
    assert (released.outputs["namespace"], released.outputs["deployToken"]) == ("whole", token_of("deploy"))
    assert released.outputs["operatorToken"] == token_of("operator")
    assert released.secret == {"deployToken", "operatorToken"}
    assert {resource.inputs["name"] for resource in released.of("AclPolicy").values()} == {
        "whole-deploy",
        "whole-operator",
        "whole-autoscaler",
        "whole-log-shipper",
        "whole-supervisor",
    }


def test_the_stack_says_where_everything_is(released: Ran[list[str]]) -> None:
    """Operators do not have to derive addresses from the settings, and no address is secret."""
    assert {name: released.outputs[name] for name in released.outputs.keys() - NOT_PLACES} == {
        "url": "https://schedule.example.org",
        "release": "1",
        "addresses": {
            "postgres": "postgres.service.consul:5432",
            "pgbouncer": "pgbouncer.service.consul:6432",
            "redis-state": "redis-state.service.consul:6379",
            "redis-cache": "redis-cache.service.consul:6380",
            "object-store": "object-store.service.consul:8333",
            "backup-store": "backup-store.service.consul:8334",
            "prometheus": "prometheus.service.consul:9090",
            "alertmanager": "alertmanager.service.consul:9093",
        },
        "versions": {"commit": "0" * 40, "environment": "environment-1.tar.gz", "sources": "sources-1.tar.gz"},
        "dashboards": {
            "prometheus": "http://prometheus.service.consul:9090/graph",
            "alertmanager": "http://alertmanager.service.consul:9093/",
            "consul": "http://127.0.0.1:8500/ui/",
            "nomad": "http://127.0.0.1:4646",
        },
    }


def test_what_keeps_data_is_protected_and_nothing_else(released: Ran[list[str]]) -> None:
    """A mistake in the stack or the program cannot remove data. Everything else may be removed and created again."""
    stores = {"postgres", "redis-state", "object-store", "backup-store"}
    protected = {(each.type.rpartition(":")[2], each.name) for each in released.resources if each.protected}

    assert protected == {
        ("Namespace", "namespace"),
        *(("Job", name) for name in stores),
        *(("Variable", name) for name in stores),
    }
    assert {name for name, resource in released.jobs.items() if not resource.inputs["purgeOnDestroy"]} == stores


def test_a_release_that_must_wait_changes_nothing_at_all(nomad: Nomad) -> None:
    """Stores and edge do not change either.

    Pulumi would create all resources that were registered before an error (R12.4).
    """
    nomad.runs("worker", "1", counts=(2, 2, 2), Status="running", TaskGroups={"worker": {"DesiredCanaries": 1}})
    ran = Ran[list[str]]()
    with pytest.raises(ReleaseUnderWay, match=r"Release 2 must wait: .* in worker \(1, running\)"):
        up({**RELEASED, "release": manifest("2")}, into=ran)

    assert {resource.type for resource in ran.resources} == {"pulumi:pulumi:Stack"}
    assert {asked.path.partition("?")[2] for asked in nomad.asked} == {"namespace=whole"}


def test_the_same_release_is_repeated_while_it_is_under_way(nomad: Nomad) -> None:
    """This repeats an `up` that was interrupted, or changes a setting of a store."""
    nomad.runs("worker", "1", counts=(2, 2, 2), Status="running", TaskGroups={"worker": {"DesiredCanaries": 1}})

    assert set(up(RELEASED).jobs) == set(JOBS)


def test_a_nomad_that_says_nothing_changes_nothing(nomad: Nomad) -> None:
    """An `up` without a release does not send this request."""
    nomad.answers["/v1/job/api/versions"] = b""
    ran = Ran[list[str]]()
    with pytest.raises(NomadSilent):
        up(RELEASED, into=ran)

    assert {resource.type for resource in ran.resources} == {"pulumi:pulumi:Stack"}
    assert set(up().jobs) == set(JOBS) - {*application.JOBS, *OF_A_RELEASE}


def test_a_wrong_stack_changes_nothing(nomad: Nomad) -> None:
    """The program sends no request to Nomad."""
    ran = Ran[list[str]]()
    with pytest.raises(ConfigurationError, match="httpsPort"):
        up({**RELEASED, "httpsPort": "0"}, into=ran)

    assert {resource.type for resource in ran.resources} == {"pulumi:pulumi:Stack"}
    assert nomad.asked == []


def test_what_was_applied_is_said_once_the_jobs_are_registered_and_as_the_jobs_say_it(released: Ran[list[str]]) -> None:
    """`deploy status` compares it with the metadata of the running jobs. A failed `up` writes nothing."""
    applied = released.of("Variable")["applied"]

    assert released.items["stack/applied"].keys() == {"release", "secrets", "settings"}
    assert {("Job", job) for job in ("api", "worker", "scheduler")} <= applied.after
