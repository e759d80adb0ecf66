"""The processor time of a request's log line, beside the way through the standard library's logger.

    uv run python -m perf.log_line

Both write the same fields to a file. structlog's documentation describes the other way, with ProcessorFormatter; it
would need no code of ours, but each line becomes a LogRecord first and is formatted twice.
"""

import argparse
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import structlog

from upschedule import logging as ours

LINES = 20_000


def through_the_standard_library() -> None:
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
    handler = logging.StreamHandler(sys.stdout)
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()]
    )
    handler.setFormatter(formatter)
    logging.getLogger().handlers = [handler]
    logging.getLogger().setLevel("INFO")


def as_the_service() -> None:
    ours.configure(level="info", process="api")


WAYS: dict[str, Callable[[], None]] = {
    "as the service": as_the_service,
    "through the standard library": through_the_standard_library,
}


def write(way: str) -> None:
    """Logs lines in a separate process, whose standard output is discarded.

    Prints the seconds of a line to standard error.
    """
    WAYS[way]()
    log = structlog.stdlib.get_logger("upschedule.web")
    structlog.contextvars.bind_contextvars(request_id="0f9c7a4e-4f4b-4f5e-9a3b-111111111111")
    began = time.process_time()
    for _ in range(LINES):
        log.info("request", method="GET", route="/api/v1/jobs/{job_id}", status=200, duration_ms=3.4, redis_ms=1.2)
    print((time.process_time() - began) / LINES, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        write(options.way)
        return
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, seconds in found.items():
            command = [sys.executable, "-m", "perf.log_line", "--way", way]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, text=True)
            seconds.append(float(done.stderr))
    costs = {way: statistics.median(seconds) for way, seconds in found.items()}
    for way, cost in costs.items():
        print(f"{way:<30}{cost * 1e6:>8.1f} us a line{cost / costs['as the service']:>8.2f}")


if __name__ == "__main__":
    main()
