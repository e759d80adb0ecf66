"""Builds a minimal Debian 12 in a folder, with Python, make and git, and a clone of this repository."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.installation.package_index import configured_index

ROOT = Path(__file__).resolve().parents[2]
ENTER = Path(__file__).with_name("enter.sh")
PACKAGES = "python3,make,git"
DEBIAN = (("http://deb.debian.org/debian", "bookworm"), ("http://deb.debian.org/debian-security", "bookworm-security"))
#: The user without root's rights, and the folders of the copies of the project.
PERSON = "person"
HOMES = {"root": Path("root"), PERSON: Path("home", PERSON)}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
AUTHORITIES_INSIDE = Path("/etc/authorities-of-the-host.crt")
OWN_AUTHORITIES = Path("/usr/local/share/ca-certificates")
BUILD_SECONDS = 1200


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine in the folder `root`; its users have the variables `environment`, such as proxies."""

    root: Path
    environment: Mapping[str, str]

    def start(self, user: str, *command: str, **variables: str) -> "subprocess.Popen[str]":
        """Starts a command in the project's folder of `user`; `end` ends it with all its children."""
        home = Path("/", HOMES[user])
        own = {"PATH": PATH, "HOME": str(home), "LANG": "C.UTF-8", **self.environment, **variables}
        isolate = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--")
        enter = ("sh", str(ENTER), str(self.root), user, str(home / "upschedule"))
        assigned = [f"{name}={value}" for name, value in own.items()]
        return subprocess.Popen(
            [*isolate, *enter, *assigned, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={"PATH": PATH},
            start_new_session=True,
        )


@contextmanager
def fresh_machine() -> Generator[Machine]:
    """Builds the machine and removes it afterwards. Needs root and debootstrap."""
    folder = Path(tempfile.mkdtemp(prefix="upschedule-fresh-machine-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        root = folder / "root"
        _build(root)
        yield Machine(root=root, environment=_environment(root))
    finally:
        _remove(folder)


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Sends SIGINT to the process group, like Ctrl-C in a terminal."""
    os.killpg(process.pid, signal.SIGINT)


def end(process: "subprocess.Popen[str]") -> None:
    """Kills the command and all its children."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()


def sources_of_host(targets: str) -> list[tuple[str, str]]:
    """Address and suite of each of Debian 12's archives that apt uses here, from `apt-get indextargets`."""
    rows = (line.split(" ") for line in targets.splitlines())
    found = [(row[0].rstrip("/"), row[2]) for row in rows if len(row) == 3 and row[1] == "Debian"]  # noqa: PLR2004
    return list(dict.fromkeys(source for source in found if source[1].partition("-")[0] == "bookworm"))


def _build(root: Path) -> None:
    sources = sources_of_host(
        _output("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CODENAME)", "Created-By: Packages")
    )
    if "bookworm" not in [suite for _, suite in sources]:
        sources = list(DEBIAN)
    main = next(address for address, suite in sources if suite == "bookworm")
    _output("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root), main)
    _configure(root, sources)
    _output("chroot", str(root), "useradd", "--create-home", "--shell", "/bin/sh", PERSON)
    for user, home in HOMES.items():
        target = root / home / "upschedule"
        _output("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target))
        _output("chroot", str(root), "chown", "--recursive", f"{user}:{user}", f"/{home}/upschedule")


def _configure(root: Path, sources: Sequence[tuple[str, str]]) -> None:
    """Copies the network's configuration of this machine: apt's sources and proxies, and certificate authorities."""
    lines = "".join(f"deb {address} {suite} main\n" for address, suite in sources)
    (root / "etc/apt/sources.list").write_text(lines, encoding="utf-8")
    dump = _output("apt-config", "dump")
    network = [line for line in dump.splitlines() if re.match(r"Acquire::https?::", line)]
    if _has_own_authorities():
        shutil.copy(AUTHORITIES, root / AUTHORITIES_INSIDE.relative_to("/"))
        network.append(f'Acquire::https::CAInfo "{AUTHORITIES_INSIDE}";')
    (root / "etc/apt/apt.conf.d/90network").write_text("\n".join([*network, ""]), encoding="utf-8")
    for name in ("etc/resolv.conf", "etc/hosts", "etc/apt/auth.conf"):
        if Path("/", name).exists():
            shutil.copy(Path("/", name), root / name)


def _environment(root: Path) -> Mapping[str, str]:
    names = [name for name in os.environ if name.lower() in PROXIES]
    environment = {name: os.environ[name] for name in names}
    if index := configured_index(os.environ):
        environment["UV_DEFAULT_INDEX"] = index
    if (root / AUTHORITIES_INSIDE.relative_to("/")).exists():
        environment["SSL_CERT_FILE"] = str(AUTHORITIES_INSIDE)
    return environment


def _has_own_authorities() -> bool:
    return AUTHORITIES.exists() and OWN_AUTHORITIES.is_dir() and any(OWN_AUTHORITIES.iterdir())


def _output(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _remove(folder: Path) -> None:
    """Removes the folder. Unmounts first what an interrupted debootstrap has left mounted."""
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if Path(mount).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", mount], check=True)
    shutil.rmtree(folder)
