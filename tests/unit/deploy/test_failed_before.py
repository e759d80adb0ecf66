"""A release of which one job has failed is not promoted. Another release with the same label is."""

import msgspec
import pytest

from tests.support.builders.nomad_answers import specification
from upschedule.deploy.gate import failed_before
from upschedule.deploy.nomad_model import Job
from upschedule.deploy.rollout_state import Phase, RolloutState


def job(settings: str) -> Job:
    return msgspec.convert(specification(1, "3.1", settings=settings), Job)


@pytest.mark.parametrize(("settings", "refused"), [("failed", True), ("mended", False)])
def test_settings_that_failed_do_not_count_against_later_ones(settings: str, *, refused: bool) -> None:
    """A changed setting has the label of the release that it changes (R12.3)."""
    failed = job("failed")
    states = {
        "worker": RolloutState(
            name="worker", phase=Phase.RETURNED, failed_release=failed.release, failed_key=failed.release_key
        ),
        "api": RolloutState(name="api", phase=Phase.WAITING, job=job(settings)),
    }
    assert [each.subject for each in failed_before(states, ["api"])] == ["worker: canary in Nomad"] * refused
