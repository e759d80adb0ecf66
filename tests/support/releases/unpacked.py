"""Unpacked releases, and the command that prepares them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.servers import MIGRATIONS, Database
from upschedule.operations.embedded.executables import postgres_bin
from upschedule.stores.bucket import BucketAddress

#: The real ones: every release has them.
REAL = {path.name: path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*.sql"))}
NEXT = len(REAL) + 1


def make_release(folder: Path, version: str, *more: tuple[str, str]) -> Path:
    """`more` are kind and text of migrations after the real ones."""
    (folder / "migrations").mkdir(parents=True)
    (folder / "RELEASE").write_text(json.dumps({"version": version, "commit": "0" * 40}))
    files = REAL | {f"{number:04}_{kind}_x.sql": text for number, (kind, text) in enumerate(more, start=NEXT)}
    for name, text in files.items():
        (folder / "migrations" / name).write_text(text)
    return folder


@dataclass(frozen=True, kw_only=True)
class Ran:
    """`events` are the log lines by event."""

    code: int
    events: dict[str, dict[str, Any]]
    said: str


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Runs `upschedule prepare` on a database of the wheel's server."""

    database: Database
    store: BucketAddress
    programs: Path = field(default_factory=postgres_bin)

    def run(self, release: Path, *options: str) -> Ran:
        with self.started(release, *options) as process:
            output, said = process.communicate(timeout=100)
        lines = [json.loads(line) for line in output.splitlines()]
        return Ran(code=process.returncode, events={line["event"]: line for line in lines}, said=said)

    def started(self, release: Path, *options: str, **environment: str) -> "subprocess.Popen[str]":
        own = ["--release", release, "--postgres-programs", self.programs, "--bucket", self.store.bucket]
        return subprocess.Popen(
            [sys.executable, "-m", "upschedule", "prepare", *own, "--drain-seconds", "0.1", *options],
            env={**os.environ, **self._environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "UPSCHEDULE_POSTGRES_OWNER_URL": self.database.owner_dsn,
            "UPSCHEDULE_POSTGRES_BACKUP_URL": self.database.backup_dsn,
            "UPSCHEDULE_POSTGRES_URL": self.database.dsn,
            "AWS_ENDPOINT_URL": f"http://{self.store.endpoint}",
            "AWS_ACCESS_KEY_ID": self.store.access_key,
            "AWS_SECRET_ACCESS_KEY": self.store.secret_key,
        }
