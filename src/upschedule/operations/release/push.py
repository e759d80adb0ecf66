"""Pushes archives and manifest into the bucket that nodes fetch from. A name of an archive never gets other bytes."""

from pathlib import Path

import msgspec

from upschedule.operations.release.errors import ArchiveDamaged, NameTaken
from upschedule.operations.release.manifest import Archive, Manifest
from upschedule.stores.bucket import Bucket


def push(manifest: Manifest, cache: Path, store: Bucket) -> list[str]:
    """Returns the names of the archives sent. The sources go last: once they are there, the release is complete.

    The manifest is put beside them as `manifest-VERSION.json`, for a stack that no longer knows it.

    Raises NameTaken, ArchiveDamaged, StoreError.
    """
    sent = [archive.name for archive in (manifest.environment, manifest.sources) if _push(archive, cache, store)]
    store.put(f"manifest-{manifest.version}.json", msgspec.json.encode(manifest), content_type="application/json")
    return sent


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
