"""Servers use the certificates of `hosts/sbin/upschedule-certificates`, and clients accept them."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3
from minio import Minio

from tests.support.certificates import SERVICES, given_to, make
from tests.support.servers import started
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.server import Command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an authority, the stores' certificate, and one with the names of this machine and the stores."""
    certificates = tmp_path / "certificates"
    names = [f"DNS:{service}.service.consul" for service in SERVICES]
    for arguments in (["authority"], ["stores"], ["machine", "DNS:localhost", f"IP:{LOOPBACK}", *names]):
        assert make(certificates, *arguments).returncode == 0
    return certificates


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The certificate of another authority."""
    assert make(tmp_path / "stranger", "authority").returncode == 0
    return tmp_path / "stranger" / "authority.pem"


def text_of(certificate: Path, *options: str) -> str:
    return subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", *options], capture_output=True, text=True, check=True
    ).stdout


def test_keys_are_for_their_owner_only_and_nothing_else_is_left(folder: Path) -> None:
    """Neither a draft nor a log remains."""
    found = {file.name: file.stat().st_mode & 0o077 for file in folder.iterdir()}

    assert found == {f"{name}.{kind}": 0 for name in ("authority", "stores", "machine") for kind in ("pem", "key")}


def test_the_stores_certificate_has_the_name_of_each_store(folder: Path) -> None:
    """The authority verifies it for servers only, and for the given time."""
    check = ["openssl", "verify", "-CAfile", folder / "authority.pem", "-purpose", "sslserver"]
    for service in SERVICES:
        name = ["-verify_hostname", f"{service}.service.consul"]
        done = subprocess.run([*check, *name, folder / "stores.pem"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "CA:FALSE" in text_of(folder / "stores.pem", "-ext", "basicConstraints")
    assert "TLS Web Server Authentication" in text_of(folder / "stores.pem", "-ext", "extendedKeyUsage")


def test_what_exists_is_not_overwritten(folder: Path) -> None:
    """A new authority would invalidate all certificates that the old one signed."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    for name in ("authority", "stores"):
        refused = make(folder, name)
        assert refused.returncode != 0
        assert f"{name}.pem exists" in refused.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("arguments", [[], ["public"]], ids=["no name", "no address"])
def test_a_wrong_command_says_how_it_is_used(folder: Path, arguments: list[str]) -> None:
    """The command creates no file."""
    refused = make(folder, *arguments)

    assert refused.returncode != 0
    assert "usage: upschedule-certificates" in refused.stderr
    assert not (folder / "public.pem").exists()


class Encrypted(SeaweedFS):
    """An object store that also serves TLS."""

    certificate: tuple[Path, Path]
    https_port: int

    def command(self) -> Command:
        plain = super().command()
        certificate, key = self.certificate
        tls = [f"-s3.cert.file={certificate}", f"-s3.key.file={key}", f"-s3.port.https={self.https_port}"]
        return replace(plain, argv=[*plain.argv, *tls])


def test_the_object_store_shows_the_certificate_and_clients_verify_it(
    scratch: Path, folder: Path, stranger: Path
) -> None:
    """The client is the one that the processes use."""
    directory = scratch / "encrypted"
    directory.mkdir()
    store = Encrypted(directory)
    store.certificate = given_to(directory, directory, folder)
    store.https_port = free_port()

    def trusts(authority: Path) -> bool:
        address = store.address()
        client = Minio(
            endpoint=f"localhost:{store.https_port}",
            access_key=address.access_key,
            secret_key=address.secret_key,
            http_client=urllib3.PoolManager(ca_certs=str(authority), timeout=5, retries=False),
        )
        return client.bucket_exists(bucket_name=address.bucket)

    with started(store):
        assert trusts(folder / "authority.pem")
        with pytest.raises(urllib3.exceptions.SSLError):
            trusts(stranger)
