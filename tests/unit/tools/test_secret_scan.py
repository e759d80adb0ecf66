"""A secret in a file that Git tracks fails the lint."""

from pathlib import Path

from tests.support.releases.git_project import git
from tools.secret_scan import CLEAN, FOUND, scan, tracked_files

#: The secret is split in two, so that this file contains none.
PLANTED = "ghp_" + "9aB3dE5fG7hJ1kL2mN4pQ6rS8tU0vW1xY2zA"


def test_a_planted_secret_is_found_and_named(tmp_path: Path) -> None:
    """This is the control: the scan fails with the secret, and passes without it."""
    clean, leaking = tmp_path / "clean.py", tmp_path / "leaking.py"
    clean.write_text("TOKEN = read_from_environment()\n", encoding="utf-8")
    leaking.write_text(f'TOKEN = "{PLANTED}"\n', encoding="utf-8")

    found = scan([clean, leaking])

    assert (found.returncode, "leaking.py" in found.stdout, "clean.py" in found.stdout) == (FOUND, True, False)
    assert scan([clean]).returncode == CLEAN


def test_files_that_git_ignores_or_that_were_removed_are_not_scanned(tmp_path: Path) -> None:
    """Local secrets, such as those of `make cluster`, are in ignored files."""
    git(tmp_path, "init", "--quiet")
    for name in (".gitignore", "kept.py", "removed.py", "ignored.py"):
        (tmp_path / name).write_text("ignored.py\n", encoding="utf-8")
    git(tmp_path, "add", "--all")
    (tmp_path / "removed.py").unlink()

    assert [file.name for file in tracked_files(tmp_path)] == [".gitignore", "kept.py"]
