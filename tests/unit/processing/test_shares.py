"""The hash of an address."""

import pytest

from upschedule.processing.shares import AddressHash

SECRET = "for tests, and longer than thirty-two characters"


def test_the_hash_of_an_address_depends_on_address_and_secret() -> None:
    hashes = AddressHash(SECRET)
    assert hashes.of("198.51.100.7") == AddressHash(SECRET).of("198.51.100.7")
    assert (
        len({hashes.of("198.51.100.7"), hashes.of("198.51.100.8"), AddressHash(SECRET + "x").of("198.51.100.7")}) == 3
    )
    assert hashes.of(None) is None


def test_without_a_secret_no_address_is_hashed() -> None:
    """Otherwise the address could be found from the hash."""
    assert AddressHash("").of(None) is None
    with pytest.raises(RuntimeError, match="no secret"):
        AddressHash("").of("198.51.100.7")
