"""A certificate authority of this cluster, and what it signs: PostgreSQL's and Traefik's certificates."""

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
    """`authority` is for those who connect: a file in PEM."""

    authority: Path
    stores: Certificate
    public: Certificate


def provide_certificates(folder: Path) -> Certificates:
    """Made once; readable by their owner only."""
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
    """The certificate appears last and whole: its presence says that the key is there, too."""
    draft = files.certificate.with_suffix(".new")
    output = ["-keyout", str(files.key), "-out", str(draft), "-days", DAYS, "-subj", f"/CN={subject}"]
    command = ["openssl", "req", "-x509", *KEY, *output, *more]
    subprocess.run(command, check=True, capture_output=True, umask=0o077)
    draft.rename(files.certificate)
