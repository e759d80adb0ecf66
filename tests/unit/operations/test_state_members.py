"""The files of a saved state are written below the given folder, and nowhere else."""

import tarfile
from pathlib import Path

import pytest

from upschedule.operations.cluster_backup.state import write_member


def test_a_file_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    write_member(tmp_path, tarfile.TarInfo("keys/agent.pem"), b"secret")

    written = tmp_path / "keys" / "agent.pem"
    assert written.read_bytes() == b"secret"
    assert written.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../outside", "keys/../../outside", "/outside"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A manipulated archive must not replace files of the system."""
    folder = tmp_path / "restored"
    folder.mkdir()

    with pytest.raises(tarfile.ReadError, match="leads out of the folder"):
        write_member(folder, tarfile.TarInfo(name), b"x")

    assert [path.name for path in tmp_path.rglob("*")] == ["restored"]
