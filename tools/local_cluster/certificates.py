"""A certificate authority for this cluster, and the certificates that it signs for the stores and Traefik."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.local_cluster.plan import ROOT

#: The one of production.
PROGRAM = ROOT / "hosts" / "sbin" / "upschedule-certificates"
PROGRAM_SECONDS = 30
NAMES = {
    "authority": (),
    "stores": ("DNS:localhost", "IP:127.0.0.1", "DNS:postgres.service.consul", "DNS:pgbouncer.service.consul"),
    "public": ("DNS:localhost", "IP:127.0.0.1"),
}


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Files in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """`authority` is the file in PEM by which clients verify the servers."""

    authority: Path
    stores: Certificate
    public: Certificate


def provide_certificates(folder: Path) -> Certificates:
    """Makes the files that are missing; only their owner can read them."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files = {name: Certificate(certificate=folder / f"{name}.pem", key=folder / f"{name}.key") for name in NAMES}
    for name, alternatives in NAMES.items():
        if not files[name].certificate.exists():
            subprocess.run(
                [PROGRAM, folder, name, *alternatives],
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=PROGRAM_SECONDS,
            )
    return Certificates(authority=files["authority"].certificate, stores=files["stores"], public=files["public"])
