"""A reader for tests, run by the real sandbox: the document's first words say how long it takes and what comes of it.

`plain X`: at once. `slow SECONDS PAGES X`: so long, telling each page.
`busy SECONDS X`: so much processor time, more or less. `refused X`: not a timetable. `broken X`: a defect.
"""

import threading
import time
from collections.abc import Callable

from upschedule.golden import Golden
from upschedule.pdf.errors import NotATimetable
from upschedule.pdf.limits import ReadingLimits
from upschedule.timetable.event import Extraction, Lecture

GOLDEN_MODULE = "GLD100"
_LOOPS = 200_000


def _loop(loops: int) -> None:
    for _ in range(loops):
        pass


def _seconds_per_loop() -> float:
    """Measured where the clock may still be asked: not in the sandbox."""
    began = time.process_time()
    _loop(_LOOPS)
    return (time.process_time() - began) / _LOOPS


_SECONDS_PER_LOOP = _seconds_per_loop()


def read(data: bytes, *, limits: ReadingLimits, progress: Callable[[int, int], None]) -> Extraction:
    words = data.decode().split()[1:]
    pages = 1
    if words[0] == "refused":
        raise NotATimetable
    if words[0] == "broken":
        raise RuntimeError(words[1])
    if words[0] == "busy":
        _loop(int(float(words[1]) / _SECONDS_PER_LOOP))
    if words[0] == "slow":
        pages = int(words[2])
        for page in range(1, pages + 1):
            # The sandbox refuses to sleep, but not to wait.
            threading.Event().wait(float(words[1]) / pages)
            progress(page, pages)
    return Extraction(events=(_lecture(words[-1]),), pages=pages)


def golden(expected_module: str = GOLDEN_MODULE) -> Golden:
    """What this reader reads rightly, unless another module is expected."""
    expected = Extraction(events=(_lecture(expected_module),), pages=1)
    return Golden(layout="lectures", document=f"%PDF-1.7\nplain {GOLDEN_MODULE}".encode(), expected=expected)


def _lecture(module: str) -> Lecture:
    return Lecture(
        module=module,
        offered="S1",
        group="G01",
        language="English",
        activity="L1",
        day="Monday",
        start="08:30",
        end="09:20",
        venues=("Thuto 1-1",),
        campus="HATFIELD",
        study_programmes=(),
        page=1,
    )
