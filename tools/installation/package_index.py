"""Finds the package index that this machine uses instead of PyPI: a mirror, or a company's own."""

import base64
import configparser
import html.parser
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from tools.installation.errors import InstallationError

DEFAULT = "https://pypi.org/simple"
NAMED = re.compile(r"^[\w.-]+=(?=\w+://)")


@dataclass(frozen=True, kw_only=True)
class Location:
    """An address as a browser may show it. The header that signs in is kept out of its repr."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def configured_index(environment: Mapping[str, str], root: Path = Path("/")) -> str | None:
    """None is PyPI. The variables and files of uv come before those of pip, as uv reads its own only."""
    for candidate in _candidates(environment, root):
        url = NAMED.sub("", candidate.strip()).rstrip("/")
        if not url:
            continue
        if url == DEFAULT:
            return None
        if urlsplit(url).scheme not in {"http", "https"}:
            raise InstallationError(f"The package index {locate(url).url} must begin with http:// or https://.")
        return url
    return None


def locate(url: str) -> Location:
    """A user and password in the URL become a header, and never part of a message."""
    parts = urlsplit(url)
    if parts.username is None:
        return Location(url=url)
    signed = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Location(url=bare, headers={"Authorization": f"Basic {base64.b64encode(signed).decode()}"})


def link_on_page(page: str, page_url: str, name: str) -> str | None:
    """The address of the file `name` on a page of the simple repository API."""
    reader = _Links()
    reader.feed(page)
    for link in reader.found:
        address = urlsplit(urljoin(page_url, link))
        if unquote(address.path.rpartition("/")[2]) == name:
            return urlunsplit(address._replace(fragment=""))
    return None


def same_host(first: str, second: str) -> bool:
    return _origin(urlsplit(first)) == _origin(urlsplit(second))


def _origin(parts: SplitResult) -> tuple[str, str]:
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _candidates(environment: Mapping[str, str], root: Path) -> Iterator[str]:
    yield environment.get("UV_DEFAULT_INDEX", "")
    yield environment.get("UV_INDEX_URL", "")
    home = Path(environment.get("HOME") or "/nonexistent")
    configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    for file in (configuration / "uv/uv.toml", root / "etc/uv/uv.toml"):
        yield from _of_uv(file)
    yield environment.get("PIP_INDEX_URL", "")
    files = (configuration / "pip/pip.conf", home / ".pip/pip.conf", root / "etc/pip.conf")
    # The file that the variable names comes before the others; /dev/null makes pip read none of them.
    if named := environment.get("PIP_CONFIG_FILE"):
        files = (Path(named),) if named == "/dev/null" else (Path(named), *files)
    for file in files:
        yield from _of_pip(file)


def _of_uv(file: Path) -> Iterator[str]:
    if not (text := _text(file)):
        return
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InstallationError(f"{file} is not valid TOML: {error}.") from None
    yield from (index["url"] for index in settings.get("index", []) if index.get("default") and "url" in index)
    yield settings.get("index-url", "")


def _of_pip(file: Path) -> Iterator[str]:
    if not (text := _text(file)):
        return
    settings = configparser.RawConfigParser(strict=False)
    try:
        settings.read_string(text)
    except configparser.Error as error:
        raise InstallationError(f"{file} is not a valid configuration of pip: {error}.") from None
    for section in ("install", "global"):
        for name in ("index-url", "index_url"):
            yield settings.get(section, name, fallback="")


def _text(file: Path) -> str:
    """Empty where there is no such file, or none that this user may read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]
