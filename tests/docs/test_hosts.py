"""The files for machines of production are named by the page that says what to do with them, and none is a secret."""

from tests.support.paths import ROOT

HOSTS = ROOT / "hosts"
FILES = sorted(path for path in HOSTS.rglob("*") if path.is_file())
PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")


def test_every_file_of_a_machine_is_named_by_the_page() -> None:
    """A file that no page names is not installed."""
    assert FILES
    assert [str(path) for path in FILES if path.name not in PAGE and path.stem not in PAGE] == []


def test_no_key_and_no_password_is_among_them() -> None:
    """They are made where they are needed (R8.2)."""
    assert [path.name for path in FILES if path.suffix in (".pem", ".key", ".env")] == []
    assert [path.name for path in FILES if "PRIVATE KEY-----" in path.read_text(encoding="utf-8")] == []
