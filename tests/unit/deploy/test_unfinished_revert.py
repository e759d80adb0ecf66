"""Tests when `revert` continues an earlier revert instead of undoing it."""

from typing import Any

import pytest

from tests.support.builders.nomad_answers import allocation, deployment, snapshot, specification
from upschedule.deploy.applied import Applied
from upschedule.deploy.errors import PartlyKnown
from upschedule.deploy.records.model import ReleaseRecord, make_record
from upschedule.deploy.records.recorder import record_before
from upschedule.deploy.rollback import unfinished_revert
from upschedule.deploy.rollout_state import RolloutState, derive

ONE, TWO, ONE_AGAIN = specification(0, "one"), specification(1, "two"), specification(2, "one", stable=False)
FAILED = "Failed due to unhealthy allocations - rolling back to job version 1"


def record(label: str, form: dict[str, Any]) -> ReleaseRecord:
    return make_record(label, {"worker": form, "api": form})


#: The records, the newest first. Release two runs everywhere.
RECORDS = [record("two", TWO), record("one", ONE)]
SETTLED_ON_TWO = derive(snapshot([TWO, ONE], [deployment(1, "successful")]))
CANARY_OF_ONE = derive(
    snapshot(
        [ONE_AGAIN, TWO, ONE],
        [deployment(2, "running", canaries=("c",), desired_canaries=1), deployment(1, "successful")],
        [allocation("c", 2)],
    )
)
SETTLED_ON_ONE = derive(snapshot([specification(2, "one"), TWO, ONE], [deployment(2, "successful")]))
ONE_FAILED = derive(
    snapshot(
        [specification(3, "two", stable=False), ONE_AGAIN, TWO, ONE],
        [deployment(3, "running", canaries=("d",), desired_canaries=1), deployment(2, "failed", FAILED)],
        [allocation("d", 3)],
    )
)


@pytest.mark.parametrize(
    ("worker", "api", "continues"),
    [
        (CANARY_OF_ONE, CANARY_OF_ONE, True),
        (SETTLED_ON_ONE, CANARY_OF_ONE, True),
        (ONE_FAILED, CANARY_OF_ONE, True),
        # `nomad job revert` was called for one job only.
        (SETTLED_ON_TWO, CANARY_OF_ONE, False),
        (SETTLED_ON_TWO, SETTLED_ON_TWO, False),
        (SETTLED_ON_ONE, SETTLED_ON_ONE, False),
    ],
)
def test_a_revert_that_was_interrupted_is_continued(worker: RolloutState, api: RolloutState, continues: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Undoing it would start the bad release again."""
    found = unfinished_revert({"worker": worker, "api": api}, RECORDS, Applied(release="two"))

    assert (found is RECORDS[1]) is continues


def test_an_earlier_release_that_the_stack_names_is_no_interrupted_revert() -> None:
    states = {"worker": CANARY_OF_ONE, "api": CANARY_OF_ONE}

    assert unfinished_revert(states, RECORDS, Applied(release="one")) is None
    assert unfinished_revert(states, RECORDS, None) is RECORDS[1]


def test_a_new_release_under_way_is_no_interrupted_revert() -> None:
    states = {"worker": CANARY_OF_ONE, "api": CANARY_OF_ONE}

    assert unfinished_revert(states, RECORDS[:1], None) is None
    assert unfinished_revert(states, [RECORDS[1]], None) is None


def test_the_release_before_is_of_the_records_alone() -> None:
    two, one = RECORDS

    assert record_before(RECORDS, two.identity) is one
    assert record_before(RECORDS, one.identity) is None
    assert record_before(RECORDS, "never recorded") is two
    assert record_before([], two.identity) is None


def test_a_silent_nomad_on_the_way_back_is_no_reason_to_promote() -> None:
    message = str(PartlyKnown("the rollback", "", "", then="`upschedule deploy revert` continues it"))

    assert "`upschedule deploy revert` continues it." in message
    assert "promote" not in message
