"""`upschedule settings`: shows the settings in force with their sources, and checks new values."""

import asyncio
import os
import sys
from collections.abc import Iterable
from urllib.parse import urlsplit

import click
import msgspec

from upschedule.cli.failing import fail
from upschedule.services.live import SETTINGS_PREFIX, LiveSettings, ValueRefused, key_of, read_key
from upschedule.settings import Settings
from upschedule.settings.loading import SettingField, SettingsError, fields, load
from upschedule.stores.consul import ConsulKeys, KeyValue
from upschedule.stores.errors import StoreError

_HIDDEN = "***"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as it holds. `source`: `default`, `environment` or `consul`; `key` is None where it is not live."""

    variable: str
    value: str
    source: str
    key: str | None


@click.group("settings", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
@click.option("--consul/--no-consul", default=True, show_default=True, help="Ask Consul for what is changed live.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, consul: bool) -> None:
    """Show each setting with its value and source, secrets hidden, as a process started here and now would have it.

    Exit codes: 78 wrong settings, 69 Consul did not answer (the rest is shown), 65 a key in Consul is refused.
    """
    if ctx.invoked_subcommand is not None:
        return
    try:
        live = LiveSettings(load(os.environ))
    except SettingsError as error:
        fail(os.EX_CONFIG, error)
    code = asyncio.run(_ask(live)) if consul and live.current.consul.address else os.EX_OK
    rows = [_row(field, live) for field in fields()]
    click.echo(msgspec.json.encode(rows).decode() if as_json else _table(rows))
    sys.exit(code)


@command.command()
@click.argument("key")
@click.argument("value")
def check(key: str, value: str) -> None:
    """Tell whether processes would take VALUE for KEY, before it is written; VALUE - is read from standard input.

    KEY is limits/uploads_per_hour or the whole upschedule/settings/limits/uploads_per_hour. Exit codes: 0 it would be
    taken, 65 it would be refused, and standard error says why.
    """
    content = sys.stdin.buffer.read() if value == "-" else value.encode()
    try:
        read_key(key_of(key), content)
    except ValueRefused as error:
        fail(os.EX_DATAERR, f"{key}: {error}")
    click.echo(f"{key_of(key)}: would be taken")


async def _ask(live: LiveSettings) -> int:
    """The exit code."""
    try:
        async with ConsulKeys(live.current.consul, prefix=SETTINGS_PREFIX) as keys:
            _, entries = await keys.read()
    except StoreError as error:
        click.echo(f"Consul did not answer: {error.reason}. Processes keep the last values that they had.", err=True)
        return os.EX_UNAVAILABLE
    live.apply(entries)
    refused = _refused(entries)
    for line in refused:
        click.echo(line, err=True)
    return os.EX_DATAERR if refused else os.EX_OK


def _refused(entries: Iterable[KeyValue]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        try:
            read_key(entry.key, entry.value)
        except ValueRefused as error:
            lines.append(f"{entry.key}: refused: {error}")
    return lines


def _row(field: SettingField, live: LiveSettings) -> Row:
    key = key_of(f"{field.group}/{field.name}") if field.live else None
    own = "environment" if field.variable in os.environ else "default"
    source = "consul" if key in live.overrides else own
    return Row(variable=field.variable, value=_shown(field, live.current), source=source, key=key)


def _shown(field: SettingField, settings: Settings) -> str:
    value: object = getattr(getattr(settings, field.group), field.name)
    if not field.secret or value is None:
        return str(value)
    address = urlsplit(str(value))
    # Of an address only what leads there: user, password and options stay out.
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}" if address.netloc else _HIDDEN


def _table(rows: list[Row]) -> str:
    widths = [max(len(getattr(row, name)) for row in rows) for name in ("variable", "source")]
    return "\n".join(f"{row.variable:{widths[0]}}  {row.source:{widths[1]}}  {row.value}" for row in rows)
