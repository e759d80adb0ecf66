"""A fresh interpreter that imports the reader once, then forks a child for each document, one ahead of need.

`start.py` runs it. It never looks at a document, holds no secret, and ends when its worker does.
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
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from upschedule.pdf.sandbox.child import DESCRIPTORS_MAX, Painter, Reader, run
from upschedule.pdf.sandbox.limits import Protection
from upschedule.pdf.sandbox.lockdown import die_first_and_with_the_parent, drop_privileges, prepare
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
    Start,
    ZygoteOptions,
)

_DESCRIPTORS_A_REQUEST = 2


@dataclass(slots=True)
class _Child:
    process_id: int
    pidfd: int
    link: socket.socket
    request_id: int | None = None


def _load(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _warm_up(options: ZygoteOptions) -> Callable[[], object]:
    name = options.reader.warm_up
    return partial(_load(name), options.reading) if name else partial(bool)


class Zygote:
    """One thread, no timers: it sleeps until a request comes or a child ends."""

    def __init__(self, control: socket.socket, options: ZygoteOptions) -> None:
        self._control = control
        self._options = options
        sys.path.extend(options.reader.search_path)
        self._reader: Reader = _load(options.reader.function)
        self._painter: Painter = _load(options.reader.painter)
        self._warm_up = _warm_up(options)
        self._warm_up()
        refused = prepare()
        drop_privileges()
        self._refused = frozenset[Protection](refused)
        self._decoder = msgspec.json.Decoder[Request](Request)
        self._running: dict[int, _Child] = {}
        self._spare: _Child | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        # What is loaded by now stays: children need not copy its pages to count references during collection.
        gc.collect()
        gc.freeze()
        self._prepare_spare()
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
                case Fork():
                    self._report(Answered(request.id, self._hand_over(request, *descriptors)))
                    self._prepare_spare()
                case Kill(id=request_id):
                    if request_id in self._running:
                        os.kill(self._running[request_id].process_id, signal.SIGKILL)
                case Ping(id=request_id):
                    self._report(Answered(request_id))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _hand_over(self, request: Fork, document: int, channel: int) -> str | None:
        """Return the reason of a failure, such as too many processes."""
        try:
            child = self._spare or self._fork()
            start = Start(request.cpu_seconds, request.reference, request.box)
            socket.send_fds(child.link, [msgspec.json.encode(start)], [document, channel])
        except OSError as error:
            return str(error)
        child.link.close()
        child.request_id = request.id
        self._running[request.id] = child
        self._spare = None
        return None

    def _prepare_spare(self) -> None:
        """Fork a spare child. If that fails, the next document forks its own child and reports the failure."""
        if self._spare is None:
            with suppress(OSError):
                self._spare = self._fork()

    def _fork(self) -> _Child:
        link, theirs = socket.socketpair()
        with theirs:
            process_id = os.fork()
            if process_id == 0:
                run(self._reader, self._painter, self._warm_up, self._options, self._refused, link=theirs.fileno())
        child = _Child(process_id, os.pidfd_open(process_id), link)
        self._selector.register(child.pidfd, selectors.EVENT_READ, child)
        return child

    def _reap(self, child: _Child) -> None:
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        child.link.close()
        _, status, usage = os.wait4(child.process_id, 0)
        if child.request_id is None:
            self._spare = None
        else:
            del self._running[child.request_id]
            self._report(Exited(child.request_id, status, usage.ru_utime + usage.ru_stime))

    def _kill_all(self) -> None:
        for key in tuple(self._selector.get_map().values()):
            if isinstance(key.data, _Child):
                os.kill(key.data.process_id, signal.SIGKILL)
                os.waitpid(key.data.process_id, 0)

    def _report(self, report: Report) -> None:
        self._control.send(msgspec.json.encode(report))


def main() -> None:
    """Serve the worker whose socket is the first argument. Failures go to standard error, which the worker reads."""
    # A terminal's Ctrl-C and a draining worker's SIGTERM must not end a reading; closing the control socket does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_first_and_with_the_parent()
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS_MAX, DESCRIPTORS_MAX))
    descriptor, options = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    Zygote(control, msgspec.json.decode(options, type=ZygoteOptions)).serve()
