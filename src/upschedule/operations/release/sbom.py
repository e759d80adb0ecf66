"""Writes the SBOM of a release: its dependencies with versions and hashes, as CycloneDX JSON."""

from pathlib import Path
from typing import Any

import msgspec

from upschedule.operations.release.manifest import ReleaseLabel
from upschedule.operations.subprocesses import run_program

_EXPORT_SECONDS = 60.0


def sbom_name(version: str) -> str:
    """The name of the file, beside the manifest of the same version."""
    return f"sbom-{version}.cdx.json"


def write_sbom(project: Path, label: ReleaseLabel, folder: Path) -> None:
    """Describes the lock file in `project`. The same commit gives the same bytes. Raises ProgramFailed."""
    export = ["uv", "export", "--frozen", "--no-dev", "--format", "cyclonedx1.5", "--quiet"]
    exported = run_program([*export, "--project", project], timeout_seconds=_EXPORT_SECONDS)
    sbom = msgspec.json.decode(exported, type=dict[str, Any])
    # These two differ in each run.
    sbom.pop("serialNumber", None)
    sbom["metadata"].pop("timestamp", None)
    sbom["metadata"]["component"]["version"] = label.version
    (folder / sbom_name(label.version)).write_bytes(msgspec.json.format(msgspec.json.encode(sbom), indent=1) + b"\n")
