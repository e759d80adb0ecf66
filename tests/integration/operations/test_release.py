"""`upschedule release`, as an operator runs it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.releases.git_project import DEPENDENCIES, commit, git, make_repository
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.settings.schema import describe
from upschedule.stores.bucket import Bucket, BucketAddress

#: The interpreter below the tests' environment, which replaces that of a node.
PYTHON = Path(sys.executable).resolve()
Release = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


@pytest.fixture
def release(seaweedfs_server: SeaweedFS, object_store: BucketAddress) -> Iterator[Release]:
    """Runs the command with the keys of an empty bucket."""
    store = {
        "AWS_ENDPOINT_URL": f"http://{object_store.endpoint}",
        "AWS_ACCESS_KEY_ID": object_store.access_key,
        "AWS_SECRET_ACCESS_KEY": object_store.secret_key,
    }

    def run(repository: Path, cache: Path, *options: str) -> subprocess.CompletedProcess[str]:
        own = ["--repository", repository, "--cache", cache, "--bucket", object_store.bucket, "--python", PYTHON]
        return subprocess.run(
            [sys.executable, "-m", "upschedule", "release", *own, *options],
            env={**os.environ, **store},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    yield run
    client = seaweedfs_server.admin_client()
    for item in client.list_objects(bucket_name=object_store.bucket):
        client.remove_object(bucket_name=object_store.bucket, object_name=str(item.object_name))


def test_the_same_commit_gives_the_same_bytes_wherever_it_is_packed(
    release: Release, repository: Path, tmp_path: Path
) -> None:
    """Clone, cache, umask and time differ (R12.1)."""
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "elsewhere"))
    first = release(repository, tmp_path / "first")
    before = os.umask(0o077)
    try:
        second = release(tmp_path / "elsewhere", tmp_path / "second")
    finally:
        os.umask(before)

    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    manifest = json.loads(first.stdout)
    assert manifest["commit"] == git(repository, "rev-parse", "HEAD")
    assert manifest["version"] == f"1.2.3+{manifest['commit'][:12]}"
    for archive in (manifest["environment"], manifest["sources"]):
        bytes_ = {(tmp_path / cache / archive["name"]).read_bytes() for cache in ("first", "second")}
        assert {hashlib.sha256(content).hexdigest() for content in bytes_} == {archive["sha256"]}


def test_a_release_has_an_sbom_with_the_hash_of_each_dependency(
    release: Release, repository: Path, object_store: BucketAddress, tmp_path: Path
) -> None:
    """The same commit gives the same SBOM, which the store keeps beside the manifest."""
    pushed = release(repository, tmp_path / "first", "--push")
    release(repository, tmp_path / "second")

    assert pushed.returncode == 0, pushed.stderr
    version = json.loads(pushed.stdout)["version"]
    name = f"sbom-{version}.cdx.json"
    stored = Bucket(object_store).get(name, size_bytes_max=1 << 20)
    assert {(tmp_path / cache / name).read_bytes() for cache in ("first", "second")} == {stored}
    sbom = json.loads(stored)
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["version"]) == ("CycloneDX", version)
    files = {
        component["name"]: [
            digest["alg"] for file in component["externalReferences"] for digest in file.get("hashes", [])
        ]
        for component in sbom["components"]
    }
    assert files.keys() == set(DEPENDENCIES)
    assert all(digests and set(digests) == {"SHA-256"} for digests in files.values())


def test_what_was_packed_runs_where_nothing_may_be_written(release: Release, repository: Path, tmp_path: Path) -> None:
    """Dependencies and code are compiled, and the project's work tree is not needed."""
    manifest = json.loads(release(repository, tmp_path / "cache").stdout)
    for part in ("environment", "sources"):
        with tarfile.open(tmp_path / "cache" / manifest[part]["name"]) as tar:
            # The first Python 3.11 has no `filter`, and later ones warn where none is chosen.
            tar.extraction_filter = lambda member, _: member
            tar.extractall(tmp_path / part)  # noqa: S202 - this test packed the archive

    path = os.pathsep.join([str(tmp_path / "environment"), str(tmp_path / "sources" / "src")])
    program = (
        "import click, msgspec, upschedule; print(upschedule.__cached__, click.__file__, msgspec.json.decode('1'))"
    )
    ran = subprocess.run(
        [PYTHON, "-S", "-c", program],
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    compiled, package, one = ran.stdout.split()
    assert Path(compiled).is_file()
    assert Path(package).is_relative_to(tmp_path / "environment")
    assert one == "1"
    assert json.loads((tmp_path / "sources" / "RELEASE").read_text()) == {
        "version": manifest["version"],
        "commit": manifest["commit"],
    }
    assert (tmp_path / "sources" / "migrations" / "0001_expand_x.sql").is_file()


def test_the_manifest_says_which_settings_the_commit_accepts(
    release: Release, repository: Path, tmp_path: Path
) -> None:
    """The list comes from the commit's own code. A commit without such a list has none in its manifest."""
    before = json.loads(release(repository, tmp_path / "cache").stdout)
    shutil.copytree(ROOT / "src/upschedule/settings", repository / "src/upschedule/settings")
    servers = repository / "src/upschedule/settings/servers.py"
    added = '    patience: Annotated[int, Meta(ge=3, description="x")] = 4\n    pool_size_min: '
    servers.write_text(servers.read_text().replace("    pool_size_min: ", added, 1))
    commit(repository, "Know the settings")
    after = json.loads(release(repository, tmp_path / "cache").stdout)

    assert before["settings"] is None
    assert after["settings"]["postgres/patience"] == {"schema": {"type": "integer", "minimum": 3}, "default": 4}
    assert {*after["settings"]} == {*describe(), "postgres/patience"}


def test_only_what_is_committed_is_released(release: Release, repository: Path, tmp_path: Path) -> None:
    """The release is refused because of a file that is not committed, and nothing is packed."""
    (repository / "src" / "forgotten.py").write_text("")
    refused = release(repository, tmp_path / "cache")

    assert (refused.returncode, refused.stdout) == (4, "")
    assert "changes that are in no commit (src/forgotten.py)" in refused.stderr
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_push_sends_what_the_store_lacks_and_a_second_push_nothing(
    release: Release, seaweedfs_server: SeaweedFS, object_store: BucketAddress, repository: Path, tmp_path: Path
) -> None:
    """Dependencies that the store has are not even installed again. The manifest is stored beside the archives."""
    pushed = release(repository, tmp_path / "cache", "--push")
    assert pushed.returncode == 0, pushed.stderr
    names = [json.loads(pushed.stdout)[part]["name"] for part in ("environment", "sources")]
    assert f"Pushed: {', '.join(names)}." in pushed.stderr
    assert "nothing" in release(repository, tmp_path / "cache", "--push").stderr
    name = f"manifest-{json.loads(pushed.stdout)['version']}.json"
    stored = seaweedfs_server.admin_client().get_object(bucket_name=object_store.bucket, object_name=name)
    assert stored.read().decode() == pushed.stdout.strip()
    stored.close()

    (repository / "src" / "upschedule" / "__init__.py").write_text("")
    commit(repository, "Go on")
    third = release(repository, tmp_path / "another machine", "--push")
    sources = json.loads(third.stdout)["sources"]["name"]
    assert third.stderr == f"Pushed: {sources}.\n"
    sbom = f"sbom-{json.loads(third.stdout)['version']}.cdx.json"
    assert {path.name for path in (tmp_path / "another machine").iterdir()} == {sources, sbom}
    assert json.loads(third.stdout)["environment"] == json.loads(pushed.stdout)["environment"]


def test_a_name_never_gets_other_bytes(release: Release, repository: Path, tmp_path: Path) -> None:
    """A running job may fetch its archives again at any time (R12.3)."""
    manifest = json.loads(release(repository, tmp_path / "cache", "--push").stdout)
    archive = tmp_path / "cache" / manifest["environment"]["name"]
    archive.write_bytes(archive.read_bytes() + b"\0")
    refused = release(repository, tmp_path / "cache", "--push")

    assert (refused.returncode, refused.stdout) == (4, "")
    assert f"{archive.name} is in the store with another checksum" in refused.stderr


def test_a_store_that_is_away_is_named(release: Release, repository: Path, tmp_path: Path) -> None:
    """The exit code is 3, and the message is a sentence."""
    failed = release(repository, tmp_path / "cache", "--push", "--endpoint-url", "http://127.0.0.1:1")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert "at http://127.0.0.1:1: MaxRetryError." in failed.stderr
