"""Encodes one recorded release: the complete specifications of its jobs. Pure functions."""

import base64
import hashlib
import lzma
from collections.abc import Mapping
from typing import Any

import msgspec

from upschedule.deploy.history import fingerprint, normal_form
from upschedule.deploy.nomad_model import Job

#: Nomad Variables hold 64 KiB; names and the label need some of it.
RECORD_BYTES_MAX = 64_000
#: Bound of a decompressed record: specifications are tens of kilobytes.
_SPECIFICATION_BYTES_MAX = 8_000_000
_IDENTITY_DIGITS = 16
_encoder = msgspec.json.Encoder(order="deterministic")


class RecordUnreadable(Exception):
    """The items of a record are damaged, or of another format."""


class ReleaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`label` is the release as people read it, `specifications` are Nomad's jobs by name, without bookkeeping."""

    label: str
    specifications: Mapping[str, dict[str, Any]]

    @property
    def identity(self) -> str:
        """Equal for records whose jobs differ only in their numbers of instances."""
        return identity_of({name: fingerprint(each) for name, each in self.specifications.items()})

    def fingerprint(self, job: str) -> str:
        return fingerprint(self.specifications[job])

    def job(self, name: str) -> Job:
        """The parts of the specification that deploy commands read. A recorded job has no version in Nomad."""
        return msgspec.convert({"Version": -1, "Stable": True, "Stop": False, **self.specifications[name]}, Job)


def make_record(label: str, specifications: Mapping[str, Mapping[str, Any]]) -> ReleaseRecord:
    """Makes a record of the specifications in Nomad's answers."""
    return ReleaseRecord(label=label, specifications={name: normal_form(each) for name, each in specifications.items()})


def identity_of(fingerprints: Mapping[str, str]) -> str:
    """The common identity of several jobs."""
    return hashlib.sha256(_encoder.encode(fingerprints)).hexdigest()[:_IDENTITY_DIGITS]


def with_counts(specification: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
    """The specification with these numbers of instances by group, within the bounds that it sets itself."""
    groups = [{**group, "Count": _bounded(group, counts)} for group in specification["TaskGroups"]]
    return {**specification, "TaskGroups": groups}


def _bounded(group: Mapping[str, Any], counts: Mapping[str, int]) -> int:
    count = counts.get(group["Name"], group["Count"])
    bounds = group.get("Scaling")
    # Nomad refuses a job whose number of instances is outside its own bounds.
    return min(max(count, bounds["Min"]), bounds["Max"]) if bounds else count


def encode(record: ReleaseRecord) -> dict[str, str]:
    """The items of a Nomad Variable. The three jobs are compressed together, as they share most of their text."""
    packed = lzma.compress(_encoder.encode(record.specifications), preset=9)
    return {"release": record.label, "jobs": base64.b64encode(packed).decode()}


def decode(items: Mapping[str, str]) -> ReleaseRecord:
    """Raises RecordUnreadable."""
    try:
        # A limit on the output: a small input can decompress to gigabytes.
        decompressor = lzma.LZMADecompressor()
        text = decompressor.decompress(base64.b64decode(items["jobs"], validate=True), _SPECIFICATION_BYTES_MAX)
        if not decompressor.eof:
            raise RecordUnreadable("cut off, or larger than any release")
        specifications = msgspec.json.decode(text, type=dict[str, dict[str, Any]])
        return ReleaseRecord(label=items["release"], specifications=specifications)
    except (KeyError, ValueError, EOFError, lzma.LZMAError, msgspec.MsgspecError) as error:
        raise RecordUnreadable(f"{type(error).__name__}: {error}") from error
