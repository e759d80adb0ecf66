"""Why a file is refused.

Each class is one cause with its own `code`, the last part of the problem's address (`/problems/<code>`). The class docstring is the
sentence for the person: what is wrong and what to do. These causes lie in the file: reading it again cannot help.
"""

from typing import ClassVar


class UnreadableDocument(Exception):
    """This file could not be read. Download the schedule from the UP Portal again and upload that file."""

    code: ClassVar[str] = "pdf-unreadable"
    title: ClassVar[str] = "The file could not be read"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        super().__init__(self.detail)


class EmptyFile(UnreadableDocument):
    """The file has no content (zero bytes). Download the schedule from the UP Portal again and upload that file."""

    code = "pdf-empty-file"
    title = "The file is empty"


class NotAPdf(UnreadableDocument):
    """This is not a PDF. Upload the PDF that the UP Portal prints under "Class, test and exam schedules"."""

    code = "pdf-not-a-pdf"
    title = "Not a PDF"
