"""An invalid database URL ends a command with a sentence, not with an error of the library."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.paths import ROOT
from upschedule.cli import migrate, prepare

OWNER = "UPSCHEDULE_POSTGRES_OWNER_URL"


@pytest.mark.parametrize("url", ["postgresql://h:abc/x", "postgresql://h/x?foo=1", "h:5432"])
def test_migrate_names_the_variable_and_says_what_to_write(url: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(migrate.command, ["--directory", str(tmp_path)], env={OWNER: url})

    assert done.exit_code == 2
    assert f"{OWNER} cannot be used: write postgresql://USER" in done.output
    assert url not in done.output


@pytest.mark.parametrize(
    ("options", "name"), [(("--wait", "1"), "UPSCHEDULE_POSTGRES_URL"), ((), OWNER)], ids=["waiting", "preparing"]
)
def test_prepare_names_the_variable_and_says_what_to_write(options: tuple[str, ...], name: str, tmp_path: Path) -> None:
    """Otherwise the command would wait for a database that no URL names."""
    (tmp_path / "RELEASE").write_text('{"version": "1", "commit": "c0ffee"}', encoding="utf-8")
    (tmp_path / "migrations").symlink_to(ROOT / "migrations")
    url = "postgresql://h:abc/x"
    done = CliRunner().invoke(prepare.command, ["--release", str(tmp_path), *options], env={name: url})

    assert done.exit_code == 2
    assert f"{name} cannot be used: write postgresql://USER" in done.output
    assert url not in done.output
