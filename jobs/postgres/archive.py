"""PostgreSQL's `archive_command`: `archive.py PGBACKREST STOP_SECONDS SEGMENT` archives a segment by pgBackRest.

While the server works, pgBackRest has all the time that it allows itself. A server that stops tries its segments once
more, up to six times each, and would be killed before pgBackRest has given up a store that is away. So the archive may
delay a stop by STOP_SECONDS in all; the next start archives the segments that are left. It uses nothing but Python.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

POLL_SECONDS = 0.2
END_SECONDS = 2.0
#: PostgreSQL calls the command in its data folder.
PID_FILE = Path("postmaster.pid")
#: Of that file. Process, folder and time of the start tell servers apart.
IDENTITY_LINES, STATE_LINE = 3, 8
FAILED = 1


def main(program: str, stop_seconds: float, segment: str) -> int:
    """The exit code: 0 if the repository has the segment."""
    given_up = Path(os.environ["PGBACKREST_SPOOL_PATH"]) / "given-up"
    server, stopping = server_state()
    if stopping and given_up.exists() and given_up.read_text(encoding="utf-8") == server:
        return FAILED
    process = subprocess.Popen([program, "--no-config", "archive-push", segment])  # noqa: S603 - by PostgreSQL alone
    stop_at = None
    while True:
        try:
            # PostgreSQL's archiver ends at a code above 128, which says that a signal ended the command.
            return min(abs(process.wait(POLL_SECONDS)), 128)
        except subprocess.TimeoutExpired:
            if stop_at is None and server_state()[1]:
                stop_at = time.monotonic() + stop_seconds
        if stop_at is not None and time.monotonic() > stop_at:
            end(process)
            given_up.parent.mkdir(parents=True, exist_ok=True)
            given_up.write_text(server, encoding="utf-8")
            sys.stderr.write(
                f"The server stops, and {segment} could not be archived in time: the next start does it.\n"
            )
            return FAILED


def server_state() -> tuple[str, bool]:
    """What tells this run of the server from others, and whether it stops."""
    lines = PID_FILE.read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[:IDENTITY_LINES]), len(lines) >= STATE_LINE and lines[STATE_LINE - 1].strip() == "stopping"


def end(process: "subprocess.Popen[bytes]") -> None:
    """A signal that it handles, and then one that it cannot."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
