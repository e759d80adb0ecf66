"""Packs a commit as two immutable archives with their SBOM (R12.1)."""

import sys
import tempfile
from pathlib import Path

import msgspec

from upschedule.operations.release.archive import describe, write_archive
from upschedule.operations.release.environment import Environment, compile_bytecode, install, read_environment
from upschedule.operations.release.manifest import Archive, Manifest
from upschedule.operations.release.sbom import write_sbom
from upschedule.operations.release.sources import Commit, current_commit, write_sources
from upschedule.operations.subprocesses import run_program
from upschedule.settings.schema import SettingDescription
from upschedule.stores.bucket import Bucket

_PROJECT = ("pyproject.toml", "uv.lock")
_SCHEMA_SECONDS = 60.0


def pack(repository: Path, *, cache: Path, python: Path, store: Bucket | None) -> Manifest:
    """Writes the archives and the SBOM to `cache`, except dependencies that are in the store already.

    `python` is the interpreter that the nodes run. Raises ReleaseError, ProgramFailed, StoreError.
    """
    cache.mkdir(parents=True, exist_ok=True)
    commit = current_commit(repository)
    with tempfile.TemporaryDirectory(prefix="upschedule-release-") as scratch:
        environment = _environment(commit, Path(scratch), cache=cache, python=python, store=store)
        write_sbom(Path(scratch), commit.label, cache)
        return Manifest(
            version=commit.label.version,
            commit=commit.id,
            environment=environment,
            sources=_sources(commit, Path(scratch), cache=cache, python=python),
            settings=_settings(Path(scratch) / "sources" / "src"),
        )


def _environment(commit: Commit, scratch: Path, *, cache: Path, python: Path, store: Bucket | None) -> Archive:
    commit.extract(scratch, _PROJECT)
    environment = read_environment(scratch, python)
    cached = cache / environment.name
    if not cached.exists():
        if store and (sha256 := store.stored_sha256(environment.name)):
            return Archive(name=environment.name, sha256=sha256)
        _build(environment, scratch, cached)
    return describe(cached)


def _build(environment: Environment, scratch: Path, archive: Path) -> None:
    folder = scratch / "environment"
    install(environment, scratch, folder)
    write_archive(folder, archive)


def _sources(commit: Commit, scratch: Path, *, cache: Path, python: Path) -> Archive:
    folder, archive = scratch / "sources", cache / f"sources-{commit.short}.tar.gz"
    folder.mkdir()
    write_sources(commit, folder)
    compile_bytecode(python, folder / "src")
    write_archive(folder, archive)
    return describe(archive)


def _settings(sources: Path) -> dict[str, SettingDescription] | None:
    """The settings that the commit's own code accepts; None for an old commit that cannot list them."""
    if not (sources / "upschedule" / "settings" / "schema.py").exists():
        return None
    described = run_program(
        [sys.executable, "-m", "upschedule.settings.schema"],
        timeout_seconds=_SCHEMA_SECONDS,
        folder=sources,
        environment={"PYTHONPATH": str(sources)},
    )
    return msgspec.json.decode(described, type=dict[str, SettingDescription])
