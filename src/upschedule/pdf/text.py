"""Normalises all text that enters the reader.

The portal prints ASCII. Other programs between the portal and the upload replace its characters by typographic forms
of the same letters, which must not make another module, time or room of it.
"""

import unicodedata
from collections.abc import Sequence

from upschedule.pdf.frame import Word

#: Each kind of hyphen, dash and minus. The portal prints one, U+002D.
_HYPHENS = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
#: Spaces that MuPDF does not take for the end of a word.
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
#: Characters without a width: joiners, marks of direction, the byte order mark.
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_FORMS: dict[int, str | None] = {
    **dict.fromkeys(map(ord, _HYPHENS), "-"),
    **dict.fromkeys(map(ord, _SPACES), " "),
    **dict.fromkeys(map(ord, _INVISIBLE), None),
    **_LIGATURES,
}


def normalise(text: str) -> str:
    """The text with plain hyphens and spaces, without ligatures and invisible characters, in composed form (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_FORMS))


def normalise_words(words: Sequence[Word]) -> list[Word]:
    """The same words with normalised text; a word without any visible character is left out."""
    return [(*word[:4], text, *word[5:]) for word in words if (text := normalise(word[4]).strip())]
