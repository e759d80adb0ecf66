"""Reading schedule PDFs: words and rules to cells, cells to events, in a process that can do nothing else."""

#: Grows whenever the same bytes may give another result: a file that an older version has read is read again when it
#: is sent again.
READER_VERSION = "3"
