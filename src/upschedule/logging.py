"""Logs: JSON lines on standard output, constant event names, ids and never content (R6.3).

Ids of the request, job and account are bound once with `structlog.contextvars` and cleared by the code that bound them.
Our own lines do not pass through the standard library's logger: that would take two thirds of a line's processor time
(`python -m perf.log_line`).
"""

import json
import logging
import sys
from contextlib import suppress
from typing import Any, BinaryIO, cast

import msgspec
import structlog

_LEVELS = logging.getLevelNamesMapping()


def configure(*, level: str, process: str) -> None:
    """`process` (`api`, `worker`) is on every line. Libraries that use the standard logger come out the same way."""

    def name_process(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    describing: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            _drop_below_level,
            *describing,
            name_process,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        logger_factory=_logger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, *describing],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.JSONRenderer(serializer=_json_text),
            ],
        )
    )
    logging.getLogger().handlers = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Sets the level from now on. Debug messages of libraries are left out at any level."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for noisy in ("urllib3", "minio", "asyncio", "_granian", "psycopg.pool", "taskiq", "aiohttp"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))


class _Output:
    """Standard output that never raises: a request must not fail because the disk of its log is full."""

    def write(self, line: bytes) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.buffer.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.buffer.flush()


_output = cast("BinaryIO", _Output())


def _logger(name: str | None = None) -> structlog.BytesLogger:
    return structlog.BytesLogger(_output, name=name)


def _drop_below_level(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The level may change while the process runs, and our lines obey the same one as those of libraries."""
    if _LEVELS[event["level"].upper()] < logging.getLogger().level:
        raise structlog.DropEvent
    return event


def _json(event: Any, **_: object) -> bytes:
    """A value that JSON does not know is written as Python shows it: no line is lost for what it says."""
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        # Half a surrogate pair, for example, of a file's name that is not UTF-8.
        return json.dumps(event, default=repr, skipkeys=True).encode()


def _json_text(event: Any, **_: object) -> str:
    return _json(event).decode()
