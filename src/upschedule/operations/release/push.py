"""Pushes archives, manifest and SBOM into the bucket that nodes fetch from. The bytes of an archive never change."""

from pathlib import Path

import msgspec

from upschedule.operations.release.errors import ArchiveDamaged, NameTaken
from upschedule.operations.release.manifest import Archive, Manifest
from upschedule.operations.release.sbom import sbom_name
from upschedule.stores.bucket import Bucket


def push(manifest: Manifest, cache: Path, store: Bucket) -> list[str]:
    """Returns the names of the archives sent. The sources go last: once they are there, the release is complete.

    The manifest is stored beside them as `manifest-VERSION.json`, for a stack that no longer knows it, and the SBOM as
    `sbom-VERSION.cdx.json`.

    Raises NameTaken, ArchiveDamaged, StoreError.
    """
    sent = [archive.name for archive in (manifest.environment, manifest.sources) if _push(archive, cache, store)]
    store.put(f"manifest-{manifest.version}.json", msgspec.json.encode(manifest), content_type="application/json")
    sbom = sbom_name(manifest.version)
    store.put(sbom, (cache / sbom).read_bytes(), content_type="application/vnd.cyclonedx+json")
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
