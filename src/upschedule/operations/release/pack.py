"""A commit as two immutable archives (R12.1)."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from upschedule.operations.release.archive import describe, write_archive
from upschedule.operations.release.environment import Environment, compile_bytecode, install, read_environment
from upschedule.operations.release.manifest import Archive, Manifest
from upschedule.operations.release.sources import Commit, current_commit, lay_out
from upschedule.stores.bucket import Bucket

_PROJECT = ("pyproject.toml", "uv.lock")


@dataclass(frozen=True, kw_only=True)
class PackingOptions:
    """`cache` keeps archives, `python` is the interpreter that the nodes run."""

    repository: Path
    cache: Path
    python: Path


def pack(options: PackingOptions, store: Bucket | None) -> Manifest:
    """Archives lie in `cache` afterwards, except dependencies that are in the store already.

    Raises ReleaseError, ProgramFailed, StoreError.
    """
    options.cache.mkdir(parents=True, exist_ok=True)
    commit = current_commit(options.repository)
    with tempfile.TemporaryDirectory(prefix="upschedule-release-") as scratch:
        return Manifest(
            version=commit.release.version,
            commit=commit.id,
            environment=_environment(commit, options, Path(scratch), store),
            sources=_sources(commit, options, Path(scratch)),
        )


def _environment(commit: Commit, options: PackingOptions, scratch: Path, store: Bucket | None) -> Archive:
    commit.extract(scratch, _PROJECT)
    environment = read_environment(scratch, options.python)
    cached = options.cache / environment.name
    if not cached.exists():
        if store and (sha256 := store.stored_sha256(environment.name)):
            return Archive(name=environment.name, sha256=sha256)
        _build(environment, scratch, cached)
    return describe(cached)


def _build(environment: Environment, scratch: Path, archive: Path) -> None:
    folder = scratch / "environment"
    install(environment, scratch, folder)
    write_archive(folder, archive)


def _sources(commit: Commit, options: PackingOptions, scratch: Path) -> Archive:
    folder, archive = scratch / "sources", options.cache / f"sources-{commit.short}.tar.gz"
    folder.mkdir()
    lay_out(commit, folder)
    compile_bytecode(options.python, folder / "src")
    write_archive(folder, archive)
    return describe(archive)
