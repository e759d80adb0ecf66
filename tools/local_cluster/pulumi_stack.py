"""The Pulumi stack `local`, with state, passphrase and configuration in the cluster's folder."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.plugin_fallback import project_plugins
from tools.local_cluster.errors import ClusterError
from tools.local_cluster.plan import ROOT
from upschedule.operations.embedded.passwords import write_private

STACK = "local"
PROJECT = "upschedule"
COMMAND_SECONDS = 240
# No command may wait for an answer, look for updates or download anything.
QUIET = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
}


@dataclass(frozen=True, kw_only=True)
class PulumiStack:
    """`path` are the folders of pulumi and its plugins; `nomad` the variables that say where Nomad is."""

    folder: Path
    path: Sequence[Path]
    nomad: Mapping[str, str]

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `pulumi` needs besides PATH, here and in a user's shell."""
        return {
            **QUIET,
            **self.nomad,
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "PULUMI_STACK": STACK,
            "PULUMI_OPTION_CWD": str(self.project),
        }

    def prepare(self, passphrase: str) -> None:
        """Selects the stack of the project `pulumi/`, whose configuration file is in `folder`. Raises ClusterError."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        self.project.mkdir(exist_ok=True)
        write_private(self.folder / "passphrase", passphrase.encode())
        described = {
            "name": PROJECT,
            "runtime": "python",
            "main": str(ROOT / "pulumi"),
            "plugins": project_plugins(self.path),
        }
        # JSON is YAML.
        (self.project / "Pulumi.yaml").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
        self.run("stack", "select", "--create", STACK)

    def configure(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Sets the values that differ, and leaves all others. Raises ClusterError."""
        wanted = {f"{PROJECT}:{name}": {"value": value, "secret": False} for name, value in settings.items()}
        wanted |= {f"{PROJECT}:{name}": {"value": value, "secret": True} for name, value in secrets.items()}
        known = self.values()
        changed = {name: entry for name, entry in wanted.items() if known.get(without_project(name)) != entry["value"]}
        if changed:
            # Not as an argument, since every user can read the list of processes.
            self.run("config", "set-all", more={"PULUMI_OPTION_JSON": json.dumps(changed)})

    def setting(self, name: str) -> str:
        """The value; empty if it is not set. Raises ClusterError."""
        return self.values().get(name, "")

    def values(self) -> dict[str, str]:
        """All values, including secrets. Raises ClusterError."""
        known = json.loads(self.run("config", "--json", "--show-secrets"))
        return {without_project(name): entry["value"] for name, entry in known.items()}

    def up(self, *options: str) -> str:
        """Runs `pulumi up` and returns its output. Raises ClusterError."""
        return self.run("up", "--yes", "--skip-preview", "--diff", *options)

    def output(self, name: str) -> str:
        """An output of the program, secret or not. Raises ClusterError."""
        return self.run("stack", "output", name, "--show-secrets").strip()

    def destroy(self) -> str:
        """Destroys all resources, including protected ones. Raises ClusterError."""
        self.run("state", "unprotect", "--all", "--yes")
        return self.run("destroy", "--yes", "--skip-preview")

    def run(self, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        """Runs `pulumi` and returns its output. Raises ClusterError with that output."""
        search = os.pathsep.join([*map(str, self.path), os.environ.get("PATH", os.defpath)])
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            env={**os.environ, **self.environment, "PATH": search, **(more or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(f"pulumi {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def without_project(name: str) -> str:
    """The name of a value without the project's prefix."""
    return name.removeprefix(f"{PROJECT}:")
