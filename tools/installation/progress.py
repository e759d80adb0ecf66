"""Shows an installation in one line that changes on a terminal, and in two lines elsewhere."""

import shutil
import time
from typing import TextIO

ERASE = "\r\x1b[K"


class InstallProgress:
    """Nothing is shown until there is something to install."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self._title, self._stream = title, stream
        self._begun = time.monotonic()
        self._terminal = stream.isatty()
        self._announced = False

    def show(self, detail: str = "") -> None:
        """Replace the detail; without a terminal only the title is printed, once."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            text = f"{self._title}: {detail}" if detail else f"{self._title} …"
            self._write(f"{ERASE}{text[:width]}")
        elif not self._announced:
            self._write(f"{self._title} …\n")
        self._announced = True

    def finish(self, outcome: str) -> None:
        """Prints the last line if a first one was printed."""
        if self._announced:
            seconds = time.monotonic() - self._begun
            self._write(f"{ERASE if self._terminal else ''}{outcome} in {seconds:.0f} s.\n")

    def leave(self) -> None:
        """End the line, so that an error begins a new one."""
        if self._announced and self._terminal:
            self._write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
