"""Finds uv, or installs the one that uv.lock names: its wheel, by hash."""

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.installation.download import fetch
from tools.installation.errors import InstallationError
from tools.installation.package_index import Location, link_on_page, locate, same_host

#: As `required-version` in pyproject.toml. A uv within these bounds builds the project without a download.
OLDEST, TOO_NEW = (0, 9), (0, 14)
ANSWER_SECONDS = 30
PAGE_BYTES_MAX = 32 << 20
WHEEL_BYTES_MAX = 256 << 20
#: Linux distributions have had musl 1.2 since 2020, and it does not tell its version in a portable way.
MUSL = ("musllinux", (1, 2))
PLATFORM = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """`platforms` are the tags of its name, such as manylinux_2_17_x86_64."""

    version: str
    url: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def platforms(self) -> list[str]:
        return self.name.removesuffix(".whl").rpartition("-")[2].split(".")


def find(tools: Path) -> Path | None:
    """The one on the path if its version fits, else the newest fitting one that was installed here before."""
    on_path = shutil.which("uv")
    installed = sorted(tools.glob("uv-*/uv"), key=lambda file: file.stat().st_mtime, reverse=True)
    candidates = [*([Path(on_path)] if on_path else []), *installed]
    return next((candidate for candidate in candidates if OLDEST <= version_of(candidate) < TOO_NEW), None)


def version_of(uv: Path) -> tuple[int, ...]:
    """(0,) where it cannot be run."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    words = answer.stdout.split()
    return tuple(int(part) for part in words[1].split(".")[:2]) if answer.returncode == 0 and len(words) > 1 else (0,)


def install(lock: Path, tools: Path, index: str | None, report: Report) -> Path:
    """Raises InstallationError. The caller lets one process at a time do this."""
    wheel = choose(locked_wheels(lock), platform.machine(), libc())
    if not wheel:
        raise InstallationError(
            f"uv.lock has no uv for {platform.machine()} with {' '.join(map(str, libc()))}. "
            "Install uv 0.9 to 0.13 so that it is on PATH, and run again."
        )
    content = fetch(
        _address(wheel, index),
        size_max=wheel.size or WHEEL_BYTES_MAX,
        report_bytes=lambda count: report(f"uv {wheel.version}, {count / 1e6:.0f} of {wheel.size / 1e6:.0f} MB"),
    )
    if (found := hashlib.sha256(content).hexdigest()) != wheel.sha256:
        raise InstallationError(
            f"{wheel.name} was fetched, but its SHA-256 is {found} and not {wheel.sha256} as in uv.lock. It was not "
            "installed: a proxy or mirror may have changed it."
        )
    program = unpack(content, tools / f"uv-{wheel.version}")
    if version_of(program) < OLDEST:
        raise InstallationError(f"{program} was installed but cannot be run here. Is {tools} on a disk without exec?")
    return program


def locked_wheels(lock: Path) -> list[Wheel]:
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    uv = next(package for package in packages if package["name"] == "uv")
    return [
        Wheel(
            version=uv["version"],
            url=wheel["url"],
            sha256=wheel["hash"].removeprefix("sha256:"),
            size=wheel.get("size", 0),
        )
        for wheel in uv["wheels"]
    ]


def libc() -> tuple[str, tuple[int, int]]:
    """The kind of wheel that this machine's C library runs, and the library's version."""
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return MUSL
    numbers = re.search(r"(\d+)\.(\d+)", version)
    return ("manylinux", (int(numbers[1]), int(numbers[2]))) if numbers else MUSL


def choose(wheels: Sequence[Wheel], machine: str, library: tuple[str, tuple[int, int]]) -> Wheel | None:
    """Chooses, from the wheels that run on this machine, the one that was built against the newest C library."""
    fitting = [
        (version, wheel)
        for wheel in wheels
        for tag in wheel.platforms
        if (version := _version_wanted(tag, machine, library[0])) and version <= library[1]
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def unpack(content: bytes, folder: Path) -> Path:
    """A process that is killed leaves the program complete or absent."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        program = archive.read(member)
    folder.mkdir(parents=True, exist_ok=True)
    target, partial = folder / "uv", folder / "uv.partial"
    with partial.open("wb") as file:
        file.write(program)
        file.flush()
        os.fsync(file.fileno())
    partial.chmod(0o755)
    partial.replace(target)
    return target


def _version_wanted(tag: str, machine: str, kind: str) -> tuple[int, int] | None:
    parts = PLATFORM.fullmatch(tag)
    return (int(parts[2]), int(parts[3])) if parts and parts[1] == kind and parts[4] == machine else None


def _address(wheel: Wheel, index: str | None) -> Location:
    """uv.lock names PyPI's file; another index names its own on its page for uv."""
    if not index:
        return Location(url=wheel.url)
    page = locate(f"{index}/uv/")
    text = fetch(page, size_max=PAGE_BYTES_MAX).decode("utf-8", "replace")
    link = link_on_page(text, page.url, wheel.name)
    if not link:
        raise InstallationError(f"{page.url} does not offer {wheel.name}, which uv.lock names.")
    target = locate(link)
    signed = same_host(page.url, target.url) and not target.headers
    return Location(url=target.url, headers=page.headers) if signed else target
