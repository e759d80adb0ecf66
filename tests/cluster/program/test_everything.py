"""The whole program: what it makes of a stack, and that its parts fit the job files."""

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

#: Besides the jobs of the application.
OF_A_RELEASE = ("supervisor", "synthetic", "backup", "restore")
#: Outputs that say what the stack is for, and those that are secret.
NOT_PLACES = {"namespace", "deployToken", "operatorToken"}


def marks(name: str) -> tuple[str, str]:
    """A secret's own part, plain and as a URL has it."""
    return f"<{name}>", f"%3C{name}%3E"


def test_the_parts_of_the_program_are_those_of_these_tests(released: Ran[list[str]]) -> None:
    """Its reader is given their settings and secrets; `cluster` is what they share."""
    assert {"parts.cluster", *released.result} == {part.__name__ for part in PARTS}


def test_every_job_file_has_its_job_in_the_namespace_of_the_stack(released: Ran[list[str]]) -> None:
    """Each as a user of its own, but the restore, which makes the files of PostgreSQL's (R8.1)."""
    assert tuple(sorted(released.jobs)) == JOBS
    assert released.of("Namespace")["namespace"].inputs["name"] == "whole"
    for name, job in released.jobs.items():
        assert released.variables(name)["namespace"] == "whole"
        assert released.variables(name)["user"] == f"whole-{'postgres' if name == 'restore' else name}"
        assert ("Namespace", "namespace") in job.after
    assert {made.inputs["namespace"] for made in released.of("Variable").values()} == {"whole"}


def test_a_stack_without_a_release_has_everything_else() -> None:
    """Its stores are there before the first release is pushed into them; nobody is asked for one on its way."""
    assert set(up().jobs) == set(JOBS) - {*application.JOBS, *OF_A_RELEASE}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_given_what_its_file_declares(released: Ran[list[str]], job: str) -> None:
    """Nomad refuses an unknown variable, and one that is missing, in the middle of an `up`."""
    given, known = released.variables(job).keys(), declared(job)

    assert given <= known.keys()
    assert {name for name, default in known.items() if default is None} <= given


def test_a_secret_is_read_where_it_is_needed_and_nowhere_else(released: Ran[list[str]]) -> None:
    """The owner's password above all: what may change tables runs once in a release (R8.1, R8.2)."""
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
    """In Pulumi's state and output, and in Nomad's jobs, which more people may read than Variables (R8.2)."""
    for made in released.resources:
        open_ones = str({name: value for name, value in made.inputs.items() if name not in made.secret})
        assert not [name for name in ALL if any(mark in open_ones for mark in marks(name))]
        names = ("autoscaler", "deploy", "operator", "supervisor")
        assert not [name for name in names if token_of(name) in open_ones]
    assert all(made.secret == {"items"} for made in released.of("Variable").values())


def test_every_secret_item_is_read_by_a_template_of_its_job(released: Ran[list[str]]) -> None:
    """Under the path and the name that the file says; what nobody reads would be given away for nothing."""
    of_jobs = {path: items for path, items in released.items.items() if path.startswith("nomad/jobs/")}
    assert set(released.items) - set(of_jobs) == {"stack/applied", "operators/ops"}
    for path, items in of_jobs.items():
        job = path.split("/")[2]
        blocks = [part.partition("nomadVar")[0] for part in templates(job).split(f'nomadVar "{path}"')[1:]]
        assert blocks
        assert "range .Tuples" in str(blocks) or not [name for name in items if f".{name}" not in str(blocks)]


def templates(job: str) -> str:
    """In the job's file, where quotes may stand in a string, and beside it."""
    files = sorted((FILES / job).glob("*.tpl"))
    return "\n".join([text_with_names(job).replace('\\"', '"'), *(file.read_text(encoding="utf-8") for file in files)])


def test_the_stack_tells_its_namespace_and_keeps_its_token(released: Ran[list[str]]) -> None:
    """`pulumi stack output deployToken` shows it only when asked to, and so does `operatorToken`."""
    assert (released.outputs["namespace"], released.outputs["deployToken"]) == ("whole", token_of("deploy"))
    assert released.outputs["operatorToken"] == token_of("operator")
    assert released.secret == {"deployToken", "operatorToken"}
    assert {made.inputs["name"] for made in released.of("AclPolicy").values()} == {
        "whole-deploy",
        "whole-operator",
        "whole-autoscaler",
        "whole-supervisor",
    }


def test_the_stack_says_where_everything_is(released: Ran[list[str]]) -> None:
    """Nobody has to put an address together from the settings; nothing of it is secret."""
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
    """A mistake in the stack or the program cannot remove it; everything else may come and go."""
    stores = {"postgres", "redis-state", "object-store", "backup-store"}
    protected = {(made.type.rpartition(":")[2], made.name) for made in released.resources if made.protected}

    assert protected == {
        ("Namespace", "namespace"),
        *(("Job", name) for name in stores),
        *(("Variable", name) for name in stores),
    }
    assert {name for name, made in released.jobs.items() if not made.inputs["purgeOnDestroy"]} == stores


def test_a_release_that_must_wait_changes_nothing_at_all(nomad: Nomad) -> None:
    """Neither stores nor edge: what Pulumi was asked for before an error it would make all the same (R12.4)."""
    nomad.runs("worker", "1", counts=(2, 2, 2), Status="running", TaskGroups={"worker": {"DesiredCanaries": 1}})
    ran = Ran[list[str]]()
    with pytest.raises(ReleaseUnderWay, match=r"Release 2 must wait: .* in worker \(1, running\)"):
        up({**RELEASED, "release": manifest("2")}, into=ran)

    assert {made.type for made in ran.resources} == {"pulumi:pulumi:Stack"}
    assert {asked.path.partition("?")[2] for asked in nomad.asked} == {"namespace=whole"}


def test_the_same_release_is_repeated_while_it_is_under_way(nomad: Nomad) -> None:
    """As to mend an `up` that was cut off, or to change a setting of a store."""
    nomad.runs("worker", "1", counts=(2, 2, 2), Status="running", TaskGroups={"worker": {"DesiredCanaries": 1}})

    assert set(up(RELEASED).jobs) == set(JOBS)


def test_a_nomad_that_says_nothing_changes_nothing(nomad: Nomad) -> None:
    """An `up` without a release asks nobody."""
    nomad.answers["/v1/job/api/versions"] = b""
    ran = Ran[list[str]]()
    with pytest.raises(NomadSilent):
        up(RELEASED, into=ran)

    assert {made.type for made in ran.resources} == {"pulumi:pulumi:Stack"}
    assert set(up().jobs) == set(JOBS) - {*application.JOBS, *OF_A_RELEASE}


def test_a_wrong_stack_changes_nothing(nomad: Nomad) -> None:
    """And asks Nomad nothing."""
    ran = Ran[list[str]]()
    with pytest.raises(ConfigurationError, match="httpsPort"):
        up({**RELEASED, "httpsPort": "0"}, into=ran)

    assert {made.type for made in ran.resources} == {"pulumi:pulumi:Stack"}
    assert nomad.asked == []


def test_what_was_applied_is_said_once_the_jobs_are_registered_and_as_the_jobs_say_it(released: Ran[list[str]]) -> None:
    """`deploy status` compares it with the meta data of what runs; a failed `up` says nothing."""
    applied = released.of("Variable")["applied"]

    assert released.items["stack/applied"].keys() == {"release", "secrets", "settings"}
    assert {("Job", job) for job in ("api", "worker", "scheduler")} <= applied.after
