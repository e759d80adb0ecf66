"""Ends a command that failed, with a message and an exit code."""

import sys
from typing import NoReturn

import click


def fail(code: int, reason: object) -> NoReturn:
    """Says why on standard error."""
    click.echo(str(reason), err=True)
    sys.exit(code)
