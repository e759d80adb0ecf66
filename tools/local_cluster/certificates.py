"""A certificate authority for this cluster, and the certificates that it signs for PostgreSQL and Traefik."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DAYS = "825"
NAMES = {
    "stores": ("DNS:localhost", "IP:127.0.0.1", "DNS:postgres.service.consul", "DNS:pgbouncer.service.consul"),
    "public": ("DNS:localhost", "IP:127.0.0.1"),
}
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


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
    files = {
        name: Certificate(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
        for name in ("authority", *NAMES)
    }
    authority = files["authority"]
    if not authority.certificate.exists():
        request(
            authority, "UP Schedule Generator local authority", ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        )
    for name, names in NAMES.items():
        if not files[name].certificate.exists():
            signed = ["-CA", str(authority.certificate), "-CAkey", str(authority.key)]
            extensions = [
                f"subjectAltName={','.join(names)}",
                "extendedKeyUsage=serverAuth",
                "basicConstraints=CA:FALSE",
            ]
            added = [word for extension in extensions for word in ("-addext", extension)]
            request(files[name], "localhost", [*signed, *added])
    return Certificates(authority=authority.certificate, stores=files["stores"], public=files["public"])


def request(files: Certificate, subject: str, more: Sequence[str]) -> None:
    """Writes the key, then renames the complete certificate: if it exists, the key exists, too."""
    draft = files.certificate.with_suffix(".new")
    output = ["-keyout", str(files.key), "-out", str(draft), "-days", DAYS, "-subj", f"/CN={subject}"]
    command = ["openssl", "req", "-x509", *KEY, *output, *more]
    subprocess.run(command, check=True, capture_output=True, umask=0o077)
    draft.rename(files.certificate)
