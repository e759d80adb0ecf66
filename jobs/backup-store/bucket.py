"""Makes the repository's bucket with its object lock, once or again: `bucket.py HOST:PORT BUCKET LOCK_DAYS REGION`.

The variables ACCESS_KEY and SECRET_KEY are those of the store's administrator. It runs before there is a release, so it
uses nothing but Python.
"""

import base64
import hashlib
import hmac
import http
import http.client
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

TRIES = 30
PAUSE_SECONDS = 1.0
REQUEST_SECONDS = 10
# The answer to making a bucket that exists.
EXISTS = http.HTTPStatus.CONFLICT
LOCK = """\
<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>{days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"""


class Refused(Exception):
    """The store answered and did not do it."""


@dataclass(frozen=True)
class Store:
    """An S3 store on HOST:PORT, as its administrator."""

    address: str
    access_key: str
    secret_key: str
    region: str

    def put(self, path: str, query: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
        """The status, below 500. Raises OSError where the store does not answer or is not ready."""
        connection = http.client.HTTPConnection(self.address, timeout=REQUEST_SECONDS)
        try:
            signed = self._signed(path, query, body, headers or {})
            connection.request("PUT", f"{path}?{query}" if query else path, body=body, headers=signed)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise OSError(f"the store did not answer in HTTP: {error!r}") from error
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise OSError(f"the store answered {response.status}: {text}")
        if response.status >= http.HTTPStatus.BAD_REQUEST and response.status != EXISTS:
            raise Refused(f"the store answered {response.status}: {text}")
        return response.status

    def _signed(self, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """Signs the request by version 4 of Amazon's signatures."""
        moment = datetime.now(tz=UTC)
        stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
        digest = hashlib.sha256(body).hexdigest()
        sent = {"host": self.address, "x-amz-content-sha256": digest, "x-amz-date": stamp, **headers}
        names = ";".join(sorted(sent))
        lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
        canonical = "\n".join(["PUT", path, f"{query}=" if query else "", lines, names, digest])
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self.secret_key}".encode()
        for word in scope.split("/"):
            key = hmac.digest(key, word.encode(), hashlib.sha256)
        signature = hmac.digest(key, text.encode(), hashlib.sha256).hex()
        credential = f"Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**sent, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


def make(store: Store, bucket: str, days: int) -> None:
    """Raises Refused for a bucket that was made without a lock, which only another bucket can have."""
    store.put(f"/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"})
    body = LOCK.format(days=days).encode()
    # The digest that S3 asks for here is no protection against forgers.
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    if store.put(f"/{bucket}", "object-lock", body, {"content-md5": digest}) == EXISTS:
        raise Refused(f"the bucket {bucket} exists without an object lock: choose another name, or remove it")


def main() -> int:
    """0 once the bucket is as it should be; 1 otherwise, with the reason."""
    address, bucket, days, region = sys.argv[1:]
    store = Store(address, os.environ["ACCESS_KEY"], os.environ["SECRET_KEY"], region)
    problem = ""
    for _ in range(TRIES):
        try:
            make(store, bucket, int(days))
        except OSError as error:
            problem = str(error)
            time.sleep(PAUSE_SECONDS)
        except Refused as error:
            problem = str(error)
            break
        else:
            return 0
    sys.stderr.write(f"The bucket {bucket} was not made: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
