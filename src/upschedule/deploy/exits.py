"""Exit codes of `upschedule deploy`, for scripts; 1 and 2 are click's own."""

import enum


class ExitCode(enum.IntEnum):
    """`docs/releases.md` lists them."""

    DONE = 0
    UNREACHABLE = 3
    UNDER_WAY = 10
    FAILED = 11
    UNHEALTHY = 12
    GATE_NOT_PASSED = 20
    NOTHING_TO_GATE = 21
    ROLLED_BACK = 22
    NOT_VERIFIED = 23
    NOT_REVERTED = 24
    SUPERSEDED = 25
    TOO_LONG = 26
    INTERRUPTED = 130
