"""Runs the commands of a runbook, exactly as they are written."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster.whole.cluster import NO_SHARES
from tests.support.paths import ROOT
from tools.local_cluster.cluster import LocalCluster

FOLDER = ROOT / "docs" / "runbooks"
INDEX = "README"
#: Above the bounds of the commands themselves.
SECONDS_MAX = 1500
_BLOCK = re.compile(r"^```sh\n(?P<commands>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Commands to be typed one after the other; `heading` is the heading above them."""

    heading: str
    commands: str


def names() -> list[str]:
    """The names of all runbooks, without their index."""
    return sorted(file.stem for file in FOLDER.glob("*.md") if file.stem != INDEX)


def blocks(name: str) -> list[Block]:
    """The code blocks of the runbook `name`, in order."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    return [
        Block(heading=_HEADING.findall(text[: match.start()])[-1], commands=match["commands"])
        for match in _BLOCK.finditer(text)
    ]


def follow(name: str, *headings: str, environment: Mapping[str, str], folder: Path = ROOT) -> str:
    """Types every block under `headings` into one shell, as they follow each other, and gives what it answered.

    A command that fails ends the run, as it would make a person stop.
    """
    script = "\n".join(block.commands for heading in headings for block in blocks(name) if block.heading == heading)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def shell(cluster: LocalCluster) -> dict[str, str]:
    """What an SRE has after `source .cluster/env`."""
    path = os.pathsep.join([*map(str, cluster.path), os.environ.get("PATH", os.defpath)])
    return {**cluster.environment, **NO_SHARES, "PATH": path}
