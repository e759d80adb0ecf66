"""One stack of the real Pulumi engine, its state in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "name: tooling\nruntime: python\n"
PASSPHRASE = "for tests"
# No command may wait for an answer, look for updates or download anything.
SETTINGS = {
    "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_SKIP_CONFIRMATIONS": "true",
    "PULUMI_OPTION_COLOR": "never",
}
COMMAND_SECONDS = 100


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command said, and how it ended."""

    code: int
    output: str

    def expect_success(self) -> "Ran":
        assert self.code == 0, self.output
        return self


class Stack:
    """`environment` says where Nomad is. What every command printed stays in `transcript`."""

    def __init__(self, folder: Path, path: list[Path], environment: dict[str, str]) -> None:
        """`folder` may hold a project already, as `project`; Pulumi writes the stack's settings into it."""
        self.project = folder / "project"
        self._state = folder / "state"
        self._state.mkdir()
        if not self.project.exists():
            self.project.mkdir()
            (self.project / "Pulumi.yaml").write_text(PROJECT, encoding="utf-8")
        search = [str(Path(sys.executable).parent), *map(str, path), os.environ["PATH"]]
        self._environment = {
            **os.environ,
            **SETTINGS,
            **environment,
            "PATH": os.pathsep.join(search),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": self._state.as_uri(),
        }
        self.transcript = ""
        self.run("stack", "init", "dev").expect_success()

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands, for a shell that runs others of them."""
        return dict(self._environment)

    def program(self, source: str) -> None:
        """The program from now on; `pulumi` and `nomad` are imported for it."""
        text = f"import pulumi\nimport pulumi_nomad as nomad\n\n{source}"
        (self.project / "__main__.py").write_text(text, encoding="utf-8")

    def up(self, *options: str) -> Ran:
        return self.run("up", "--yes", "--skip-preview", "--diff", *options)

    def preview(self, *options: str) -> Ran:
        return self.run("preview", "--diff", *options)

    def refresh(self) -> Ran:
        return self.run("refresh", "--yes", "--skip-preview", "--diff")

    def unprotect(self) -> None:
        """Allows everything to be removed, as docs/production.md says it."""
        self.run("state", "unprotect", "--all", "--yes").expect_success()

    def destroy(self) -> Ran:
        return self.run("destroy", "--yes", "--skip-preview")

    def run(self, *arguments: str) -> Ran:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.project,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        self.transcript += done.stdout
        return Ran(code=done.returncode, output=done.stdout)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that the test goes on beside; ended with the block."""
        process = subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.project,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the state holds, by the name in the program; the stack and its providers are left out."""
        return {urn.rpartition("::")[2]: resource for urn, resource in self.resources_by_urn().items()}

    def resources_by_urn(self) -> dict[str, dict[str, Any]]:
        """The same, where resources of several types have one name."""
        (file,) = self._state.glob(".pulumi/stacks/*/dev.json")
        state = json.loads(file.read_text(encoding="utf-8"))
        return {
            resource["urn"]: resource
            for resource in state["checkpoint"]["latest"].get("resources") or []
            if resource["type"].startswith("nomad:")
        }

    def processes(self) -> list[str]:
        """Command lines of what runs for this stack: engine, plugins, program."""
        mark = f"PULUMI_HOME={self._environment['PULUMI_HOME']}".encode()
        found: list[str] = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue  # It ended meanwhile.
        return found

    def everything_written(self) -> str:
        """All files of the state and all that was printed."""
        files = (path.read_text(errors="replace") for path in self._state.rglob("*") if path.is_file())
        return self.transcript + "".join(files)
