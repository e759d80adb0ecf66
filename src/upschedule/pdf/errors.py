"""Errors for files that are refused, each with its sentence for the student.

Each class is one cause with its own `code`, the last part of the problem's address (`/problems/<code>`). The class
docstring is the sentence for the person: what is wrong and what to do. These causes lie in the file: reading it again
cannot help.
"""

from upschedule.errors import Refusal


class UnreadableDocument(Refusal):
    """This file could not be read. Download the schedule from the UP Portal again and upload that file."""

    code = "pdf-unreadable"
    title = "The file could not be read"


class EmptyFile(UnreadableDocument):
    """The file has no content (zero bytes). Download the schedule from the UP Portal again and upload that file."""

    code = "pdf-empty-file"
    title = "The file is empty"


class NotAPdf(UnreadableDocument):
    """This is not a PDF. Upload the PDF that the UP Portal prints under "Class, test and exam schedules"."""

    code = "pdf-not-a-pdf"
    title = "Not a PDF"


class TooLarge(UnreadableDocument):
    """The file is larger than 10 MB. A schedule from the UP Portal is far smaller: upload that PDF itself."""

    code = "pdf-too-large"
    title = "The file is too large"


class NeedsPassword(UnreadableDocument):
    """This PDF opens only with a password. Save a copy without a password, or download the schedule again."""

    code = "pdf-needs-password"
    title = "The file needs a password"


class Damaged(UnreadableDocument):
    """The file is damaged or its end is missing, so classes could be lost. Download the schedule again."""

    code = "pdf-damaged"
    title = "The file is damaged"


class TooManyPages(UnreadableDocument):
    """The document has more than 100 pages. Upload your own schedules only, or split the document."""

    code = "pdf-too-many-pages"
    title = "Too many pages"


class Scanned(UnreadableDocument):
    """The pages hold no text, only a picture of it. Upload the PDF that the UP Portal prints, not a scan or a photo."""

    code = "pdf-scanned"
    title = "A scan, not a schedule"


class NotATimetable(UnreadableDocument):
    """This PDF holds no timetable. Upload the PDF that the UP Portal prints under "Class, test and exam schedules"."""

    code = "pdf-not-a-timetable"
    title = "No timetable in this file"


class OtherTimetable(UnreadableDocument):
    """This table is not one of the UP Portal's schedules (Lectures, Semester Tests, Exams). Upload one of those."""

    code = "pdf-other-timetable"
    title = "Another kind of timetable"


class EmptySchedule(UnreadableDocument):
    """The schedule has a header and no rows. Check in the UP Portal that you are registered, then print it again."""

    code = "pdf-empty-schedule"
    title = "The schedule is empty"


class TooComplex(UnreadableDocument):
    """The file needs far more work than a schedule does. Download the schedule from the UP Portal again."""

    code = "pdf-too-complex"
    title = "The file is too complex"


class TookTooLong(UnreadableDocument):
    """Reading this file took too long and was stopped. Download the schedule from the UP Portal again."""

    code = "pdf-took-too-long"
    title = "Reading took too long"


class Incomplete(UnreadableDocument):
    """A part of this file could not be read, and a partial calendar is worse than none. Download the schedule again."""

    code = "pdf-incomplete"
    title = "Not everything could be read"


class Recognised(UnreadableDocument):
    """These pages are pictures with recognised text, which can be wrong. Upload the PDF that the UP Portal prints."""

    code = "pdf-recognised-text"
    title = "A scan with recognised text"


class Outlined(UnreadableDocument):
    """The letters in this file are drawn as shapes: no text can be read. Upload the PDF that the UP Portal prints."""

    code = "pdf-outlined-text"
    title = "The letters are drawings"


class Unmapped(UnreadableDocument):
    """The file does not say which letters its shapes are, so no text can be read. Upload the PDF of the UP Portal."""

    code = "pdf-unmapped-text"
    title = "The letters have no meaning"


class NoRules(UnreadableDocument):
    """The table's lines are missing, or are pictures, so rows cannot be distinguished. Download the schedule again."""

    code = "pdf-no-table-lines"
    title = "The table has no lines"
