"""Backs up `make run` into one encrypted file, and restores it (docs/decisions/0036-one-machine-in-one-file.md)."""
