"""Sets the metrics of a run of the synthetic student."""

from collections.abc import Sequence

from upschedule.deploy.probe.golden import ALL, GoldenStage
from upschedule.deploy.synthetic.student import StudentRun
from upschedule.golden import LAYOUTS
from upschedule.metrics import (
    SYNTHETIC_DIFFERENCES,
    SYNTHETIC_RUN_TIME,
    SYNTHETIC_RUNS,
    SYNTHETIC_STAGE_SECONDS,
    SYNTHETIC_SUCCESS,
    SYNTHETIC_SUCCESS_TIME,
)

#: What each document goes through, and what all of them go through together.
_OF_DOCUMENT = ("upload", "reading", "timetable")
_OF_ALL = ("sign-in", "left-overs", "calendar", "feed", "deletion")
STAGES = {**dict.fromkeys(LAYOUTS, _OF_DOCUMENT), ALL: _OF_ALL}


def show_start(unix_time: float) -> None:
    """The age of the last run is that of the process until one has ended, so a first run that hangs is noticed."""
    for document in STAGES:
        SYNTHETIC_RUN_TIME.labels(document).set(unix_time)


def show(run: StudentRun) -> None:
    """Replaces the figures of the run before."""
    SYNTHETIC_STAGE_SECONDS.clear()
    for stage in run.stages:
        SYNTHETIC_STAGE_SECONDS.labels(stage.document, stage.name).set(stage.seconds)
    for document, expected in STAGES.items():
        outcome = outcome_of([stage for stage in run.stages if stage.document == document], expected)
        SYNTHETIC_RUNS.labels(document, outcome).inc()
        SYNTHETIC_RUN_TIME.labels(document).set(run.ended_at)
        SYNTHETIC_SUCCESS.labels(document).set(outcome != "failed")
        differences = sum(stage.differences for stage in run.stages if stage.document == document)
        SYNTHETIC_DIFFERENCES.labels(document).set(differences)
        if outcome == "right":
            SYNTHETIC_SUCCESS_TIME.labels(document).set(run.ended_at)


def outcome_of(stages: Sequence[GoldenStage], expected: Sequence[str]) -> str:
    """`failed` if a stage that was expected has not come to its end, else `wrong` or `right`. A pure function."""
    done = {stage.name for stage in stages if stage.done}
    if not done.issuperset(expected):
        return "failed"
    return "wrong" if any(stage.differences for stage in stages) else "right"
