"""A backup of Nomad restores its secrets on a fresh server. A snapshot alone does not (R8.2)."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.paths import ROOT

COMMANDS = ROOT / "hosts" / "sbin"
ITEMS = {"owner_password": "s3cret-word"}
PATH = "nomad/jobs/postgres"


#: A replacement of Nomad's command that fails after the snapshot, or that names no key.
FAILING = """#!/bin/sh
case "$*" in
  "operator api"*) {answer} ;;
esac
exec {program} "$@"
"""


def command(
    name: str, folder: Path, data: Path, agent: Agent | None = None, *, before: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the script as root does on a server, with `nomad` on PATH. `before` is a folder in front of PATH."""
    programs = [*([str(before)] if before else []), *([str(agent.program.parent)] if agent else [])]
    environment = {
        **os.environ,
        **(agent.environment if agent else {}),
        "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
        "NOMAD_DATA": str(data),
    }
    return subprocess.run(
        [COMMANDS / name, folder], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def first(programs: Path) -> Iterator[Agent]:
    """A server with a secret."""
    with running_agent(programs / "nomad") as running:
        running.call("PUT", f"var/{PATH}", {"Path": PATH, "Items": ITEMS})
        yield running


@pytest.fixture
def backup(first: Agent, tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    done = command("upschedule-nomad-backup", folder, first.data, first)
    assert done.returncode == 0, done.stderr
    return folder


def restore(agent: Agent, backup: Path) -> None:
    """Restores with the fresh server's own token, which is invalid afterwards."""
    done = agent.nomad("operator", "snapshot", "restore", str(backup / "nomad.snap"))
    assert done.returncode == 0, done.stderr


def test_a_backup_is_for_its_owner_only_and_has_every_key(first: Agent, backup: Path) -> None:
    """A reader of both files can read every secret."""
    saved = {file.name: file.stat().st_mode & 0o077 for file in backup.iterdir()}
    listed = subprocess.run(["tar", "-tf", backup / "nomad-keystore.tar"], capture_output=True, text=True, check=True)

    assert saved == {"nomad.snap": 0, "nomad-keystore.tar": 0}
    for key in first.call("GET", "operator/keyring/keys"):
        assert key["KeyID"] in listed.stdout


def test_a_backup_that_lacks_a_key_is_none(first: Agent, tmp_path: Path) -> None:
    """A server may not have received the newest key yet. An earlier backup stays unchanged."""
    (tmp_path / "empty" / "server" / "keystore").mkdir(parents=True)
    failed = command("upschedule-nomad-backup", tmp_path / "backup", tmp_path / "empty", first)

    assert failed.returncode != 0
    assert "has no file of the key" in failed.stderr
    assert not (tmp_path / "backup" / "nomad.snap").exists()


@pytest.mark.parametrize("answer", ["exit 1", "echo '[]'; exit 0", "echo 'no leader'; exit 0"])
def test_a_backup_whose_keys_cannot_be_checked_is_none(first: Agent, tmp_path: Path, answer: str) -> None:
    """Otherwise the files would be kept, and the fault would be found only during a restore."""
    failing = tmp_path / "bin" / "nomad"
    failing.parent.mkdir()
    failing.write_text(FAILING.format(answer=answer, program=first.program), encoding="utf-8")
    failing.chmod(0o755)
    failed = command("upschedule-nomad-backup", tmp_path / "backup", first.data, first, before=failing.parent)

    assert failed.returncode != 0
    assert not (tmp_path / "backup" / "nomad.snap").exists()


def test_with_the_keys_a_fresh_server_reads_every_secret(first: Agent, backup: Path, programs: Path) -> None:
    """The keys are installed before the server starts."""

    def prepare(data: Path) -> None:
        done = command("upschedule-nomad-keystore", backup, data)
        assert done.returncode == 0, done.stderr

    with running_agent(programs / "nomad", prepare=prepare) as fresh:
        restore(fresh, backup)

        assert fresh.call("GET", f"var/{PATH}", token=first.token)["Items"] == ITEMS
        assert {file.stat().st_mode & 0o077 for file in (fresh.data / "server/keystore").iterdir()} == {0}


def test_a_snapshot_alone_restores_no_secret(first: Agent, backup: Path, programs: Path) -> None:
    """The variable exists, but cannot be decrypted. If Nomad changes this, the runbook can be shorter."""
    with running_agent(programs / "nomad") as fresh:
        restore(fresh, backup)

        assert [found["Path"] for found in fresh.call("GET", "vars", token=first.token)] == [PATH]
        assert fresh.status(f"var/{PATH}", token=first.token) == 500
