"""Expands form XObjects: content that a page or another form draws by name, any number of times."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from upschedule.pdf.errors import TooComplex

_DRAWN = re.compile(rb"/([^\x00\t\n\f\r ()<>\[\]{}/%]+)[\x00\t\n\f\r ]+Do\b")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
#: Pages inherit resources from the nodes above them.
_NODES_MAX = 64

Draws = Mapping[str, int]


def draws(content: bytes) -> Draws:
    """The number of times that the content draws each name."""
    if b"Do" not in content:
        return {}
    return Counter(_name(match) for match in _DRAWN.findall(content))


def _name(written: bytes) -> str:
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), written).decode("latin-1")


class Forms:
    """The forms of a document. `content_of` gives the size of a stream's own content, and what that draws."""

    def __init__(self, document: Any, content_of: Callable[[int], tuple[int, Draws]]) -> None:
        self._document = document
        self._content_of = content_of
        #: None while the form's own forms are counted.
        self._sizes: dict[tuple[int, int], int | None] = {}

    def size(self, drawn: Draws, owner: int) -> int:
        """Bytes of content that are interpreted for what is drawn by a page, or a form: `owner` has its resources.

        A form counts each time. Raises `TooComplex` for one that draws itself, which no producer writes.
        """
        total = 0
        for name, times in drawn.items():
            kind, value = self._document.xref_get_key(owner, f"Resources/XObject/{name}")
            if kind == "xref":
                total += times * self._size_of(int(value.split()[0]), owner)
        return total

    def owner_of(self, page: int) -> int:
        """The page, or the node of the page tree from which it inherits its resources."""
        node = page
        for _ in range(_NODES_MAX):
            if self._document.xref_get_key(node, "Resources")[0] != "null":
                return node
            kind, value = self._document.xref_get_key(node, "Parent")
            if kind != "xref":
                break
            node = int(value.split()[0])
        return page

    def _size_of(self, form: int, owner: int) -> int:
        # A form without resources of its own uses those of what draws it.
        own = self._document.xref_get_key(form, "Resources")[0] != "null"
        key = (form, form if own else owner)
        if key in self._sizes:
            known = self._sizes[key]
            if known is None:
                raise TooComplex
            return known
        self._sizes[key] = None
        size = 0
        if self._document.xref_get_key(form, "Subtype")[1] == "/Form":
            own_size, drawn = self._content_of(form)
            size = own_size + self.size(drawn, key[1])
        self._sizes[key] = size
        return size
