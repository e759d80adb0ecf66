"""Runs what a runbook tells a person to type, as it stands there."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbooks"
SECONDS_MAX = 600
_BLOCK = re.compile(r"^```sh\n(?P<commands>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Commands to be typed one after the other; `heading` is what they stand under."""

    heading: str
    commands: str


def blocks(name: str) -> list[Block]:
    """Of the runbook `name`, in its order."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    found: list[Block] = []
    for match in _BLOCK.finditer(text):
        headings = re.findall(r"^#+ (.*)$", text[: match.start()], re.MULTILINE)
        found.append(Block(heading=headings[-1], commands=match["commands"]))
    return found


def follow(name: str, environment: Mapping[str, str], *, headings: tuple[str, ...] = ()) -> str:
    """Types every block, or those under `headings`, into one shell, and gives what it answered.

    A command that fails ends the run, as it would make a person stop.
    """
    chosen = [block for block in blocks(name) if not headings or block.heading in headings]
    assert chosen, f"{name} has no commands under {headings}"
    script = "\n".join(block.commands for block in chosen)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-x", "-c", script],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
