"""Finds free loopback ports below the kernel's ephemeral range.

An outgoing connection therefore never takes a port while its server restarts.
"""

import secrets
import socket

LOOPBACK = "127.0.0.1"
GRPC_OFFSET = 10_000
#: The tests' processes each take a part, so that none takes the port of a server that another one restarts.
candidates = range(10_240, 22_768)
_ATTEMPTS = 500
_assigned: set[int] = set()


class NoFreePort(RuntimeError):
    """No free port was found on the loopback address."""


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(*, with_grpc: bool = False) -> int:
    """A free port that this process has not assigned before. With `with_grpc`, the port 10000 above it is also free."""
    for _ in range(_ATTEMPTS):
        port = secrets.choice(candidates)
        if port not in _assigned and is_free(port) and (not with_grpc or is_free(port + GRPC_OFFSET)):
            _assigned.add(port)
            return port
    raise NoFreePort
