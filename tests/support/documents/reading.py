"""Reading a document in this process, as tests and measurements do."""

from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.reader import read
from upschedule.timetable.event import Extraction

LIMITS = ReadingLimits()


def extract(data: bytes, *, limits: ReadingLimits = LIMITS) -> Extraction:
    return read(data, limits=limits, progress=lambda _done, _total: None)
