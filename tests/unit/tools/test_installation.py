"""The first installation: uv by its hash in uv.lock, then the packages, from PyPI or a mirror, also interrupted."""

import base64
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.package_index import Index, Wheel, pure_wheel, serving, uv_wheel
from tests.support.paths import ROOT
from tools.installation import uv
from tools.installation.errors import InstallationError
from tools.installation.package_index import configured_index, link_on_page, locate

VERSION = "99.1.2"
THING = pure_wheel("thing")
#: No server listens at this address.
NOWHERE = "http://127.0.0.1:9"
_COMMAND = "import thing; print(thing.__file__)"

_PROJECT = """
[project]
name = "upschedule"
version = "1"
requires-python = ">=3.11"

[dependency-groups]
servers = ["thing"]

[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_LOCK = """
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "thing"
version = "1"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "{thing_url}", hash = "sha256:{thing_hash}", size = {thing_size} }}]

[[package]]
name = "upschedule"
version = "1"
source = {{ editable = "." }}

[package.dev-dependencies]
servers = [{{ name = "thing" }}]

[package.metadata]

[package.metadata.requires-dev]
servers = [{{ name = "thing" }}]

[[package]]
name = "uv"
version = "{version}"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "{uv_url}", hash = "sha256:{uv_hash}", size = {uv_size} }}]
"""
#: This backend makes an editable installation as hatchling does, without a download.
_BACKEND = """
import zipfile
from pathlib import Path


def build_editable(folder, config_settings=None, metadata_directory=None):
    name, information = "upschedule-1-py3-none-any.whl", "upschedule-1.dist-info"
    with zipfile.ZipFile(Path(folder, name), "w") as wheel:
        wheel.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\\nName: upschedule\\nVersion: 1\\n")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        names = ("METADATA", "WHEEL", "RECORD")
        wheel.writestr(f"{information}/RECORD", "".join(f"{information}/{part},,\\n" for part in names))
    return name
"""


@pytest.fixture(scope="session")
def our_uv() -> Wheel:
    """The environment's uv as a wheel for this machine, with a version number that no other uv has."""
    kind, (major, minor) = uv.libc()
    return uv_wheel(Path(sys.executable).with_name("uv"), VERSION, f"{kind}_{major}_{minor}_{platform.machine()}")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A small project with this project's bootstrap. `environment` contains no settings of a user."""

    folder: Path
    environment: dict[str, str]
    index: Index
    uv: Wheel

    def lock(self, files: str, **changed: object) -> None:
        """Writes a lock file whose wheels are below the address `files`."""
        values = {
            "version": VERSION,
            "uv_url": f"{files}/{self.uv.name}",
            "uv_hash": self.uv.sha256,
            "uv_size": len(self.uv.content),
            "thing_url": f"{files}/{THING.name}",
            "thing_hash": THING.sha256,
            "thing_size": len(THING.content),
        }
        (self.folder / "uv.lock").write_text(_LOCK.format(**(values | changed)))

    def start(self, **variables: str) -> "subprocess.Popen[str]":
        """Starts the bootstrap with a Python that finds no package, so no pip. The command prints where `thing` is."""
        bootstrap = str(self.folder / "tools" / "bootstrap.py")
        return subprocess.Popen(
            [str(Path(sys.executable).resolve()), "-S", bootstrap, "servers", "python", "-c", _COMMAND],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **variables: str) -> "subprocess.CompletedProcess[str]":
        return completed(self.start(**variables))


def completed(running: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    with running:
        stdout, stderr = running.communicate(timeout=90)
    return subprocess.CompletedProcess(running.args, running.returncode, stdout, stderr)


@pytest.fixture
def copy(our_uv: Wheel, tmp_path: Path) -> Iterator[Copy]:
    """A copy without a lock file."""
    folder = tmp_path / "project"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "bootstrap.py", folder / "tools")
    shutil.copytree(ROOT / "tools" / "installation", folder / "tools" / "installation")
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "backend.py").write_text(_BACKEND)
    # The folder of PATH contains no program.
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path / "home"), "UV_CACHE_DIR": str(tmp_path / "cache")}
    with serving(our_uv, THING) as index:
        yield Copy(folder=folder, environment=environment, index=index, uv=our_uv)


def test_a_machine_without_uv_and_pip_gets_the_locked_ones_with_two_lines_of_output(copy: Copy) -> None:
    """The second run fetches nothing and prints nothing."""
    copy.lock(f"{copy.index.url}/files")
    first = copy.run()

    assert first.returncode == 0, first.stderr
    begun, done, thing = first.stdout.splitlines()
    assert begun == "Installing the Python packages that uv.lock names …"
    assert done.startswith("Installed 2 packages in ")
    assert Path(thing).is_relative_to(copy.folder / ".venv")
    assert (copy.folder / ".tools" / f"uv-{VERSION}" / "uv").is_file()
    assert copy.index.asked.count(f"/files/{copy.uv.name}") == 1

    copy.index.asked.clear()
    second = copy.run()
    assert (second.returncode, second.stdout) == (0, f"{thing}\n")
    assert copy.index.asked == []


@pytest.mark.parametrize("where", ["UV_DEFAULT_INDEX", "PIP_INDEX_URL", "pip.conf"])
def test_a_mirror_gives_everything_by_the_hashes_of_the_lock_file(copy: Copy, tmp_path: Path, where: str) -> None:
    """The addresses in the lock file are unreachable, and the mirror requires a password, which no message shows."""
    copy.lock(NOWHERE)
    copy.index.authorization = f"Basic {base64.b64encode(b'person:secret').decode()}"
    address = copy.index.simple.replace("http://", "http://person:secret@")
    if where == "pip.conf":
        (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {address}/\n")
        installed = copy.run(PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    else:
        installed = copy.run(**{where: address})

    assert installed.returncode == 0, installed.stderr
    assert len(installed.stdout.splitlines()) == 3
    assert {"/simple/uv/", f"/files/{copy.uv.name}", "/simple/thing/", f"/files/{THING.name}"} <= set(copy.index.asked)
    assert "secret" not in installed.stdout + installed.stderr


def test_a_mirror_without_the_locked_file_is_named_without_its_password(copy: Copy) -> None:
    """One sentence says how to continue."""
    copy.lock(NOWHERE)
    copy.index.wheels = {}
    refused = copy.run(UV_DEFAULT_INDEX=copy.index.simple.replace("http://", "http://person:secret@"))

    assert refused.returncode == 1
    assert refused.stderr == f"{copy.index.simple}/uv/ does not offer {copy.uv.name}, which uv.lock names.\n"


def test_a_proxy_is_used(copy: Copy) -> None:
    """The host of the lock file has no address here, so only the proxy can fetch from it."""
    copy.lock("http://files.invalid")
    installed = copy.run(http_proxy=copy.index.url)

    assert installed.returncode == 0, installed.stderr
    assert {f"http://files.invalid/{copy.uv.name}", f"http://files.invalid/{THING.name}"} <= set(copy.index.asked)


def test_other_bytes_than_the_locked_ones_are_never_run(copy: Copy) -> None:
    """The message shows both hashes."""
    copy.lock(f"{copy.index.url}/files", uv_hash="0" * 64)
    refused = copy.run()

    assert refused.returncode == 1
    assert f"its SHA-256 is {copy.uv.sha256} and not {'0' * 64} as in uv.lock" in refused.stderr
    assert list((copy.folder / ".tools").glob("uv-*")) == []


def test_a_failure_that_passes_is_waited_out(copy: Copy) -> None:
    """The index is overloaded at the first request."""
    copy.lock(f"{copy.index.url}/files")
    copy.index.failures = 1

    assert copy.run().returncode == 0


def test_without_a_network_one_sentence_says_what_to_set(copy: Copy) -> None:
    """The message has no traceback."""
    copy.lock(NOWHERE)
    refused = copy.run()

    assert refused.returncode == 1
    [sentence] = refused.stderr.splitlines()
    assert sentence.startswith(f"{NOWHERE}/{copy.uv.name} could not be fetched: ")
    for variable in ("HTTPS_PROXY", "UV_DEFAULT_INDEX", "SSL_CERT_FILE"):
        assert variable in sentence


def test_a_machine_without_certificate_authorities_gets_uv_by_its_hash(copy: Copy, tmp_path: Path) -> None:
    """A minimal Debian only recommends ca-certificates. With authorities, the server's certificate is verified."""
    ours, other = _certificate(tmp_path / "ours.pem"), _certificate(tmp_path / "other.pem")
    (tmp_path / "none").mkdir()
    with serving(copy.uv, certificate=ours) as secure:
        copy.lock(f"{copy.index.url}/files", uv_url=secure.file(copy.uv))
        refused = copy.run(SSL_CERT_FILE=str(other), SSL_CERT_DIR=str(tmp_path / "none"))
        assert refused.returncode == 1
        assert "certificate verify failed" in refused.stderr
        assert "SSL_CERT_FILE" in refused.stderr

        installed = copy.run(SSL_CERT_FILE=str(tmp_path / "absent"), SSL_CERT_DIR=str(tmp_path / "none"))
        assert installed.returncode == 0, installed.stderr
        assert secure.asked == [f"/files/{copy.uv.name}"]


def _certificate(file: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", *key, "-keyout", "-", "-out", "-", *subject]
    file.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=30).stdout)
    return file


def test_a_package_that_cannot_be_fetched_is_named_with_what_to_set(copy: Copy) -> None:
    """The output has the message of uv first, and the project's sentence after it."""
    copy.lock(f"{copy.index.url}/files", thing_url=f"{NOWHERE}/{THING.name}")
    refused = copy.run(UV_HTTP_RETRIES="0")

    assert refused.returncode == 1
    assert "thing" in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith(
        "The installation failed: see above. The first installation needs"
    )


def test_two_at_once_fetch_once(copy: Copy) -> None:
    """`make run` and `make test` run in two terminals."""
    copy.lock(f"{copy.index.url}/files")
    both = [completed(running) for running in (copy.start(), copy.start())]

    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    assert copy.index.asked.count(f"/files/{copy.uv.name}") == 1


def test_an_installation_killed_half_way_is_finished_by_the_next(copy: Copy) -> None:
    """The first is killed while it fetches uv.

    In the second case a package has lost files, as when uv itself is killed.
    """
    copy.lock(f"{copy.index.url}/files")
    copy.index.stalling = True
    first = copy.start()
    assert copy.index.half_sent.wait(60)
    first.kill()
    completed(first)
    copy.index.stalling = False
    copy.index.go_on.set()
    second = copy.run()
    assert second.returncode == 0, second.stderr

    Path(second.stdout.splitlines()[-1]).unlink()
    (copy.folder / ".tools" / "unfinished").touch()
    third = copy.run()
    assert third.returncode == 0, third.stderr
    assert not (copy.folder / ".tools" / "unfinished").exists()


def test_an_environment_without_its_interpreter_is_made_anew(copy: Copy) -> None:
    """This happens after the system's Python changed from 3.11 to 3.13."""
    copy.lock(f"{copy.index.url}/files")
    assert copy.run().returncode == 0
    python = copy.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")

    again = copy.run()
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("library", [("manylinux", (2, 36)), uv.MUSL], ids=["glibc", "musl"])
def test_the_lock_file_has_a_uv_for_each_machine(machine: str, library: tuple[str, tuple[int, int]]) -> None:
    """The machines have Debian or Alpine, and Intel or ARM processors."""
    wheel = uv.choose(uv.locked_wheels(ROOT / "uv.lock"), machine, library)

    assert wheel
    assert any(tag.startswith(library[0]) and tag.endswith(f"_{machine}") for tag in wheel.platforms)


@pytest.mark.parametrize(
    ("version", "expected"),
    [((2, 36), "manylinux_2_28_x86_64"), ((2, 27), "manylinux_2_17_x86_64.manylinux2014_x86_64"), ((2, 5), None)],
)
def test_of_several_wheels_the_newest_that_runs_is_taken(version: tuple[int, int], expected: str | None) -> None:
    """The order is by the version of the C library, not the order in the file."""
    tags = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_39_x86_64", "win_amd64")
    wheels = [
        uv.Wheel(version="1", url=f"https://a.example/uv-1-py3-none-{tag}.whl", sha256="", size=1) for tag in tags
    ]
    chosen = uv.choose(wheels, "x86_64", ("manylinux", version))

    assert (chosen.name if chosen else None) == (f"uv-1-py3-none-{expected}.whl" if expected else None)


@pytest.mark.parametrize(
    ("machine", "library"), [("x86_64", ("manylinux", (2, 12))), ("vax", ("manylinux", (2, 36))), ("vax", uv.MUSL)]
)
def test_a_machine_for_which_there_is_no_uv_gets_none(machine: str, library: tuple[str, tuple[int, int]]) -> None:
    """No uv is better than one that cannot run."""
    assert uv.choose(uv.locked_wheels(ROOT / "uv.lock"), machine, library) is None


@pytest.mark.parametrize(
    ("variables", "files", "expected"),
    [
        ({}, {}, None),
        ({"UV_DEFAULT_INDEX": "https://pypi.org/simple/"}, {}, None),
        ({"UV_DEFAULT_INDEX": "company=https://a.example/simple/"}, {}, "https://a.example/simple"),
        ({"UV_INDEX_URL": "https://a.example", "PIP_INDEX_URL": "https://b.example"}, {}, "https://a.example"),
        ({}, {"etc/pip.conf": "[global]\nindex-url = https://a.example/%7Ex\n"}, "https://a.example/%7Ex"),
        (
            {},
            {"home/.config/pip/pip.conf": "[install]\nindex_url: https://a.example", "etc/pip.conf": "[global]"},
            "https://a.example",
        ),
        ({}, {"etc/uv/uv.toml": '[[index]]\nurl = "https://a.example"\ndefault = true\n'}, "https://a.example"),
        ({}, {"home/.config/uv/uv.toml": 'index-url = "https://a.example"'}, "https://a.example"),
        ({}, {"etc/uv/uv.toml": '[[index]]\nurl = "https://a.example"\n'}, None),
        ({"PIP_CONFIG_FILE": "/dev/null"}, {"etc/pip.conf": "[global]\nindex-url = https://a.example\n"}, None),
    ],
)
def test_the_index_of_this_machine_is_found_where_uv_and_pip_look(
    tmp_path: Path, variables: dict[str, str], files: dict[str, str], expected: str | None
) -> None:
    """PyPI's own address does not count as another index."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert configured_index({"HOME": str(tmp_path / "home")} | variables, tmp_path) == expected


def test_an_index_that_is_no_address_of_http_is_refused_without_its_password() -> None:
    """The message is a sentence."""
    with pytest.raises(InstallationError, match=r"^The package index ftp://a\.example must begin with http"):
        configured_index({"UV_DEFAULT_INDEX": "ftp://user:secret@a.example"})


def test_a_password_is_no_part_of_an_address() -> None:
    """Quoted characters of the password are decoded."""
    location = locate("https://user:se%40cret@a.example:8443/simple?x=1")

    assert location.url == "https://a.example:8443/simple?x=1"
    assert location.headers == {"Authorization": f"Basic {base64.b64encode(b'user:se@cret').decode()}"}
    assert "Basic" not in repr(location)


@pytest.mark.parametrize(
    "link", ["../../files/a%2B1.whl#sha256=00", "/files/a+1.whl", "https://a.example/files/a+1.whl"]
)
def test_links_of_an_index_lead_from_its_page(link: str) -> None:
    """The page has relative and absolute links. The fragment is removed."""
    found = link_on_page(f"<a href='x.whl'>x</a><A HREF='{link}'>a</A>", "https://a.example/simple/a/", "a+1.whl")

    assert found in {"https://a.example/files/a+1.whl", "https://a.example/files/a%2B1.whl"}
