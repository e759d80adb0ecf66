"""One bucket of an S3 store through the `minio` client, which blocks. `objects.py` runs it beside the event loop."""

import hashlib
import io
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import urllib3
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.datatypes import Object
from minio.error import MinioException, S3Error
from minio.retention import Retention
from urllib3.util import Retry, Timeout

from upschedule.settings.servers import DEFAULT_REGION
from upschedule.stores.errors import StoreError, StoreFull, StoreUnavailable

STORE = "objects"
_LISTED_MAX = 1_000
_PIECE_BYTES = 1024 * 1024
# The answer for a version under an object lock, too.
_LOCKED = "AccessDenied"
_MISSING = frozenset({"NoSuchKey", "NoSuchObject"})
# Some stores answer with one of these codes; others with an unspecific error.
_FULL = frozenset({"InsufficientStorage", "XMinioStorageFull"})


class BucketAddress(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoint` is HOST:PORT without a scheme; `region` is the one that the store expects in signatures.

    `authority_file` holds in PEM who signed the store's certificate. Empty: one that the system trusts.
    """

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    secure: bool = False
    region: str = DEFAULT_REGION
    authority_file: str = ""

    @property
    def url(self) -> str:
        """For messages."""
        return f"{'https' if self.secure else 'http'}://{self.endpoint}"

    @classmethod
    def from_url(cls, url: str, *, access_key: str, secret_key: str, bucket: str, region: str) -> "BucketAddress":
        """`url` is http://HOST:PORT or https://HOST."""
        parts = urlsplit(url)
        return cls(
            endpoint=parts.netloc,
            access_key=access_key,
            secret_key=secret_key,
            bucket=bucket,
            secure=parts.scheme == "https",
            region=region,
        )


class RequestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a request. `silence_seconds` is the longest wait for the next byte of one attempt."""

    connect_seconds: float = 5.0
    silence_seconds: float = 60.0
    retries_max: int = 3
    connections_max: int = 1


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a listing."""

    key: str
    size_bytes: int
    modified_at: datetime


class ObjectMissing(Exception):
    """There is no object with this key."""


class Bucket:
    """Every method raises StoreError. An object is visible only as a whole."""

    def __init__(self, address: BucketAddress, options: RequestOptions | None = None) -> None:
        options = options or RequestOptions()
        self.address = address
        self._name = address.bucket
        self._http = urllib3.PoolManager(
            maxsize=options.connections_max,
            ca_certs=address.authority_file or None,
            timeout=Timeout(connect=options.connect_seconds, read=options.silence_seconds),
            retries=Retry(
                total=options.retries_max,
                backoff_factor=0.1,
                backoff_jitter=0.2,
                status_forcelist=(500, 502, 503, 504),
            ),
        )
        self._client = Minio(
            endpoint=address.endpoint,
            access_key=address.access_key,
            secret_key=address.secret_key,
            secure=address.secure,
            region=address.region,
            http_client=self._http,
        )

    def explain(self, error: StoreError | ObjectMissing) -> str:
        """The sentence for an operator."""
        reason = error.reason if isinstance(error, StoreError) else "the object is missing"
        return f"Bucket {self.address.bucket} at {self.address.url}: {reason}."

    def put(self, key: str, data: bytes, *, content_type: str, locked_until: datetime | None = None) -> None:
        """Replaces an object of the same key. `locked_until` takes the place of the bucket's own object lock."""
        with _store_errors():
            self._client.put_object(
                bucket_name=self._name,
                object_name=key,
                data=io.BytesIO(data),
                length=len(data),
                content_type=content_type,
                retention=Retention(GOVERNANCE, locked_until) if locked_until else None,
            )

    def put_file(self, key: str, file: Path, *, sha256: str, content_type: str) -> None:
        """Replaces an object of the same key, with the checksum as metadata `sha256`."""
        with _store_errors():
            self._client.fput_object(
                bucket_name=self._name,
                object_name=key,
                file_path=str(file),
                content_type=content_type,
                metadata={"sha256": sha256},
            )

    def get(self, key: str, *, size_bytes_max: int) -> bytes:
        """Raises ObjectMissing; returns at most `size_bytes_max` bytes."""
        with self._opened(key) as response:
            return response.read(size_bytes_max)

    def read_sha256(self, key: str) -> str:
        """The checksum of the bytes as the store returns them. Raises ObjectMissing."""
        digest = hashlib.sha256()
        with self._opened(key) as response:
            for piece in response.stream(_PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    def stored_sha256(self, key: str) -> str | None:
        """The checksum that the uploader gave, empty if it gave none; None if there is no such object."""
        try:
            with _store_errors():
                found = self._client.stat_object(bucket_name=self._name, object_name=key)
        except ObjectMissing:
            return None
        return (found.metadata or {}).get("x-amz-meta-sha256", "")

    def delete(self, key: str) -> None:
        """Succeeds if there is no such object."""
        with _store_errors():
            self._client.remove_object(bucket_name=self._name, object_name=key)

    def erase(self, key: str) -> int:
        """Deletes all versions of an object but those that the object lock protects, and returns how many."""
        with _store_errors():
            found = list(self._client.list_objects(bucket_name=self._name, prefix=key, include_version=True))
        return sum(self._remove_version(each) for each in found if each.object_name == key)

    def renew(self, key: str, *, size_bytes_max: int) -> None:
        """Writes the object's bytes again, as a new version with a lock of its own. Raises ObjectMissing."""
        self.put(key, self.get(key, size_bytes_max=size_bytes_max), content_type="application/octet-stream")

    def remove_hidden(self, *, hidden_before: datetime) -> int:
        """Deletes versions that were deleted or replaced before this time, and returns how many.

        Versions that the store's object lock still protects stay, and so does the mark that hides them.
        """
        with _store_errors():
            listed = list(self._client.list_objects(bucket_name=self._name, recursive=True, include_version=True))
        versions: dict[str, list[Object]] = {}
        for each in listed:
            versions.setdefault(str(each.object_name), []).append(each)
        return sum(self._remove_hidden(of_one, hidden_before) for of_one in versions.values())

    def _remove_hidden(self, versions: list[Object], hidden_before: datetime) -> int:
        """Removes the hidden versions of one key; returns how many."""
        newest, *hidden = sorted(versions, key=_place)
        limits = [newest, *hidden]
        old = [each for each, newer in zip(hidden, limits, strict=False) if _modified_at(newer) < hidden_before]
        removed = sum(map(self._remove_version, old))
        # Without it the version before would be the present one again.
        if newest.is_delete_marker and removed == len(hidden) and _modified_at(newest) < hidden_before:
            removed += self._remove_version(newest)
        return removed

    def _remove_version(self, version: Object) -> bool:
        """False if the object lock protects it."""
        try:
            with _store_errors():
                self._client.remove_object(
                    bucket_name=self._name, object_name=str(version.object_name), version_id=version.version_id
                )
        except StoreUnavailable as error:
            if error.reason == _LOCKED:
                return False
            raise
        return True

    def find(self, prefix: str, *, after: str = "") -> list[StoredObject]:
        """At most 1,000 objects with keys after `after`, in the order of their keys; empty at the end."""
        with _store_errors():
            return list(self._listing(prefix, after))

    def find_all(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose keys begin with `prefix`, a page at a time. Objects may be removed meanwhile.

        The listing continues where the store says, not after the last key: in a bucket with versions SeaweedFS compares
        `a.versions` where the key is `a`, so that `a` is after `a.b` as well as before it.
        """
        with _store_errors():
            found = self._client.list_objects(bucket_name=self._name, prefix=prefix, recursive=True)
            yield from _stored(found)

    def close(self) -> None:
        """Closes idle connections."""
        self._http.clear()

    def _listing(self, prefix: str, after: str) -> Iterator[StoredObject]:
        found = self._client.list_objects(
            bucket_name=self._name, prefix=prefix, recursive=True, start_after=after or None
        )
        yield from _stored(islice(found, _LISTED_MAX))

    @contextmanager
    def _opened(self, key: str) -> Generator[urllib3.BaseHTTPResponse]:
        with _store_errors():
            response = self._client.get_object(bucket_name=self._name, object_name=key)
            try:
                yield response
            finally:
                response.close()
                response.release_conn()


def _stored(found: Iterable[Object]) -> Iterator[StoredObject]:
    """Leaves out entries that are no objects, such as folders."""
    for each in found:
        if each.object_name and each.last_modified:
            yield StoredObject(key=each.object_name, size_bytes=each.size or 0, modified_at=each.last_modified)


def _modified_at(version: Object) -> datetime:
    return version.last_modified or datetime.max.replace(tzinfo=UTC)


def _place(version: Object) -> tuple[bool, float]:
    """The newest first; several may be of one second."""
    return (version.is_latest != "true", -_modified_at(version).timestamp())


@contextmanager
def _store_errors() -> Generator[None]:
    """Raises a StoreError, or ObjectMissing, for every error of the client inside."""
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise ObjectMissing from error
        full = error.code in _FULL
        raise (StoreFull if full else StoreUnavailable)(STORE, error.code or "S3Error") from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise StoreUnavailable(STORE, type(error).__name__) from error
