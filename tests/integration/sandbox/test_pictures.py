"""Pictures of rows come out of the sandbox, and a file that abuses the painter is ended as a reading is."""

import asyncio
import sys

import pymupdf
import pytest

from tests.support.documents import refused
from tests.support.documents.generate import document
from upschedule.pdf import reader
from upschedule.pdf.errors import Incomplete, NotAPdf, UnreadableDocument
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.picture import paint
from upschedule.pdf.sandbox import QuantumUsedUp, Sandbox, SandboxLimits
from upschedule.timetable.event import Box

_BOX = Box(page=1, left=40, top=100, right=300, bottom=114)


async def test_every_row_of_varied_documents_is_drawn_inside_as_outside() -> None:
    """A picture is as wide as the page and as high as a row, whatever program made the document."""
    limits = ReadingLimits()
    async with Sandbox(limits=SandboxLimits(), reading=limits) as sandbox:
        for seed in range(12):
            data = document(seed).data
            event = reader.read(data, limits=limits, progress=lambda _done, _total: None).events[-1]
            image = await sandbox.picture(data, event.boxes[0], deadline_seconds=60, cpu_seconds=10)
            assert image == paint(data, event.boxes[0], limits=limits)
            pixels = pymupdf.Pixmap(image)
            assert pixels.width <= 1700
            assert pixels.height <= 600


async def test_readings_and_pictures_take_turns() -> None:
    """With one place for both."""
    data = document(4).data
    async with Sandbox(limits=SandboxLimits(), reading=ReadingLimits(), concurrency_max=1) as sandbox:
        extraction, image = await asyncio.gather(
            sandbox.read(data, deadline_seconds=60, on_progress=lambda _done, _total: None),
            sandbox.picture(data, _BOX, deadline_seconds=60, cpu_seconds=10),
        )
    assert extraction.events
    assert image.startswith(b"\x89PNG")


async def test_what_cannot_be_drawn_is_refused_with_its_cause() -> None:
    """A page that is not there, a place outside of the page, a file that is no PDF, a picture that takes for ever."""
    data = document(4).data
    async with Sandbox(limits=SandboxLimits(), reading=ReadingLimits()) as sandbox:
        for box in (
            Box(page=99, left=0, top=0, right=1, bottom=1),
            Box(page=1, left=0, top=9000, right=1, bottom=9010),
        ):
            with pytest.raises(Incomplete):
                await sandbox.picture(data, box, deadline_seconds=60, cpu_seconds=10)
        with pytest.raises(NotAPdf):
            await sandbox.picture(b"GIF89a", _BOX, deadline_seconds=60, cpu_seconds=10)
        with pytest.raises((QuantumUsedUp, UnreadableDocument)):
            await sandbox.picture(refused.pattern_bomb(), _BOX, deadline_seconds=60, cpu_seconds=0.3)


def test_a_box_of_any_size_gives_a_small_picture() -> None:
    """The size of the picture has a bound, whatever the page's."""
    data = document(4).data
    tall = Box(page=1, left=-sys.maxsize, top=-1e9, right=1e9, bottom=1e9)
    for box in (tall, Box(page=1, left=0, top=10, right=9000, bottom=9000)):
        try:
            image = paint(data, box, limits=ReadingLimits())
        except UnreadableDocument:
            continue
        pixels = pymupdf.Pixmap(image)
        assert pixels.width * pixels.height <= 1700 * 600
