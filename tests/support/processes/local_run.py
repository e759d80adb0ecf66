"""`upschedule local` as a process of a test, and what it prints."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from tests.support.processes.listing import processes_in
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK

_START_SECONDS = 100.0


class LocalRun:
    """One run of the command, and what it has said so far."""

    def __init__(self, data: Path, port: int, *, output: Path | None = None, within: Sequence[str | Path] = ()) -> None:
        """`within`: a command that becomes the one given as its last arguments."""
        self.url = f"http://{LOOPBACK}:{port}"
        self.output = output or data.with_suffix(".out")
        with self.output.open("wb") as target:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", "upschedule", "local"],
                env={**os.environ, "UPSCHEDULE_DATA": str(data), "PORT": str(port)},
                stdout=target,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text()

    def await_words(self, words: str) -> None:
        def found() -> bool:
            assert self.process.poll() is None, self.said()
            return words in self.said()

        wait_until(found, timeout_seconds=_START_SECONDS)

    def inside(self, name: str) -> str:
        """The address that was printed for a server."""
        (address,) = re.findall(rf"^  {re.escape(name)} +(\S+)$", self.said(), re.MULTILINE)
        return address

    def ended_with(self) -> int:
        return self.process.wait(60)


@contextmanager
def local_run(data: Path, port: int, *, within: Sequence[str | Path] = ()) -> Iterator[LocalRun]:
    run = LocalRun(data, port, within=within)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        wait_until(lambda: processes_in(data) == {}, timeout_seconds=60)


def small_document(text: str = "Not a schedule, yet a PDF.") -> bytes:
    """A PDF of one line."""
    target = BytesIO()
    canvas = Canvas(target)
    canvas.drawString(72, 720, text)
    canvas.save()
    return target.getvalue()
