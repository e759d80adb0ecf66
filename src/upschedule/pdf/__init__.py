"""Reads schedule PDFs in a sandboxed process: words and rules become cells, and cells become events."""

#: Grows whenever the same bytes may give another result: a file that an older version has read is read again when it
#: is sent again.
READER_VERSION = "3"
