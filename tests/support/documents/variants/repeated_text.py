"""The same text twice in one place."""

import re
from random import Random

from tests.support.documents.variants.editing import with_contents


def bold_by_printing_twice(data: bytes, _: Random) -> bytes:
    return with_contents(data, lambda content: content + b"\nq 1 0 0 1 0.3 0 cm\n" + content + b"\nQ")


def bold_word_by_word(data: bytes, _: Random) -> bytes:
    """Each text is printed again at once, a little to the right."""
    return with_contents(
        data,
        lambda content: re.sub(
            rb"(1 0 0 1 )([\d.]+)( [\d.]+ Tm)\n?\s*(\([^\n]*\) ?Tj)",
            lambda found: (
                b"%b%b%b %b %b%.3f%b %b"
                % (found[1], found[2], found[3], found[4], found[1], float(found[2]) + 0.3, found[3], found[4])
            ),
            content,
        ),
    )


def invisible_layer(data: bytes, _: Random) -> bytes:
    """A layer of recognised text over the real one, slightly displaced and with errors."""
    return with_contents(
        data,
        lambda content: (
            content
            + b"\nq 3 Tr 0.997 0 0 0.997 1.3 -0.9 cm\n"
            + re.sub(rb"[\d.]+ [\d.]+ [\d.]+ rg", b"", content.split(b"\nET")[0]).replace(b"0)", b"O)")
            + b"\nET\nQ"
        ),
    )
