"""All packages come from one index and are pinned."""

import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.installation.uv import OLDEST, TOO_NEW
from tools.supply_chain import action_problems, lock_problems

HASH = "sha256:" + "0" * 64
PACKAGE = (
    '[[package]]\nname = "thing"\nversion = "1"\nsource = {source}\nwheels = [{{ url = "https://x/y.whl"{hash} }}]\n'
)
INDEX = '{ registry = "https://pypi.org/simple" }'


@pytest.mark.parametrize(
    ("source", "file_hash", "problem"),
    [
        (INDEX, f', hash = "{HASH}"', ""),
        (INDEX, "", "has a file without a SHA-256"),
        (INDEX, ', hash = "md5:00"', "has a file without a SHA-256"),
        ('{ git = "https://x/y" }', f', hash = "{HASH}"', "comes from"),
        ('{ registry = "https://elsewhere/simple" }', f', hash = "{HASH}"', "comes from"),
    ],
    ids=["pinned", "no hash", "weak hash", "git", "another index"],
)
def test_a_package_without_a_hash_or_from_elsewhere_is_named(
    source: str, file_hash: str, problem: str, tmp_path: Path
) -> None:
    """The first case is the control."""
    lock = tmp_path / "uv.lock"
    lock.write_text(PACKAGE.format(source=source, hash=file_hash), encoding="utf-8")

    found = list(lock_problems(lock))

    assert len(found) == bool(problem)
    assert all("thing" in each and problem in each for each in found)


def test_an_action_that_is_pinned_to_a_tag_is_named(tmp_path: Path) -> None:
    """A tag can be moved to another commit."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "x.yml").write_text(f"steps:\n  - uses: a/b@v5\n  - uses: c/d@{'0' * 40} # v5\n", encoding="utf-8")

    assert list(action_problems(tmp_path)) == ["x.yml: a/b@v5 is not pinned to a commit."]


def test_the_project_is_built_by_the_uv_that_installs_it() -> None:
    """The bounds of uv and of its build backend agree, so that no build tool is downloaded without a hash."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    bounds = f">={'.'.join(map(str, OLDEST))},<{'.'.join(map(str, TOO_NEW))}"
    locked = next(
        package
        for package in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
        if package["name"] == "uv"
    )

    assert project["build-system"] == {"requires": [f"uv_build{bounds}"], "build-backend": "uv_build"}
    assert project["tool"]["uv"]["required-version"] == bounds
    assert OLDEST <= tuple(int(part) for part in locked["version"].split(".")[:2]) < TOO_NEW
