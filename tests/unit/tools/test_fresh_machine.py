"""What of this machine's way to the network goes into the one that is made."""

from tools.fresh_machine.machine import sources_of_host


def test_only_archives_of_debian_12_are_taken_over() -> None:
    """Each once; others have keys that the new machine lacks."""
    told = (
        "http://mirror.example/debian/ Debian bookworm\n"
        "http://mirror.example/debian/ Debian bookworm-updates\n"
        "http://mirror.example/debian/ Debian bookworm\n"
        "https://apt.example/ Node nodistro\n"
        "http://mirror.example/debian/ Debian trixie\n"
        "http://nothing.example/  \n"
    )
    assert sources_of_host(told) == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
    ]
