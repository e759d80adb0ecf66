"""Documentation, example and job files name the settings that the program accepts, with the same defaults."""

import re

import msgspec
import pytest

from tests.support.cluster.program.configurations import GIVEN, OPTIONAL_SECRETS, SECRETS, fields, problems
from tests.support.cluster.program.job_files import JOBS, declared
from tests.support.cluster.program.recorded_engine import Ran
from tests.support.paths import ROOT

EXAMPLE = ROOT / "pulumi" / "Pulumi.production.example.yaml"
PRODUCTION = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LOOP = re.compile(r"for name in ([\w\s\\]+); do\n.*pulumi config set --secret \$name")
SET = re.compile(r"pulumi config set (?P<options>(?:--[a-z]+ )*)(?P<name>[a-z]\w+)")
#: The figures of the table in docs/requirements.md.
REQUIREMENTS = {
    "R4.3 Redis evicts LRU at 2 GB": {"redisCacheMemoryMb": 2048},
    # The default minimum is above the lowest accepted value: with one instance, its loss would leave the service
    # without any (R10.5).
    "R10.1 API instances 1 to 20": {"apiInstancesMin": 2, "apiInstancesMax": 20},
    "R10.2 workers 2 to 50": {"workerInstancesMin": 2, "workerInstancesMax": 50},
    "R11.1 worker: 2 cores, 2 GB": {"workerCores": 2, "workerMemoryMb": 2048},
    "R11.2 API: 1 core, 1 GB": {"apiCores": 1, "apiMemoryMb": 1024},
}


def example(text: str) -> dict[str, str]:
    config = msgspec.yaml.decode(text, type=dict[str, dict[str, str]])["config"]
    return {name.removeprefix("upschedule:"): value for name, value in config.items()}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["as it stands", "with what is commented out"])
def test_the_example_is_a_stack_that_can_be_used(elsewhere: bool) -> None:  # noqa: FBT001 - a parameter
    """Only secrets are missing from the example. No certificate is among them, since the example uses ACME."""
    text = EXAMPLE.read_text(encoding="utf-8")
    settings = example(text.replace("# upschedule:", "upschedule:") if elsewhere else text)

    assert ("postgresAddress" in settings) is elsewhere
    assert settings.keys() <= fields().keys()
    assert problems(settings, {name: GIVEN[name] for name in SECRETS}) == {}


def test_the_example_keeps_within_the_requirements() -> None:
    """A stack that copies the example meets the requirements."""
    found = example(EXAMPLE.read_text(encoding="utf-8"))
    asked = {name: str(value) for figures in REQUIREMENTS.values() for name, value in figures.items()}

    assert {name: found[name] for name in asked} == asked


@pytest.mark.parametrize(("requirement", "figures"), REQUIREMENTS.items())
def test_the_defaults_are_those_that_were_asked_for(requirement: str, figures: dict[str, int]) -> None:
    """A stack that does not set these values meets the requirements."""
    defaults = {name: field.default for name, field in fields().items()}

    assert f"| {requirement} |" in PAGES
    assert {name: defaults[name] for name in figures} == figures


def test_the_defaults_of_job_files_are_those_of_the_program(released: Ran[list[str]]) -> None:
    """An operator who runs a job file by hand gets the defaults of the stack."""
    differing = {
        f"{job}: {name}": (default, released.variables(job)[name])
        for job in JOBS
        for name, default in declared(job).items()
        if name in released.variables(job) and name != "secrets_fingerprint"
        if default not in (None, released.variables(job)[name])
    }

    assert differing == {}


def test_every_page_sets_what_there_is() -> None:
    """Pages set secrets with `--secret` and settings without it."""
    found = [(match["name"], "--secret" in match["options"]) for match in SET.finditer(PAGES)]
    secrets = {*SECRETS, *OPTIONAL_SECRETS}

    assert len(found) > 20
    assert [name for name, secret in found if name not in (secrets if secret else fields())] == []


def test_the_way_to_production_sets_every_secret() -> None:
    """The page sets some secrets in a loop. It sets no certificate, since its example uses ACME."""
    (loop,) = LOOP.findall(PRODUCTION)
    found = [*loop.replace("\\", "").split(), *(match["name"] for match in SET.finditer(PRODUCTION))]

    assert sorted(found) == sorted(SECRETS)
