"""`upschedule capacity` prints a table or JSON; its exit code says whether the service can be scaled to the load."""

import json

from click.testing import CliRunner

from upschedule.cli import main


def test_a_small_load_is_served() -> None:
    done = CliRunner().invoke(main, ["capacity", "--students", "100", "--json"])

    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["api_instances"], found["worker_instances"], found["exceeded"]) == (2, 2, [])


def test_a_limit_that_is_lower_is_named() -> None:
    """The table ends with the sentences; the limit of requests can be given as it will be set."""
    done = CliRunner().invoke(main, ["capacity", "--students", "50000", "--minutes", "60"])
    raised = CliRunner().invoke(
        main, ["capacity", "--students", "50000", "--minutes", "60", "--requests-per-second", "5000"]
    )

    assert done.exit_code == 1, done.output
    assert "API instances" in done.output
    assert "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND" in done.output
    assert "R5.4" not in raised.output


def test_a_number_that_makes_no_sense_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["capacity", "--students", "0"]).exit_code == 2
