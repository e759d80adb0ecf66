"""Serves a plugin of Pulumi by gRPC on loopback; the first line of standard output is the port."""

import os
import queue
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

# Each deployment that a program waits for occupies a thread.
THREADS = 64
MESSAGE_BYTES_MAX = 400 * 1024 * 1024
GRACE_SECONDS = 5
PARENT_CHECK_SECONDS = 2


def serve(register: Callable[[grpc.Server], None], stop: Callable[[], None]) -> None:
    """Serves until SIGINT, SIGTERM or the end of the engine, then calls `stop`."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: ended.put(received))
    server = grpc.server(
        ThreadPoolExecutor(max_workers=THREADS),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)],
    )
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    wait_for_end(ended)
    stop()
    server.stop(GRACE_SECONDS).wait()


def wait_for_end(ended: "queue.SimpleQueue[int]") -> None:
    engine = os.getppid()
    while os.getppid() == engine:
        try:
            ended.get(timeout=PARENT_CHECK_SECONDS)
        except queue.Empty:
            continue
        return
