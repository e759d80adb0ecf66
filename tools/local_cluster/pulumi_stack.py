"""The stack `local` of Pulumi: its state, passphrase and configuration are in the cluster's folder."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        """What `pulumi` needs besides PATH, also when a person runs it."""
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
        """The project is `pulumi/` as it stands; only the stack's configuration is written elsewhere."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        self.project.mkdir(exist_ok=True)
        write_private(self.folder / "passphrase", passphrase.encode())
        text = f"name: {PROJECT}\nruntime: python\nmain: {ROOT / 'pulumi'}\n"
        (self.project / "Pulumi.yaml").write_text(text, encoding="utf-8")
        self.run("stack", "select", "--create", STACK)

    def configure(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Sets what differs; what somebody set besides stays. Raises ClusterError."""
        wanted = {f"{PROJECT}:{name}": {"value": value, "secret": False} for name, value in settings.items()}
        wanted |= {f"{PROJECT}:{name}": {"value": value, "secret": True} for name, value in secrets.items()}
        known = self.values()
        changed = {name: entry for name, entry in wanted.items() if known.get(bare(name)) != entry["value"]}
        if changed:
            # Not as an argument: the list of processes is for everybody to read.
            self.run("config", "set-all", more={"PULUMI_OPTION_JSON": json.dumps(changed)})

    def setting(self, name: str) -> str:
        """Empty where it is not set. Raises ClusterError."""
        return self.values().get(name, "")

    def values(self) -> dict[str, str]:
        """All that is set, secrets as well. Raises ClusterError."""
        known = json.loads(self.run("config", "--json", "--show-secrets"))
        return {bare(name): entry["value"] for name, entry in known.items()}

    def up(self, *options: str) -> str:
        """What it printed. Raises ClusterError."""
        return self.run("up", "--yes", "--skip-preview", "--diff", *options)

    def output(self, name: str) -> str:
        """Of the program, secret or not. Raises ClusterError."""
        return self.run("stack", "output", name, "--show-secrets").strip()

    def destroy(self) -> str:
        """Raises ClusterError."""
        return self.run("destroy", "--yes", "--skip-preview")

    def run(self, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        """Raises ClusterError with what it said."""
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


def bare(name: str) -> str:
    """Without the project's."""
    return name.removeprefix(f"{PROJECT}:")
