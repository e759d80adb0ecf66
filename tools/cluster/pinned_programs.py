"""The pinned programs of the cluster: versions, build commands, and the cache of built programs.

Each folder beside this file holds the go.mod and go.sum of one program. Nomad 1.6.1 and Consul 1.16.3 are the last
releases under an open-source licence; docs/decisions/0010 has the reasons, also why no module may be bumped by hand.
"""

import hashlib
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent
VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")
ANSWER_SECONDS = 30


class CannotPrepareError(Exception):
    """A program can be neither found nor built; the text says what to install or free."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program; `package` is built in the folder with the program's name."""

    name: str
    version: str
    package: str
    cgo: bool = False
    tags: str = ""
    linker_flags: str = "-s -w"

    @property
    def folder(self) -> Path:
        return HERE / self.name

    def command(self, output: Path) -> list[str]:
        tags = ["-tags", self.tags] if self.tags else []
        return ["go", "build", *tags, "-trimpath", "-ldflags", self.linker_flags, "-o", str(output), self.package]


# Nomad's exec driver starts containers through runc, which is C; the others are pure Go. Shortest first.
PROGRAMS = (
    Program(name="nomad-autoscaler", version="0.3.7", package="github.com/hashicorp/nomad-autoscaler"),
    Program(
        name="pulumi",
        version="3.230.0",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        linker_flags="-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.230.0",
    ),
    Program(name="nomad", version="1.6.1", package="github.com/hashicorp/nomad", cgo=True, tags="release"),
    Program(name="consul", version="1.16.3", package="github.com/hashicorp/consul"),
)


def pins_hash() -> str:
    """A hash of the pinned modules, the build commands and the kind of machine."""
    digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
    for program in PROGRAMS:
        digest.update(repr(program).encode())
        for file in ("go.mod", "go.sum"):
            digest.update((program.folder / file).read_bytes())
    return digest.hexdigest()[:16]


def cache() -> Path:
    """The folder of built programs, outside the work tree so that all clones share it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "upschedule" / "cluster-tools" / pins_hash()


def version_of(executable: Path) -> str | None:
    """The version that the program prints; None if it cannot be run or prints none."""
    try:
        answer = subprocess.run(
            [executable, "version"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = VERSION.search(answer.stdout)
    return match.group(1) if match else None
