"""Texts and exit codes of errors."""

from upschedule.deploy.errors import DeployError, ExitCode, ServerRefused, Superseded


def test_a_refusal_is_quoted_completely() -> None:
    """A secret that is cut in two could no longer be found and removed (R8.2)."""
    text = "x" * 5_000 + "secret"

    assert text in str(ServerRefused("Nomad", "POST v1/jobs", 500, text))


def test_each_error_has_its_exit_code() -> None:
    """The exit codes are those of docs/releases.md."""
    refused, superseded = ServerRefused("Nomad", "GET v1/jobs", 403, ""), Superseded("api", 1, 2)

    assert [error.exit_code for error in (DeployError(), refused, superseded)] == [
        ExitCode.UNREACHABLE,
        ExitCode.UNREACHABLE,
        ExitCode.SUPERSEDED,
    ]
