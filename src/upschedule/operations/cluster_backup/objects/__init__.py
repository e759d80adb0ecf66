"""Copies the files of documents that may still be read, and brings them back after a loss (R9.4, decision 35)."""
