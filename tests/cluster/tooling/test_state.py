"""State that is in no database is restored from the backups' store: servers, keys, and Pulumi's state (R9.4, R8.2)."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import certificates
from tests.support.cluster.tooling.backup_site import BUCKET, LockedStore, repository_variables
from tests.support.cluster.tooling.consul_agent import running_consul
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory, started
from upschedule.operations.cluster_backup.errors import StepFailed
from upschedule.operations.cluster_backup.repository import bucket_address
from upschedule.operations.cluster_backup.state import StateDamaged, States, UnknownState
from upschedule.stores.bucket import Bucket

pytestmark = pytest.mark.timeout(300)
COMMANDS = ROOT / "hosts" / "sbin"
UNIT = ROOT / "hosts" / "systemd" / "upschedule-state-backup.service"
#: Where docs/production.md installs the commands.
INSTALLED = Path("/usr/local/sbin")
ITEMS = {"owner_password": "s3cret-word"}
PATH = "nomad/jobs/postgres"
KEY = "a-key-of-the-tests"
PROGRAM = """
nomad.Namespace("saved", name="saved-state")
pulumi.export("word", pulumi.Output.secret("s3cret"))
"""


@dataclass(frozen=True)
class StateSite:
    store: LockedStore
    variables: dict[str, str]

    @property
    def bucket(self) -> Bucket:
        return Bucket(bucket_address(self.variables))

    def states(self, secret: str = KEY) -> States:
        return States(self.bucket, secret)

    def run(
        self, *arguments: str | Path, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a real `upschedule`."""
        command = [sys.executable, "-m", "upschedule", *arguments]
        own = {**os.environ, **self.variables, **(environment or {})}
        return subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def site() -> Iterator[StateSite]:
    with scratch_directory() as scratch:
        folder = scratch / "certificates"
        for arguments in (("authority",), ("store", "DNS:localhost", "IP:127.0.0.1")):
            certificates.make(folder, *arguments).check_returncode()
        folder.chmod(0o755)
        (folder / "authority.pem").chmod(0o644)
        with started(LockedStore(scratch / "repository", folder / "authority.pem")) as store:
            store.make_bucket()
            yield StateSite(store, repository_variables(store, scratch))


@pytest.fixture
def secret_files(tmp_path: Path) -> Path:
    """The files of an operator's machine."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "authority.key").write_text("the key of the authority", encoding="utf-8")
    (folder / "empty").write_bytes(b"")
    return folder


def command_of_unit() -> list[str]:
    """The line that systemd runs each night, with the commands of this checkout in the place of those installed."""
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    program, *arguments = shlex.split(line)
    return [str(COMMANDS / Path(program).relative_to(INSTALLED)), *arguments]


def test_servers_that_are_lost_come_back_with_every_secret_and_setting(
    site: StateSite, programs: Path, tmp_path: Path
) -> None:
    """The unit's command saves Nomad's jobs and secrets with the keystore, and Consul's keys.

    It has only the variables that its file of variables names. The commands of the runbooks restore all of it.
    """
    here = tmp_path / "bin"
    here.mkdir()
    (here / "upschedule").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m upschedule "$@"\n', "utf-8")
    (here / "upschedule").chmod(0o755)
    search = os.pathsep.join([str(here), str(COMMANDS), str(programs), os.environ["PATH"]])
    with running_agent(programs / "nomad") as nomad, running_consul(programs / "consul", tmp_path / "consul.log") as at:
        nomad.call("PUT", f"var/{PATH}", {"Path": PATH, "Items": ITEMS})
        token = nomad.token
        environment = {
            **os.environ,
            **nomad.environment,
            **site.variables,
            "PATH": search,
            "NOMAD_DATA": str(nomad.data),
            "CONSUL_HTTP_ADDR": at,
        }
        put = ["consul", "kv", "put", "upschedule/limits/uploads", "7"]
        subprocess.run(put, env=environment, check=True, capture_output=True, timeout=60)
        named = ("NOMAD_ADDR", "NOMAD_TOKEN", "NOMAD_DATA", "CONSUL_HTTP_ADDR", "PATH", *site.variables)
        saved = subprocess.run(
            command_of_unit(),
            env={name: environment[name] for name in named},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert saved.returncode == 0, saved.stderr
    folder = tmp_path / "restored"
    restored = site.run("restore", "state", "servers", folder)
    assert restored.returncode == 0, restored.stderr

    def prepare(data: Path) -> None:
        own = {**os.environ, "NOMAD_DATA": str(data)}
        subprocess.run([COMMANDS / "upschedule-nomad-keystore", folder / "servers"], env=own, check=True, timeout=60)

    with (
        running_agent(programs / "nomad", prepare=prepare) as nomad,
        running_consul(programs / "consul", tmp_path / "consul-2.log") as at,
    ):
        done = nomad.nomad("operator", "snapshot", "restore", str(folder / "servers" / "nomad.snap"))
        assert done.returncode == 0, done.stderr
        consul = {**os.environ, "PATH": search, "CONSUL_HTTP_ADDR": at}
        restore = ["consul", "snapshot", "restore", str(folder / "servers" / "consul.snap")]
        subprocess.run(restore, env=consul, check=True, capture_output=True, timeout=60)
        got = subprocess.run(
            ["consul", "kv", "get", "upschedule/limits/uploads"],
            env=consul,
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )

        assert nomad.call("GET", f"var/{PATH}", token=token)["Items"] == ITEMS
        assert got.stdout.strip() == b"7"


def test_a_stack_whose_state_is_lost_goes_on_with_the_saved_one(
    site: StateSite, stack: Stack, agent: Agent, tmp_path: Path
) -> None:
    """Pulumi's state is restored with its passphrase. The next `up` changes nothing and can decrypt the secrets."""
    stack.program(
        'nomad.Namespace("saved", name="saved-state")\npulumi.export("word", pulumi.Output.secret("s3cret"))\n'
    )
    stack.up().expect_success()
    exported = tmp_path / "stack.json"
    stack.run("stack", "export", "--file", str(exported)).expect_success()
    saved = site.run("backup", "state", "stack", exported, stack.project / "Pulumi.dev.yaml")
    assert saved.returncode == 0, saved.stderr
    assert "s3cret" not in exported.read_text(encoding="utf-8")
    stack.run("stack", "rm", "--yes", "--force").expect_success()
    exported.unlink()
    folder = tmp_path / "restored"
    assert site.run("restore", "state", "stack", folder).returncode == 0
    shutil.copyfile(folder / "Pulumi.dev.yaml", stack.project / "Pulumi.dev.yaml")
    stack.run("stack", "init", "dev").expect_success()
    shutil.copyfile(folder / "Pulumi.dev.yaml", stack.project / "Pulumi.dev.yaml")
    stack.run("stack", "import", "--file", str(folder / "stack.json")).expect_success()

    assert "unchanged" in stack.up("--expect-no-changes").expect_success().output
    assert "s3cret" in stack.run("stack", "output", "word", "--show-secrets").expect_success().output
    stack.destroy().expect_success()


def test_a_set_is_encrypted_private_and_listed(site: StateSite, secret_files: Path, tmp_path: Path) -> None:
    """Its files are restored unchanged, and only their owner can read them."""
    saved = site.states().save("keys", [secret_files], datetime.now(tz=UTC))
    stored = site.bucket.get(saved.key, size_bytes_max=10_000_000)
    done = site.run("restore", "state", "keys", tmp_path / "restored")
    assert done.returncode == 0, done.stderr
    restored = tmp_path / "restored" / "certificates"

    assert b"authority" not in stored
    assert {file.name: file.read_bytes() for file in restored.iterdir()} == {
        "authority.key": b"the key of the authority",
        "empty": b"",
    }
    assert {file.stat().st_mode & 0o077 for file in (restored, *restored.iterdir())} == {0}
    assert [each for each in site.states().list() if each.name == "keys"] == [saved]


def test_what_cannot_be_restored_is_refused_in_words(site: StateSite, secret_files: Path, tmp_path: Path) -> None:
    """Nothing is written for an unknown set, a folder that is not empty, another key, and a flipped bit."""
    saved = site.states().save("refused", [secret_files], datetime.now(tz=UTC))
    missing = site.run("restore", "state", "none", tmp_path / "nothing")
    occupied = site.run("restore", "state", "refused", secret_files)
    another = site.run(
        "restore", "state", "refused", tmp_path / "a", environment={"PGBACKREST_REPO1_CIPHER_PASS": "another"}
    )
    whole = site.bucket.get(saved.key, size_bytes_max=10_000_000)
    client = site.store.backup_client()
    broken = bytes([*whole[:-1], whole[-1] ^ 1])
    client.put_object(bucket_name=BUCKET, object_name=saved.key, data=io.BytesIO(broken), length=len(broken))
    damaged = site.run("restore", "state", "refused", tmp_path / "b")

    assert (missing.returncode, occupied.returncode, another.returncode, damaged.returncode) == (4, 5, 9, 9)
    assert "is not empty: nothing is overwritten" in occupied.stderr
    assert "does not count" in damaged.stderr
    assert not any((tmp_path / "b").iterdir())
    with pytest.raises(UnknownState, match="`upschedule backup list`"):
        site.states().restore("none", tmp_path / "c")
    with pytest.raises(StateDamaged):
        site.states("another").restore("refused", tmp_path / "d")


def test_old_sets_go_and_the_newest_of_each_name_stays(site: StateSite, secret_files: Path) -> None:
    """Its age makes no difference (R9.1)."""
    now = datetime.now(tz=UTC)
    ages = (20, 9, 8, 6)
    for days in ages:
        site.states().save("daily", [secret_files], now - timedelta(days=days))
    site.states().save("once", [secret_files], now - timedelta(days=20))
    site.states().remove_old(now, 7)
    remaining = [each for each in site.states().list() if each.name in ("daily", "once")]

    assert [(each.name, (now - each.made_at).days) for each in remaining] == [("daily", 6), ("once", 20)]


def test_a_file_that_cannot_be_read_is_no_set(site: StateSite, tmp_path: Path) -> None:
    """Nothing is stored."""
    with pytest.raises(StepFailed, match=r"Saving the state failed: .*gone"):
        site.states().save("unreadable", [tmp_path / "gone"], datetime.now(tz=UTC))

    assert [each for each in site.states().list() if each.name == "unreadable"] == []
