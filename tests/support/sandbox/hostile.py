"""What an attacker would do who has taken over the reader: each function runs in a child instead of it.

One that returns says what the kernel answered; the modules that it needs are loaded before the lock-down.
"""

import ctypes
import errno
import mmap
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from upschedule.pdf.errors import NeedsPassword
from upschedule.timetable.event import Extraction, ReadingWarning

_LIBC = ctypes.CDLL(None, use_errno=True)
_PTRACE_ATTACH = 16
Tell = Callable[[int, int], None]


def _said(*answers: str) -> Extraction:
    return Extraction(events=(), warnings=tuple(ReadingWarning(page=1, message=text) for text in answers), pages=1)


def _answer(step: Callable[[], object]) -> str:
    try:
        step()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "allowed"


def _attempt(*steps: Callable[[], object]) -> Extraction:
    return _said(*(_answer(step) for step in steps))


def _traced(request: int, process_id: int) -> None:
    if _LIBC.ptrace(request, process_id, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _start_thread() -> None:
    try:
        threading.Thread(target=print).start()
    except RuntimeError as error:
        raise PermissionError(errno.EPERM, str(error)) from error


def read_files(data: bytes, **_: object) -> Extraction:
    return _attempt(
        lambda: Path("/etc/passwd").read_text(encoding="utf-8"),
        lambda: Path("/proc/self/environ").read_bytes(),
        lambda: Path("/etc/passwd").stat(),
        lambda: list(Path("/").iterdir()),
    )


def write_files(data: bytes, **_: object) -> Extraction:
    target = Path(data.decode())
    return _attempt(
        lambda: target.write_text("x", encoding="utf-8"),
        target.mkdir,
        lambda: os.memfd_create("x"),
        lambda: target.symlink_to("/etc"),
    )


def use_network(data: bytes, **_: object) -> Extraction:
    return _attempt(
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        socket.socketpair,
    )


def start_processes(data: bytes, **_: object) -> Extraction:
    return _attempt(
        os.fork,
        lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 -- what is tried
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        # Python has no better word for a thread that cannot start.
        _start_thread,
    )


def attack_processes(data: bytes, **_: object) -> Extraction:
    worker = int(data)
    return _attempt(
        lambda: os.kill(worker, signal.SIGKILL),
        lambda: os.kill(-1, signal.SIGKILL),
        lambda: os.pidfd_open(worker),
        lambda: _traced(_PTRACE_ATTACH, worker),
        lambda: os.setpriority(os.PRIO_PROCESS, worker, 19),
    )


def run_own_code(data: bytes, **_: object) -> Extraction:
    return _attempt(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))


def list_descriptors(data: bytes, **_: object) -> Extraction:
    answers = {descriptor: _answer(lambda descriptor=descriptor: os.read(descriptor, 1)) for descriptor in range(1024)}
    return _said(*(f"{descriptor}" for descriptor, answer in answers.items() if answer == "allowed"))


def list_environment(data: bytes, **_: object) -> Extraction:
    return _said(*os.environ.values())


def allocate_at_once(data: bytes, **_: object) -> Extraction:
    return _said(str(len(bytearray(2 << 30))))


def hoard(data: bytes, **_: object) -> NoReturn:
    kept: list[object] = []
    while True:
        kept.append(bytes(4096))


def loop(data: bytes, **_: object) -> NoReturn:
    while True:
        pass


def loop_deaf(data: bytes, **_: object) -> NoReturn:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


def hang(data: bytes, *, progress: Tell, **_: object) -> None:
    progress(1, 2)
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def crash(data: bytes, **_: object) -> None:
    ctypes.string_at(0)


def abort(data: bytes, **_: object) -> None:
    os.abort()


def leave(data: bytes, **_: object) -> NoReturn:
    os._exit(3)


def fail(data: bytes, **_: object) -> NoReturn:
    raise KeyError("words of the document")


def load_late(data: bytes, **_: object) -> None:
    import antigravity  # noqa: F401, PLC0415 -- that it is late is the point


def refuse(data: bytes, **_: object) -> NoReturn:
    raise NeedsPassword("the sentence of the reader")


def answer_at_length(data: bytes, **_: object) -> Extraction:
    return _said(*["x" * 1000] * 1000)


def speak(data: bytes, **_: object) -> None:
    """Send bytes of the attacker's own choice in the place of messages."""
    channel = next(
        number for number in range(3, 1024) if _answer(lambda number=number: os.write(number, b"")) == "allowed"
    )
    os.write(channel, data)


def speak_for_ever(data: bytes, **_: object) -> NoReturn:
    while True:
        speak(b"x" * 4096)


def count_pages(data: bytes, *, progress: Tell, **_: object) -> Extraction:
    for page in (1, 1, 2, 3, 3):
        progress(page, 3)
    return _said("read")
