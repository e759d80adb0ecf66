"""Pushes archives into the bucket that nodes fetch them from. A name never gets other bytes."""

from pathlib import Path

from upschedule.operations.release.errors import ArchiveDamaged, NameTaken
from upschedule.operations.release.manifest import Archive, Manifest
from upschedule.stores.bucket import Bucket


def push(manifest: Manifest, cache: Path, store: Bucket) -> list[str]:
    """Returns the names of the archives sent. The sources go last: once they are there, the release is complete.

    Raises NameTaken, ArchiveDamaged, StoreError.
    """
    return [archive.name for archive in (manifest.environment, manifest.sources) if _push(archive, cache, store)]


def _push(archive: Archive, cache: Path, store: Bucket) -> bool:
    stored = store.stored_sha256(archive.name)
    if stored == archive.sha256:
        return False
    if stored is not None:
        raise NameTaken(archive.name)
    store.put_file(archive.name, cache / archive.name, sha256=archive.sha256, content_type="application/gzip")
    if store.read_sha256(archive.name) != archive.sha256:
        raise ArchiveDamaged(archive.name)
    return True
