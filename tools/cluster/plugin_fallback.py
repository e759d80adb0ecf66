"""Decides which of Pulumi's plugins the project's own replace: those neither installed nor downloadable."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tools.cluster.pinned_programs import HERE, TOOLS, CannotPrepareError

NOMAD_PLUGIN = ("resource", "nomad", "2.6.1")
NOMAD_HOST = "pulumi-resource-nomad"
LANGUAGE_HOST = "pulumi-language-python"
EXECUTOR = "pulumi-language-python-exec"
DOWNLOAD_SECONDS = 60
SECONDS_BETWEEN_ATTEMPTS = 86_400
ENGINE_FOLDER = HERE / "pulumi"


def fallback_folders(programs: Path) -> list[Path]:
    """Folders under tools/ to put on PATH, each with one plugin."""
    needed: list[Path] = []
    if official := shutil.which(LANGUAGE_HOST, path=official_path()):
        print(f"{LANGUAGE_HOST}: found at {official}")
    else:
        print(f"{LANGUAGE_HOST}: not installed, the project's own is used")
        needed.append(TOOLS / LANGUAGE_HOST)
    if nomad_plugin(programs / "pulumi"):
        print("pulumi-resource-nomad: the official plugin is installed")
    else:
        print("pulumi-resource-nomad: cannot be downloaded, the project's own is used")
        needed.append(TOOLS / NOMAD_HOST)
    return needed


def project_plugins(folders: Iterable[Path]) -> dict[str, list[dict[str, str]]]:
    """The value of `plugins` in a Pulumi.yaml that names those of the project's own that are among the folders.

    Pulumi warns of a plugin that it finds on PATH only, in every preview.
    """
    ours = {folder.name: str(folder) for folder in folders}
    named: dict[str, list[dict[str, str]]] = {}
    if path := ours.get(NOMAD_HOST):
        _, name, version = NOMAD_PLUGIN
        named["providers"] = [{"name": name, "version": version, "path": path}]
    if path := ours.get(LANGUAGE_HOST):
        named["languages"] = [{"name": "python", "path": path}]
    return named


def official_path() -> str:
    """PATH without our own folder, which a caller may have put there before."""
    return os.pathsep.join(entry for entry in os.get_exec_path() if Path(entry).resolve() != TOOLS / LANGUAGE_HOST)


def nomad_plugin(pulumi: Path) -> bool:
    """True: `pulumi` has it or could download it now. A download that failed is not tried again on the same day."""
    kind, name, version = NOMAD_PLUGIN
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    if (home / "plugins" / f"{kind}-{name}-v{version}").is_dir():
        return True
    refused = pulumi.parent.parent / "nomad-plugin-refused"
    if refused.exists() and time.time() - refused.stat().st_mtime < SECONDS_BETWEEN_ATTEMPTS:
        return False
    command = [pulumi, "plugin", "install", kind, name, version]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DOWNLOAD_SECONDS, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        done = False
    if not done:
        refused.touch()
    return done


def language_executor(programs: Path) -> None:
    """Copies the small program that runs a Pulumi program: it comes with Pulumi's Go module, so our tree has no copy.

    Raises CannotPrepareError where that module cannot be had.
    """
    if shutil.which(LANGUAGE_HOST, path=official_path()) or (programs / EXECUTOR).exists():
        return
    question = ["go", "mod", "download", "-json", "github.com/pulumi/pulumi/sdk/v3"]
    try:
        answer = subprocess.run(question, cwd=ENGINE_FOLDER, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as reason:
        raise CannotPrepareError(f"{EXECUTOR} could not be taken from Pulumi's Go module: {reason}") from None
    unfinished = programs / f"{EXECUTOR}.unfinished"
    shutil.copyfile(Path(json.loads(answer.stdout)["Dir"]) / "python" / "cmd" / EXECUTOR, unfinished)
    unfinished.chmod(0o755)
    unfinished.rename(programs / EXECUTOR)
