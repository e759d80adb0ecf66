"""The synthetic student runs if the stack has an account for it and a release. Half of an account is refused."""

from tests.support.cluster.program.configurations import GIVEN, REQUIRED, problems
from tests.support.cluster.program.job_files import declared
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran
from tests.support.cluster.program.whole_program import RELEASED, up
from tests.support.paths import ROOT
from tools.local_cluster.chroot import SYSTEM_FILES

WITHOUT_PASSWORD = {name: text for name, text in GIVEN.items() if name != "syntheticPassword"}
WITHOUT_MAIL = {name: text for name, text in REQUIRED.items() if name != "syntheticMail"}


def test_an_account_has_an_address_and_a_password() -> None:
    """An address without a password, or the reverse, is refused with a message that says what to do."""
    assert problems(secrets=WITHOUT_PASSWORD) == {
        "syntheticPassword": "is missing; set it with --secret, or remove syntheticMail"
    }
    assert problems(settings=WITHOUT_MAIL) == {"syntheticMail": "is missing; set it, or remove syntheticPassword"}
    assert problems(settings=WITHOUT_MAIL, secrets=WITHOUT_PASSWORD) == {}


def test_its_times_are_settings(released: Ran[list[str]], nomad: Nomad) -> None:
    """It uses the address that students use, and no other part of the cluster."""
    variables = released.variables("synthetic")
    assert (variables["url"], variables["every_seconds"], variables["document_seconds"]) == (
        "https://schedule.example.org",
        "300",
        "60",
    )
    assert set(released.items["nomad/jobs/synthetic"]) == {"mail", "password", "authority"}

    chosen = up({**RELEASED, "syntheticEverySeconds": "60"}).variables("synthetic")
    assert chosen["every_seconds"] == "60"


def test_a_stack_without_an_account_has_no_synthetic_student(nomad: Nomad) -> None:
    """All other jobs exist."""
    settings = {name: text for name, text in RELEASED.items() if name != "syntheticMail"}
    assert "synthetic" not in up(settings, WITHOUT_PASSWORD).jobs


def test_the_public_authorities_are_where_a_task_sees_them() -> None:
    """This holds for production machines and for a local cluster.

    Without these files, it would not trust a certificate from ACME.
    """
    file = declared("synthetic")["authorities_file"]
    assert file in SYSTEM_FILES
    assert f'"{file}"' in (ROOT / "nomad" / "client.hcl").read_text(encoding="utf-8")
