"""Finds the stores of a running `make run`, for other commands that use them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from upschedule.operations.embedded.passwords import write_private

_NAME = "addresses.json"


class StoreAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Ports on the loopback address."""

    postgres: int
    objects: int


@contextmanager
def addresses_noted(data: Path, *, postgres: int, objects: int) -> Generator[None]:
    """Stores the addresses while everything runs. A killed run leaves the file, which is ignored without the lock."""
    write_private(data / _NAME, msgspec.json.encode(StoreAddresses(postgres=postgres, objects=objects)))
    try:
        yield
    finally:
        forget_addresses(data)


def forget_addresses(data: Path) -> None:
    (data / _NAME).unlink(missing_ok=True)


def noted_addresses(data: Path) -> StoreAddresses | None:
    """None while the run that holds the lock has not finished its start, or stops."""
    try:
        return msgspec.json.decode((data / _NAME).read_bytes(), type=StoreAddresses)
    except FileNotFoundError:
        return None
