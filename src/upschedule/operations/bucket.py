"""One bucket of an S3 store for commands: whole files, with their SHA-256 as metadata `sha256`."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.util import Retry, Timeout

_MISSING = {"NoSuchKey", "NoSuchObject"}
_CONNECT_SECONDS, _SILENCE_SECONDS = 5.0, 60.0
_PIECE_BYTES = 1024 * 1024


class BucketFailed(Exception):
    """The store refused, or did not answer."""

    def __init__(self, address: "BucketAddress", reason: str) -> None:
        super().__init__(f"Bucket {address.bucket} at {address.endpoint_url}: {reason}.")


class BucketAddress(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoint_url` is http://HOST:PORT or https://HOST."""

    endpoint_url: str
    access_key: str
    secret_key: str
    bucket: str


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """`sha256` is what the uploader said; empty where he said nothing."""

    size_bytes: int
    sha256: str


class Bucket:
    """Every method raises BucketFailed; no request is waited for longer than a minute of silence."""

    def __init__(self, address: BucketAddress) -> None:
        self._address = address
        url = urlsplit(address.endpoint_url)
        self._client = Minio(
            endpoint=url.netloc,
            access_key=address.access_key,
            secret_key=address.secret_key,
            secure=url.scheme == "https",
            region="us-east-1",
            http_client=urllib3.PoolManager(
                timeout=Timeout(connect=_CONNECT_SECONDS, read=_SILENCE_SECONDS),
                retries=Retry(total=3, backoff_factor=0.2, backoff_jitter=0.2, status_forcelist=(500, 502, 503, 504)),
            ),
        )

    def find(self, key: str) -> StoredFile | None:
        """None where there is no such object."""
        with self._explained():
            try:
                found = self._client.stat_object(bucket_name=self._address.bucket, object_name=key)
            except S3Error as error:
                if error.code in _MISSING:
                    return None
                raise
        headers = found.metadata or {}
        return StoredFile(size_bytes=found.size or 0, sha256=headers.get("x-amz-meta-sha256", ""))

    def put(self, key: str, file: Path, *, sha256: str, content_type: str) -> None:
        """Visible only as a whole; replaces an object of the same key."""
        with self._explained():
            self._client.fput_object(
                bucket_name=self._address.bucket,
                object_name=key,
                file_path=str(file),
                content_type=content_type,
                metadata={"sha256": sha256},
            )

    def read_sha256(self, key: str) -> str:
        """Of the bytes as the store gives them back."""
        digest = hashlib.sha256()
        with self._explained():
            answer = self._client.get_object(bucket_name=self._address.bucket, object_name=key)
            try:
                for piece in answer.stream(_PIECE_BYTES):
                    digest.update(piece)
            finally:
                answer.close()
                answer.release_conn()
        return digest.hexdigest()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except S3Error as error:
            raise BucketFailed(self._address, error.code or "refused") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise BucketFailed(self._address, type(error).__name__) from error
