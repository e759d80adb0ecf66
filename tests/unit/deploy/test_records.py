"""Tests what the record of a release contains, and which releases are recorded."""

import base64
import lzma
from typing import Any

import msgspec
import pytest

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.environment import records_max_from
from upschedule.deploy.errors import InvalidVariable
from upschedule.deploy.nomad_model import JobSnapshot
from upschedule.deploy.records.model import RecordUnreadable, decode, encode, make_record, with_counts
from upschedule.deploy.records.recorder import known_to_nomad, settled_release

ONE, TWO = specification(0, "one"), specification(1, "two")
RED, BLUE = specification(0, "one", settings="red"), specification(1, "one", settings="blue")


def record_of(**specifications: dict[str, Any]) -> Any:
    return make_record("one", specifications)


def settled(*specifications: dict[str, Any]) -> JobSnapshot:
    newest = specifications[0]["Version"]
    return snapshot(
        list(specifications),
        [deployment(newest, "successful")],
        [allocation("a", newest), allocation("b", newest)],
    )


def waiting(*specifications: dict[str, Any]) -> JobSnapshot:
    newest = specifications[0]["Version"]
    return snapshot(
        list(specifications),
        [deployment(newest, "running", canaries=("c",), desired_canaries=1)],
        [allocation("c", newest)],
    )


def test_a_record_read_back_is_the_record() -> None:
    written = record_of(api=ONE, worker=TWO)

    assert decode(encode(written)) == written
    assert decode(encode(written)).identity == written.identity


def test_the_number_of_instances_is_not_part_of_the_identity() -> None:
    assert record_of(api=ONE).identity == record_of(api=specification(7, "one", count=9)).identity
    assert record_of(api=ONE).identity != record_of(api=specification(0, "one plus a setting")).identity


def test_a_record_is_registered_without_what_nomad_knows_of_the_old_version() -> None:
    """Nomad would not revert a version that is registered as stable when it fails."""
    (recorded,) = record_of(api={**ONE, "VaultToken": "secret", "ConsulToken": "secret"}).specifications.values()

    assert not {"Stable", "Version", "JobModifyIndex", "Stop", "VaultToken", "ConsulToken"} & set(recorded)


@pytest.mark.parametrize(("count", "expected"), [(0, 1), (4, 4), (90, 9)])
def test_the_number_of_instances_stays_within_the_bounds_of_the_record(count: int, expected: int) -> None:
    """Nomad refuses a number outside of the bounds."""
    bounded = specification(0, "one")
    bounded["TaskGroups"][0]["Scaling"] = {"Min": 1, "Max": 9}

    assert with_counts(bounded, {"api": count})["TaskGroups"][0]["Count"] == expected
    assert with_counts(ONE, {"api": count})["TaskGroups"][0]["Count"] == count
    assert with_counts(ONE, {})["TaskGroups"][0]["Count"] == 2


@pytest.mark.parametrize(
    "items",
    [
        {},
        {"release": "one"},
        {"release": "one", "jobs": "no base64 &"},
        {"release": "one", "jobs": base64.b64encode(b"not compressed").decode()},
        {"release": "one", "jobs": base64.b64encode(lzma.compress(b"[]")).decode()},
        {"release": "one", "jobs": base64.b64encode(lzma.compress(b"{}")[:-20]).decode()},
        {"release": "one", "jobs": base64.b64encode(lzma.compress(b"0" * 9_000_000)).decode()},
    ],
    ids=["empty", "no jobs", "no base64", "not compressed", "no object", "cut off", "a bomb"],
)
def test_a_damaged_record_is_said_to_be_unreadable(items: dict[str, str]) -> None:
    with pytest.raises(RecordUnreadable):
        decode(items)


def test_a_record_is_small() -> None:
    """Nomad limits a Variable to 64 KiB. The three jobs repeat most of their text."""
    text = "".join(f"line {number} of a program\n" for number in range(2000))
    large = [{**specification(0, "one"), "Program": text + name} for name in ("api", "worker", "scheduler")]
    items = encode(record_of(api=large[0], worker=large[1], scheduler=large[2]))

    assert len(msgspec.json.encode(large)) > 100_000
    assert sum(len(value) for value in items.values()) < 10_000


def test_what_has_settled_is_recorded_and_a_release_under_way_is_not() -> None:
    found = settled_release({"api": settled(TWO, ONE), "worker": settled(TWO, ONE)})

    assert found
    assert found.label == "two"
    assert settled_release({"api": waiting(TWO, ONE), "worker": settled(TWO, ONE)}) is None
    # Two releases together are not one that a revert could start.
    assert settled_release({"api": settled(ONE), "worker": settled(TWO, ONE)}) is None
    # Neither are two settings of one release.
    assert settled_release({"api": settled(RED), "worker": settled(BLUE, RED)}) is None
    assert settled_release({"api": settled(BLUE, RED), "worker": settled(BLUE, RED)})


def test_what_nomad_still_knows_is_recorded_where_nothing_was() -> None:
    """All jobs must know the release. One that a job no longer knows cannot be started as a whole."""
    bad = specification(2, "bad", stable=False)

    def labels(api: JobSnapshot, worker: JobSnapshot) -> list[str]:
        return [each.label for each in known_to_nomad({"api": api, "worker": worker})]

    assert labels(settled(TWO, ONE), settled(TWO, ONE)) == ["one", "two"]
    assert labels(waiting(bad, TWO, ONE), waiting(bad, TWO, ONE)) == ["one", "two"]
    # The job was scaled so often that Nomad forgot release one.
    assert labels(settled(specification(9, "two"), specification(8, "two", count=3)), settled(TWO, ONE)) == ["two"]
    # A changed setting is a separate release.
    assert labels(settled(BLUE, RED), settled(BLUE, RED)) == ["one", "one"]
    # The release was promoted in one job only.
    assert labels(settled(TWO, ONE), waiting({**TWO, "Stable": False}, ONE)) == ["one"]


@pytest.mark.parametrize(("text", "number"), [(None, 10), ("", 10), ("2", 2), ("30", 30)])
def test_the_number_of_records_is_that_of_the_environment(text: str | None, number: int) -> None:
    """An empty variable counts as unset, as it does for the commands."""
    assert records_max_from({} if text is None else {"UPSCHEDULE_DEPLOY_RECORDS_MAX": text}) == number


@pytest.mark.parametrize("text", ["1", "0", "-3", "2.5", "many"])
def test_a_number_of_records_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidVariable, match="at least 2"):
        records_max_from({"UPSCHEDULE_DEPLOY_RECORDS_MAX": text})
