"""Each invalid file is refused with the code of its cause."""

from collections.abc import Callable

import pytest

from tests.support.documents import refused, transforms
from tests.support.documents.reading import LIMITS, extract
from tests.support.documents.schedules import KINDS, LECTURES, Kind
from upschedule.pdf import errors
from upschedule.pdf.limits import ReadingLimits
from upschedule.pdf.reader import read


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "pdf-empty-file"),
        (b"Lectures\n", "pdf-not-a-pdf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2000), "pdf-not-a-pdf"),
        (b"%PDF-1.6\n", "pdf-damaged"),
        (refused.too_large(LIMITS.size_bytes_max), "pdf-too-large"),
        (refused.needs_password(), "pdf-needs-password"),
        (refused.scan(), "pdf-scanned"),
        (refused.poster(), "pdf-not-a-timetable"),
        (refused.nested_arrays(), "pdf-too-complex"),
        (refused.other_university(), "pdf-other-timetable"),
        (refused.with_blank_page(), "pdf-incomplete"),
        (refused.with_other_table(), "pdf-incomplete"),
        (refused.without_rules(), "pdf-incomplete"),
        (refused.packed_bomb(), "pdf-too-complex"),
        (refused.rule_bomb(), "pdf-too-complex"),
        (refused.shared_content(), "pdf-too-complex"),
        (refused.form_bomb(), "pdf-too-complex"),
        (refused.self_drawn_form(), "pdf-too-complex"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_has_its_own_code(data: bytes, code: str) -> None:
    """Each code has its own sentence for the student (R11.3)."""
    with pytest.raises(errors.UnreadableDocument) as caught:
        extract(data)

    assert caught.value.code == code


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_a_schedule_without_rows_is_called_empty(kind: Kind) -> None:
    with pytest.raises(errors.EmptySchedule):
        extract(refused.empty_schedule(kind))


def test_a_hundred_pages_are_read_and_one_more_is_refused_before_any_is_read() -> None:
    """The limit is a hundred pages (R1.4)."""
    progress: list[tuple[int, int]] = []

    read(refused.pages(100), limits=LIMITS, progress=lambda done, total: progress.append((done, total)))
    assert progress == [(page, 100) for page in range(1, 101)]

    progress.clear()
    with pytest.raises(errors.TooManyPages):
        read(refused.pages(101), limits=LIMITS, progress=lambda done, total: progress.append((done, total)))
    assert progress == []


@pytest.mark.parametrize("inherited", [False, True])
def test_a_form_counts_as_often_as_it_is_drawn(*, inherited: bool) -> None:
    """A small file could otherwise take a long time to read (R1.5)."""
    data = refused.repeated_form(10, inherited=inherited)
    with pytest.raises(errors.TooComplex):
        extract(data, limits=ReadingLimits(content_bytes_max=10_000_000))
    with pytest.raises(errors.NotATimetable):
        extract(data, limits=ReadingLimits(content_bytes_max=10_000_100))


@pytest.mark.parametrize("filters", [1, 2])
def test_content_counts_for_each_page_that_shows_it_and_before_any_is_read(filters: int) -> None:
    """A hundred pages that share a stream of 1 MB are 100 MB to interpret, however small the file is (R1.5)."""
    progress: list[tuple[int, int]] = []
    data = refused.shared_content(size_bytes=1_000_000, filters=filters)
    assert len(data) < 40_000

    def read_with(content_bytes_max: int) -> None:
        limits = ReadingLimits(content_bytes_max=content_bytes_max)
        read(data, limits=limits, progress=lambda done, total: progress.append((done, total)))

    with pytest.raises(errors.TooComplex):
        read_with(99_999_999)
    assert progress == []
    with pytest.raises(errors.NotATimetable):
        read_with(100_000_000)
    assert len(progress) == 100


@pytest.mark.parametrize(
    "save", [bytes, transforms.linearise, transforms.with_object_streams, transforms.resave_by_pdfium]
)
def test_a_truncated_file_is_refused_wherever_it_ends(save: Callable[[bytes], bytes]) -> None:
    whole = save(refused.schedule(LECTURES, rows=30)).rstrip()

    for end in range(10, len(whole), 97):
        with pytest.raises(errors.Damaged):
            extract(whole[:end])


def test_a_second_half_that_was_cut_off_an_update_is_noticed() -> None:
    whole = refused.schedule()

    with pytest.raises(errors.Damaged):
        extract(whole + b"7 0 obj\n<< /Type /Page")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_page_whose_content_is_cut_short_is_refused(share: float) -> None:
    with pytest.raises(errors.UnreadableDocument):
        extract(refused.with_overwritten_content(share))


def test_limits_are_the_callers() -> None:
    with pytest.raises(errors.TooComplex):
        extract(refused.schedule(), limits=ReadingLimits(words_per_page_max=50))


def test_each_cause_has_its_own_code_and_a_sentence() -> None:
    causes = errors.UnreadableDocument.__subclasses__()

    assert len({cause.code for cause in causes}) == len(causes)
    assert all(cause().detail.endswith(".") and cause().detail.count(".") >= 2 for cause in causes)
