"""Reads requests for handlers: whole bodies of the declared type, and text that every store can hold."""

import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.exceptions import InternalServerException

from upschedule.errors import FieldError
from upschedule.web.http.errors import InvalidRequest, UnsupportedMediaType

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_INCOMPLETE = "The body arrived incomplete or damaged. Send the request again."
_NOT_UNICODE = "The text is not valid UTF-8. Encode it as UTF-8 and send it again."
_NESTED = "The body is nested too deeply. Send what the description of the interface names."
_NUL = "The character U+0000 is not allowed in text. Remove it and send the request again."
#: In the messages of msgspec: the field is not part of the path then.
_NAMED = re.compile(r"(?:missing required|contains unknown) field `(.*)`$", re.DOTALL)


def _number(text: str) -> int | float:
    """JSON knows one kind of number: 5.0 is 5."""
    value = float(text)
    return int(value) if value.is_integer() else value


_DECODER = msgspec.json.Decoder(float_hook=_number)


class CheckedRequest(Request[Any, Any, Any]):
    """The request class of the application. Everything here raises InvalidRequest, a body also UnsupportedMediaType."""

    async def stream(self) -> AsyncGenerator[bytes]:
        """The body as it arrives."""
        try:
            async for chunk in super().stream():
                yield chunk
        except InternalServerException as error:
            # The framework's name for a body that ends too soon: the client hung up, or its chunks are malformed.
            raise InvalidRequest(_INCOMPLETE) from error

    async def json(self) -> Any:
        """The body of an operation that accepts JSON, and JSON only, as the type that its handler asks for.

        The framework's own conversion is less strict: it accepts "1" as a number.
        """
        self._require(_JSON)
        value = decode_json(await self.body())
        expected = self.route_handler.parsed_data_field
        return convert_json(value, expected.annotation) if expected else value

    async def form(self) -> FormMultiDict:
        """The body of a page's form without a file."""
        self._require(_FORM)
        check_encoded(await self.body())
        return await super().form()

    def _require(self, media_type: str) -> None:
        declared = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared != media_type:
            raise UnsupportedMediaType(f"Send the body as {media_type} and declare it in the Content-Type header.")


def decode_json(body: bytes) -> Any:
    """The decoder of the library checks neither the encoding of text nor for U+0000. Raises InvalidRequest."""
    try:
        body.decode()
        value = _DECODER.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(_NOT_UNICODE) from error
    except RecursionError as error:
        raise InvalidRequest(_NESTED) from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}. Correct it and send it again.") from error
    if faults := tuple(FieldError(field=field, detail=_NUL) for field in _fields_with_nul(value)):
        raise InvalidRequest(errors=faults)
    return value


def convert_json(value: Any, expected: Any) -> Any:
    """Raises InvalidRequest, which names the field at fault by its path."""
    try:
        return msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at ")
        named = _NAMED.search(detail)
        field = ".".join(filter(None, (path.strip("`$").lstrip("."), named[1] if named else "")))
        raise InvalidRequest(errors=(FieldError(field=field, detail=detail),)) from error


def check_encoded(encoded: bytes) -> None:
    """A query string or a form: percent-encoded UTF-8 without U+0000. Raises InvalidRequest."""
    try:
        text = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(_NOT_UNICODE) from error
    if "\0" in text:
        raise InvalidRequest(_NUL)


def _fields_with_nul(value: Any) -> Iterator[str]:
    # A stack of its own: the body decides how deep it is.
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                yield path
        elif isinstance(item, list):
            waiting += [(path, each) for each in item]  # pyright: ignore[reportUnknownVariableType] - any JSON
        elif isinstance(item, dict):
            for key, each in item.items():  # pyright: ignore[reportUnknownVariableType] - any JSON
                # A key that is itself at fault is not repeated: the answer would carry the character back.
                waiting += [(path, key), (f"{path}.{key}".strip(".") if "\0" not in key else path, each)]
