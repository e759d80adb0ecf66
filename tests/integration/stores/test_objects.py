"""The S3 store: what it stores, and how long an unreachable store takes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import pytest

from tests.support.fault_proxy import FaultProxy
from upschedule.stores.bucket import Bucket, BucketAddress, ObjectMissing
from upschedule.stores.errors import StoreError, StoreTimeout, StoreUnavailable
from upschedule.stores.objects import ObjectStore


@contextmanager
def an_object_store(
    address: BucketAddress, *, endpoint: str | None = None, bucket: str | None = None
) -> Iterator[ObjectStore]:
    used = msgspec.structs.replace(address, endpoint=endpoint or address.endpoint, bucket=bucket or address.bucket)
    store = ObjectStore(used, request_seconds=0.5, concurrency_max=4)
    try:
        yield store
    finally:
        store.close()


async def test_what_is_put_is_got_until_it_is_deleted(emptied_object_store: BucketAddress) -> None:
    with an_object_store(emptied_object_store) as store:
        await store.put("a/b.pdf", b"first", content_type="application/pdf")
        await store.put("a/b.pdf", b"second", content_type="application/pdf")
        assert await store.get("a/b.pdf", size_bytes_max=100) == b"second"
        assert await store.get("a/b.pdf", size_bytes_max=3) == b"sec"
        await store.delete("a/b.pdf")
        await store.delete("a/b.pdf")
        with pytest.raises(ObjectMissing):
            await store.get("a/b.pdf", size_bytes_max=100)


async def test_a_listing_comes_in_pages_in_the_order_of_keys(emptied_object_store: BucketAddress) -> None:
    with an_object_store(emptied_object_store) as store:
        for number in range(5):
            await store.put(f"u/{number}", b"x", content_type="text/plain")
        await store.put("other/1", b"x", content_type="text/plain")
        assert [item.key for item in await store.find("u/")] == [f"u/{number}" for number in range(5)]
        assert [item.key for item in await store.find("u/", after="u/2")] == ["u/3", "u/4"]
        assert await store.find("u/", after="u/4") == []


def test_all_objects_are_found_across_pages_and_folders(emptied_object_store: BucketAddress) -> None:
    """A page has at most 1,000 objects. Files and folders are on one level, and keys are not sorted as text there."""
    bucket = Bucket(emptied_object_store)
    keys = {"u/0.txt", "u/a/1", "u/a/b/2", "u/a-x", "u/z.txt", *(f"u/m/{number:04d}" for number in range(1_000))}
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: Bucket(emptied_object_store).put(key, b"x", content_type="text/plain"), keys))

    found = [each.key for each in bucket.find_all("u/")]

    assert len(found) == len(keys)
    assert set(found) == keys


async def test_a_missing_bucket_is_not_ready(emptied_object_store: BucketAddress) -> None:
    with an_object_store(emptied_object_store, bucket="test-missing") as store, pytest.raises(StoreUnavailable):
        await store.ping()


@pytest.mark.parametrize("fault", ["refusing", "deaf"])
async def test_a_store_that_is_away_costs_a_bounded_time_and_is_found_again(
    emptied_object_store: BucketAddress, fault: str
) -> None:
    port = int(emptied_object_store.endpoint.rsplit(":", 1)[1])
    async with FaultProxy(port) as proxy:
        with an_object_store(emptied_object_store, endpoint=f"127.0.0.1:{proxy.port}") as store:
            await store.put("a", b"1", content_type="text/plain")
            if fault == "deaf":
                proxy.go_deaf()
            else:
                await proxy.refuse()
            with pytest.raises(StoreError):
                await store.put("a", b"2", content_type="text/plain")
            await proxy.restore()
            assert await store.get("a", size_bytes_max=10) in {b"1", b"2"}


async def test_a_connection_that_broke_meanwhile_is_not_noticed(emptied_object_store: BucketAddress) -> None:
    port = int(emptied_object_store.endpoint.rsplit(":", 1)[1])
    async with FaultProxy(port) as proxy:
        with an_object_store(emptied_object_store, endpoint=f"127.0.0.1:{proxy.port}") as store:
            await store.put("a", b"1", content_type="text/plain")
            await proxy.break_connections()
            assert await store.get("a", size_bytes_max=10) == b"1"


def test_a_timeout_is_distinguished_from_a_refusal() -> None:
    assert StoreTimeout("objects", "x").code != StoreUnavailable("objects", "x").code
