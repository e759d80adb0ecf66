"""Logs: JSON lines on standard output, constant event names, ids and never content (R6.3).

Ids of the request, job and account are bound once with `structlog.contextvars` and cleared by the code that bound them.
"""

import logging
import sys

import structlog


def configure(*, level: str, process: str) -> None:
    """`process` (`api`, `worker`) is on every line. Libraries that use the standard logger come out the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

    def name_process(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.JSONRenderer(),
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
