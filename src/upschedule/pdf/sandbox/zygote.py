"""A fresh interpreter that imports the reader once, then forks a locked-down child for each document.

Run as `python -I -m upschedule.pdf.sandbox.zygote DESCRIPTOR OPTIONS`. It never looks at a document, holds no secret,
and ends when its worker does.
"""

import gc
import importlib
import os
import resource
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from upschedule.pdf.sandbox import child
from upschedule.pdf.sandbox.limits import Protection
from upschedule.pdf.sandbox.lockdown import die_first_and_with_the_parent, prepare
from upschedule.pdf.sandbox.messages import (
    DATAGRAM_BYTES_MAX,
    Answered,
    Exited,
    Fork,
    Kill,
    Ping,
    Ready,
    Report,
    Request,
    ZygoteOptions,
)

_DESCRIPTORS_A_REQUEST = 2


class _Running(NamedTuple):
    request_id: int
    process_id: int
    pidfd: int


def _load(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class Zygote:
    """One thread, no timers: it sleeps until a request comes or a child ends."""

    def __init__(self, control: socket.socket, options: ZygoteOptions) -> None:
        self._control = control
        self._options = options
        sys.path.extend(options.reader.search_path)
        self._reader: child.Reader = _load(options.reader.function)
        if options.reader.warm_up:
            _load(options.reader.warm_up)(options.reading)
        refused = prepare()
        self._refused = frozenset[Protection](refused)
        self._decoder = msgspec.json.Decoder[Request](Request)
        self._running: dict[int, _Running] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        # What is loaded by now stays: children need not copy its pages to count references during collection.
        gc.collect()
        gc.freeze()
        self._report(Ready(refused))

    def serve(self) -> None:
        """Return when the worker has closed its end or died; no child is left then."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._reap(key.data)
                elif not self._obey():
                    self._kill_all()
                    return

    def _obey(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, DATAGRAM_BYTES_MAX, _DESCRIPTORS_A_REQUEST)
        if not data:
            return False
        try:
            request: Request = self._decoder.decode(data)
            match request:
                case Fork(id=request_id):
                    self._report(Answered(request_id, self._fork(request_id, *descriptors)))
                case Kill(id=request_id):
                    if request_id in self._running:
                        os.kill(self._running[request_id].process_id, signal.SIGKILL)
                case Ping(id=request_id):
                    self._report(Answered(request_id))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, request_id: int, document: int, channel: int) -> str | None:
        """Return why it could not be done, such as too many processes."""
        zygote = os.getpid()
        try:
            process_id = os.fork()
        except OSError as error:
            return str(error)
        if process_id == 0:
            child.run(self._reader, self._options, self._refused, zygote=zygote, document=document, channel=channel)
        running = _Running(request_id, process_id, os.pidfd_open(process_id))
        self._running[request_id] = running
        self._selector.register(running.pidfd, selectors.EVENT_READ, running)
        return None

    def _reap(self, running: _Running) -> None:
        self._selector.unregister(running.pidfd)
        os.close(running.pidfd)
        del self._running[running.request_id]
        _, status, usage = os.wait4(running.process_id, 0)
        self._report(Exited(running.request_id, status, usage.ru_utime + usage.ru_stime))

    def _kill_all(self) -> None:
        for running in self._running.values():
            os.kill(running.process_id, signal.SIGKILL)
            os.waitpid(running.process_id, 0)

    def _report(self, report: Report) -> None:
        self._control.send(msgspec.json.encode(report))


def main() -> None:
    """Start from the command line; a failure goes to standard error, which the worker keeps."""
    # A terminal's Ctrl-C and a draining worker's SIGTERM must not end a reading; closing the control socket does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_first_and_with_the_parent()
    resource.setrlimit(resource.RLIMIT_NOFILE, (child.DESCRIPTORS_MAX, child.DESCRIPTORS_MAX))
    descriptor, options = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    Zygote(control, msgspec.json.decode(options, type=ZygoteOptions)).serve()


if __name__ == "__main__":
    main()
