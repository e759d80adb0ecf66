"""Certificates by `openssl`, and ACME by pebble, which asks a name server of its own."""

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port

STOP_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Files in PEM."""

    certificate: Path
    key: Path


def self_signed(folder: Path, name: str, subject_alternative_name: str, *, days: int = 2) -> Certificate:
    """Its own authority. `subject_alternative_name` as openssl writes it, `DNS:…` or `IP:…`."""
    made = Certificate(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test"]
    files = ["-out", str(made.certificate), "-keyout", str(made.key)]
    extension = ["-addext", f"subjectAltName={subject_alternative_name}"]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", str(days), *options, *files, *extension], check=True, capture_output=True
    )
    return made


@dataclass(frozen=True, kw_only=True)
class Pebble:
    """An ACME server: `directory` is its address, `certificate` its own, `roots` the roots of its certificates."""

    directory: str
    certificate: Path
    roots: Path
    process: "subprocess.Popen[bytes]"


@contextmanager
def running_pebble(folder: Path, *, http_port: int, validity_seconds: int) -> Iterator[Pebble]:
    """Every name is this machine's, where it asks on `http_port`."""
    own = self_signed(folder, "pebble", f"IP:{LOOPBACK}")
    acme, management, names = (f"{LOOPBACK}:{free_port()}" for _ in range(3))
    settings = {
        "listenAddress": acme,
        "managementListenAddress": management,
        "certificate": str(own.certificate),
        "privateKey": str(own.key),
        "httpPort": http_port,
        "tlsPort": free_port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "certificateValidityPeriod": validity_seconds,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}), encoding="utf-8")
    answers = ["-dns01", names, "-defaultIPv6", "", "-management", f"{LOOPBACK}:{free_port()}"]
    others = [word for name in ("http01", "https01", "tlsalpn01") for word in (f"-{name}", "")]
    authority = [program("pebble"), "-config", str(folder / "pebble.json"), "-dnsserver", names]
    with (
        running([program("pebble-challtestsrv"), *answers, *others], folder / "names.log"),
        running(authority, folder / "pebble.log") as process,
    ):
        roots = folder / "roots.pem"
        wait_until(lambda: fetched(f"https://{management}/roots/0", own.certificate, roots))
        yield Pebble(directory=f"https://{acme}/dir", certificate=own.certificate, roots=roots, process=process)


def program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: apt-get install pebble"
    return found


@contextmanager
def running(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    # By default, Pebble waits up to 15 s before each validation.
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def fetched(url: str, trusted: Path, target: Path) -> bool:
    """Whether it is there now."""
    try:
        answer = httpx.get(url, verify=ssl.create_default_context(cafile=str(trusted)), timeout=5)
    except httpx.TransportError:
        return False
    target.write_text(answer.raise_for_status().text, encoding="utf-8")
    return True
