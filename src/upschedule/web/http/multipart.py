"""Reads the one file of an upload while it arrives, within bounds of size, memory and time (R11.3)."""

import asyncio
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from upschedule.pdf.errors import TooLarge
from upschedule.settings import UploadSettings, WebSettings
from upschedule.web.http.errors import InvalidRequest, RequestTimedOut, ServerBusy, UnsupportedMediaType
from upschedule.web.http.identity import AnyRequest

FIELD = "file"
#: Boundaries, headers of parts and small extra fields around the file.
ENVELOPE_BYTES_MAX = 65_536
#: Fields beside the file are skipped; ENVELOPE_BYTES_MAX leaves room for about this number.
_PARTS_MAX = 1_000
_FILE_NAME_LENGTH_MAX = 120
_FILE_NAME_DEFAULT = "schedule.pdf"
_DAMAGED = "The form arrived incomplete or damaged. Send the file again."
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is safe to show and bounded; it names no directory."""

    name: str
    content: bytes


class UploadReader:
    """Shared by all requests of the process: all bodies together stay within `buffered_bytes_max`."""

    def __init__(self, uploads: UploadSettings, web: WebSettings) -> None:
        self._size_bytes_max = uploads.size_bytes_max
        self._web = web
        self._buffered_bytes = 0

    @asynccontextmanager
    async def received(self, request: AnyRequest) -> AsyncGenerator[UploadedFile]:
        """The file, which counts against the memory until the block is left. Raises TooLarge before the rest arrives.

        Also InvalidRequest, UnsupportedMediaType, RequestTimedOut and ServerBusy.
        """
        boundary = _boundary(request)
        if (request.content_length or 0) > self._size_bytes_max + ENVELOPE_BYTES_MAX:
            raise TooLarge
        try:
            collector = _Collector(boundary, self._size_bytes_max)
        except FormParserError as error:
            raise InvalidRequest(_DAMAGED) from error
        try:
            await self._receive(request, collector)
            yield collector.result()
        finally:
            self._buffered_bytes -= collector.received_bytes

    async def _receive(self, request: AnyRequest, collector: "_Collector") -> None:
        try:
            async with asyncio.timeout(self._web.body_seconds):
                await self._collect(request, collector)
        except TimeoutError as error:
            raise RequestTimedOut from error
        except FormParserError as error:
            raise InvalidRequest(_DAMAGED) from error

    async def _collect(self, request: AnyRequest, collector: "_Collector") -> None:
        chunks = aiter(request.stream())
        while chunk := await self._next(chunks):
            self._buffered_bytes += len(chunk)
            collector.feed(chunk)
            if self._buffered_bytes > self._web.buffered_bytes_max:
                raise ServerBusy

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes:
        async with asyncio.timeout(self._web.body_idle_seconds):
            return await anext(chunks, b"")


class _Collector:
    """Keeps the content of the one file part; other fields are skipped."""

    def __init__(self, boundary: bytes, size_bytes_max: int) -> None:
        self.received_bytes = 0
        self._size_bytes_max = size_bytes_max
        self._header_name, self._header_value = bytearray(), bytearray()
        self._parts = 0
        self._in_file = self._found = self._complete = False
        self._file_name = ""
        self._content = bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._take_header_name,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_part_data": self._take_data,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Raises TooLarge, FormParserError, InvalidRequest."""
        self.received_bytes += len(chunk)
        self._parser.write(chunk)
        if len(self._content) > self._size_bytes_max or self.received_bytes > self._size_bytes_max + ENVELOPE_BYTES_MAX:
            raise TooLarge

    def result(self) -> UploadedFile:
        """Raises InvalidRequest where the end of the form or the file is missing."""
        if not self._complete:
            raise InvalidRequest(_DAMAGED)
        if not self._found:
            raise InvalidRequest(f'Send the PDF in the form field "{FIELD}".')
        content = bytes(self._content)
        self._content.clear()
        return UploadedFile(name=safe_file_name(self._file_name), content=content)

    def _begin_part(self) -> None:
        self._parts += 1
        self._in_file = False
        if self._parts > _PARTS_MAX:
            raise InvalidRequest("The form has too many fields.")

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name, value = bytes(self._header_name).lower(), bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()
        if name == b"content-disposition":
            _, options = parse_options_header(value)
            if options.get(b"name") == FIELD.encode():
                self._begin_file(options.get(b"filename", b""))

    def _begin_file(self, name: bytes) -> None:
        if self._found:
            raise InvalidRequest("Send one file at a time: each file is an upload of its own.")
        self._found = self._in_file = True
        self._file_name = name.decode("utf-8", "replace")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._content += data[start:end]

    def _end(self) -> None:
        self._complete = True


def safe_file_name(name: str | None) -> str:
    """No directories, control or direction characters; at most 120 characters, its ending kept."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    clean = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in _UNSAFE_CATEGORIES)
    clean = " ".join(clean.split()).strip(". ")
    if len(clean) > _FILE_NAME_LENGTH_MAX:
        stem, dot, ending = clean.rpartition(".")
        kept = f"{dot}{ending}" if dot and len(ending) <= 8 else ""  # noqa: PLR2004 - endings are short
        clean = (stem if kept else clean)[: _FILE_NAME_LENGTH_MAX - len(kept)] + kept
    return clean or _FILE_NAME_DEFAULT


def _boundary(request: AnyRequest) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType(f'Send the PDF as multipart/form-data, in the field "{FIELD}".')
    if not (boundary := options.get(b"boundary")):
        raise InvalidRequest("The form has no boundary. Let your program build the Content-Type header itself.")
    return boundary
