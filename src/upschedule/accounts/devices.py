"""Ids of devices: random, kept as hashes, as those of sessions are."""

import hashlib
import re
import secrets

import msgspec

_VALUE_BYTES = 32
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


class NewDevice(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is for the cookie and cannot be read back from any store."""

    value: str
    id_hash: bytes


def new() -> NewDevice:
    value = secrets.token_urlsafe(_VALUE_BYTES)
    return NewDevice(value=value, id_hash=hashlib.sha256(value.encode()).digest())


def hash_of(value: str | None) -> bytes | None:
    """None for a cookie that is missing or that no release of this service made."""
    return hashlib.sha256(value.encode()).digest() if value and _VALUE.fullmatch(value) else None
