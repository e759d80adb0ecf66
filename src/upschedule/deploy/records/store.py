"""Stores records as Nomad Variables: Nomad replicates and encrypts them, and its snapshots contain them."""

from http import HTTPStatus
from typing import Any

import msgspec

from upschedule.deploy.errors import DeployError, ServerRefused
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.records.model import RECORD_BYTES_MAX, RecordUnreadable, ReleaseRecord, decode, encode

#: The deploy token may read and write below this path (`pulumi/components/access.py`).
PREFIX = "releases/"


class StoredRecord(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The entry of one record in the list. A higher number was recorded later."""

    number: int
    identity: str

    @property
    def path(self) -> str:
        return f"{PREFIX}{self.number:08d}-{self.identity}"


class RecordTooLarge(DeployError):
    """Nomad limits the size of a Variable."""

    def __init__(self, label: str, size: int) -> None:
        super().__init__(
            f"Release {label} cannot be recorded: {size} bytes compressed, and the limit is {RECORD_BYTES_MAX}."
        )


class RecordStore:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, nomad: NomadClient) -> None:
        self._nomad = nomad

    def list(self) -> list[StoredRecord]:
        """Oldest first. Variables with other names are ignored."""
        found: list[dict[str, Any]] = self._nomad.get("vars", prefix=PREFIX) or []
        return sorted(record for each in found if (record := _parsed(each["Path"])))

    def read(self, stored: StoredRecord) -> ReleaseRecord | None:
        """None when it is gone or damaged."""
        found = self._nomad.find("var", *stored.path.split("/"))
        try:
            return decode(found["Items"]) if found else None
        except RecordUnreadable:
            return None

    def add(self, record: ReleaseRecord, *, number: int) -> bool:
        """Whether the record was written: False if another process wrote this one at the same time."""
        items = encode(record)
        size = sum(len(name) + len(value) for name, value in items.items())
        if size > RECORD_BYTES_MAX:
            raise RecordTooLarge(record.label, size)
        stored = StoredRecord(number=number, identity=record.identity)
        path = stored.path.split("/")
        try:
            # `cas=0`: only if there is no such Variable.
            self._nomad.call("PUT", "var", *path, body={"Path": stored.path, "Items": items}, cas="0")
        except ServerRefused as error:
            if error.status == HTTPStatus.CONFLICT:
                return False
            raise
        return True

    def remove(self, stored: StoredRecord) -> None:
        self._nomad.delete("var", *stored.path.split("/"))


def _parsed(path: str) -> StoredRecord | None:
    number, _, identity = path.removeprefix(PREFIX).partition("-")
    return StoredRecord(number=int(number), identity=identity) if number.isdecimal() and identity else None
