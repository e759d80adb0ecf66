"""Each log line is one JSON object on standard output, for our own loggers and for those of libraries."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def lines(program: str) -> list[dict[str, Any]]:
    """What a process prints that configures its logs and then runs `program`."""
    begin = "import logging, structlog\nfrom upschedule.logging import configure, set_level\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + program], capture_output=True, check=True, timeout=60, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_our_lines_and_those_of_libraries_have_the_same_fields() -> None:
    ours, theirs = lines(
        "configure(level='info', process='api')\n"
        "structlog.get_logger('ours').warning('ours', count=1)\n"
        "logging.getLogger('theirs').warning('theirs %s', 'x')\n"
    )
    assert ours.keys() - {"count"} == theirs.keys()
    assert (ours["event"], ours["logger"], ours["level"], ours["process"], ours["count"]) == (
        "ours",
        "ours",
        "warning",
        "api",
        1,
    )
    assert (theirs["event"], theirs["logger"], theirs["process"]) == ("theirs x", "theirs", "api")


def test_the_level_may_change_while_loggers_are_in_use() -> None:
    found = lines(
        "configure(level='warning', process='api')\n"
        "ours, theirs = structlog.get_logger('ours'), logging.getLogger('theirs')\n"
        "for log in (ours, theirs): log.info('hidden')\n"
        "set_level('info')\n"
        "for log in (ours, theirs): log.info('shown'); log.debug('hidden')\n"
        "set_level('error')\n"
        "for log in (ours, theirs): log.warning('hidden')\n"
    )
    assert [line["event"] for line in found] == ["shown", "shown"]


def test_the_ids_of_the_context_and_the_stack_of_an_error_are_in_the_line() -> None:
    [line] = lines(
        "configure(level='info', process='worker')\n"
        "structlog.contextvars.bind_contextvars(request_id='r1')\n"
        "try:\n    raise ValueError('broken')\n"
        "except ValueError:\n    structlog.get_logger('ours').exception('failed')\n"
    )
    assert (line["level"], line["request_id"]) == ("error", "r1")
    assert "ValueError: broken" in line["exception"]


@pytest.mark.parametrize("value", ["'\\udc80'", "object()", "{1: object()}", "b'bytes'", "float('nan')", "2**70"])
def test_a_value_that_json_does_not_know_loses_no_line(value: str) -> None:
    found = lines(
        "configure(level='info', process='api')\n"
        f"structlog.get_logger('ours').info('before', value={value})\n"
        "structlog.get_logger('ours').info('after')\n"
    )
    assert [line["event"] for line in found] == ["before", "after"]


def test_a_line_that_cannot_be_written_fails_no_request() -> None:
    """On `/dev/full` each write fails as on a full disk."""
    program = (
        "import structlog, sys\nfrom upschedule.logging import configure\n"
        "configure(level='info', process='api')\n"
        "for _ in range(10_000): structlog.get_logger('ours').info('lost')\n"
        "print('went on', file=sys.stderr)\n"
        "import os; os._exit(0)\n"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=True, timeout=60, text=True
        )
    assert done.stderr == "went on\n"
