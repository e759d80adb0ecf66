"""Tests which settings of this machine's network are copied into the fresh machine of the test."""

from tools.fresh_machine.machine import sources_of_host


def test_only_archives_of_debian_12_are_taken_over() -> None:
    """Each archive is listed once. Others are signed with keys that the new machine lacks."""
    sources = (
        "http://mirror.example/debian/ Debian bookworm\n"
        "http://mirror.example/debian/ Debian bookworm-updates\n"
        "http://mirror.example/debian/ Debian bookworm\n"
        "https://apt.example/ Node nodistro\n"
        "http://mirror.example/debian/ Debian trixie\n"
        "http://nothing.example/  \n"
    )
    assert sources_of_host(sources) == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
    ]
