"""SeaweedFS as the S3 store."""

import io
import signal
from pathlib import Path

import msgspec
import urllib3
from minio import Minio
from minio.error import MinioException

from upschedule.operations.embedded import executables
from upschedule.operations.embedded.passwords import PasswordFile, write_private
from upschedule.operations.embedded.ports import GRPC_OFFSET, LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server
from upschedule.operations.privileges.identities import PROCESSES, Process
from upschedule.operations.privileges.objects import PROBE, actions_of
from upschedule.stores.bucket import BucketAddress

BUCKET = "uploads"
_ADMIN, _APPLICATION = "admin", "upschedule"
_TIMEOUT = urllib3.Timeout(connect=2, read=10)


class SeaweedFS(Server):
    unready = (MinioException, urllib3.exceptions.HTTPError)

    def __init__(self, directory: Path, *, port: int | None = None, application_buckets: str = BUCKET) -> None:
        """`application_buckets` are the buckets that the application's key may reach; a trailing `*` makes a prefix."""
        self._program = executables.weed()
        super().__init__("S3 store (SeaweedFS)", directory, programs=[self._program])
        self.port = port or free_port(with_grpc=True)
        self._inner_ports = {name: free_port(with_grpc=True) for name in ("master", "volume", "filer", "admin")}
        self._passwords = PasswordFile(self.directory / "passwords.json")
        self._config = self.directory / "s3.json"
        self._application_buckets = application_buckets

    def address(self, bucket: str = BUCKET) -> BucketAddress:
        """The address with the key that processes of older releases share, for the application's buckets."""
        return self._address(_APPLICATION, bucket)

    def process_address(self, process: Process, bucket: str = BUCKET) -> BucketAddress:
        """The address with the key of this process, which has the rights that it needs."""
        return self._address(process, bucket)

    def admin_client(self) -> Minio:
        """A client that may create and delete buckets."""
        address = self._address(_ADMIN, BUCKET)
        pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
        return Minio(
            endpoint=address.endpoint, access_key=address.access_key, secret_key=address.secret_key,
            secure=False, http_client=pool,
        )  # fmt: skip

    def prepare(self) -> None:
        (self.directory / "data").mkdir(exist_ok=True)
        objects = [f"{action}:{self._application_buckets}" for action in ("Read", "Write", "List", "Tagging")]
        identities = [
            self._identity(_ADMIN, ["Admin"]),
            self._identity(_APPLICATION, objects),
            *(self._identity(process, actions_of(process, self._application_buckets)) for process in PROCESSES),
        ]
        write_private(self._config, msgspec.json.encode({"identities": identities}))

    def command(self) -> Command:
        ports = [f"-{name}.port={port}" for name, port in self._inner_ports.items()]
        return Command(
            argv=[
                str(self._program),
                "-logtostderr=true",
                "mini",
                f"-dir={self.directory / 'data'}",
                f"-ip={LOOPBACK}",
                f"-ip.bind={LOOPBACK}",
                f"-s3.port={self.port}",
                *ports,
                f"-s3.config={self._config}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-webdav=false",
                "-admin.ui=false",
                "-master.telemetry=false",
            ],
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGKILL,  # Its data survive; its own stop may take half a minute.
            stop_timeout_seconds=5.0,
        )

    def stop(self) -> None:
        super().stop()
        self._remove_sockets()

    def kill(self) -> None:
        super().kill()
        self._remove_sockets()

    def probe(self) -> None:
        client = self.admin_client()
        if not client.bucket_exists(bucket_name=BUCKET):
            client.make_bucket(bucket_name=BUCKET)
        # Buckets exist before there is a volume to write to.
        client.put_object(bucket_name=BUCKET, object_name=PROBE, data=io.BytesIO(b"ready"), length=5)

    def _remove_sockets(self) -> None:
        # weed puts them where no option reaches, and leaves them.
        for port in (self.port, *self._inner_ports.values()):
            for either in (port, port + GRPC_OFFSET):
                for path in Path("/tmp").glob(f"seaweedfs-*-{either}.sock"):  # noqa: S108 - weed's choice
                    path.unlink(missing_ok=True)

    def _address(self, user: str, bucket: str) -> BucketAddress:
        return BucketAddress(
            endpoint=f"{LOOPBACK}:{self.port}",
            access_key=self._passwords.get(f"{user}-access"),
            secret_key=self._passwords.get(f"{user}-secret"),
            bucket=bucket,
        )

    def _identity(self, name: str, actions: list[str]) -> dict[str, object]:
        address = self._address(name, BUCKET)
        return {
            "name": name,
            "credentials": [{"accessKey": address.access_key, "secretKey": address.secret_key}],
            "actions": actions,
        }
