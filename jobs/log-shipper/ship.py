"""Sends the log lines of all allocations to a syslog receiver: `ship.py HOST PORT` shows its metrics at that address.

It runs in Debian's Python with Debian's packages. Nomad's variables NOMAD_ADDR, NOMAD_CACERT and NOMAD_TOKEN name an
agent; `Settings` has the variables of the program itself (decision 49).
"""

import base64
import fcntl
import http.client
import json
import os
import random
import select
import socket
import sqlite3
import ssl
import struct
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from prometheus_client import Counter, Gauge, start_http_server

#: Longest message. A longer line is sent as several messages, whose offsets follow each other.
LINE_BYTES_MAX = 32_768
#: What one request reads of a log at most, so that a long log neither fills the memory nor delays the others.
READ_BYTES_MAX = 1 << 20
BATCH_LINES = 500
#: Between the first and the longest delay before another attempt, which is doubled each time.
RETRY_SECONDS, RETRY_SECONDS_MAX = 0.5, 10.0
NOMAD_SECONDS = 10.0
RECEIVER_SECONDS = 10.0
POLL_SECONDS = 0.02
IDLE_SECONDS = 0.2
#: Of requests for a log that grows while Nomad reads it.
FRAMES_ATTEMPTS = 3
#: After its end, an allocation may still write what its tasks printed last.
SETTLE_SECONDS = 5.0
#: States of an allocation whose tasks write no more.
ENDED = ("complete", "failed", "lost")
#: Facility local0, severity informational (RFC 5424).
PRIORITY = 16 * 8 + 6
#: The limits of RFC 5424 for the names of host, application and message.
HOST_LENGTH, APPLICATION_LENGTH, MESSAGE_LENGTH = 255, 48, 32

LINES = Counter("log_shipper_lines", "Lines that the receiver has had for as long as the setting says")
BUFFERED = Gauge("log_shipper_buffer_bytes", "Size of the lines in the buffer on disk")
BUFFER_LIMIT = Gauge("log_shipper_buffer_limit_bytes", "Size from which no more lines are read")
LAG = Gauge("log_shipper_lag_seconds", "Time since the oldest line of the buffer was read; 0 if it is empty")
READ_TIME = Gauge("log_shipper_read_time_seconds", "When all logs were read last, in Unix time")
READ_ERRORS = Counter("log_shipper_read_errors", "Requests to Nomad that failed")
GAP_TIME = Gauge("log_shipper_gap_time_seconds", "When lines were found missing last, in Unix time; 0 if never")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The variables NAMESPACE, RECEIVER (HOST:PORT), TLS, AUTHORITY_FILE and so on, each after LOG_SHIPPER_."""

    namespace: str
    receiver: str
    tls: bool
    authority_file: str
    folder: Path
    buffer_bytes: int
    every_seconds: float
    confirm_seconds: float

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises KeyError and ValueError."""
        given = {
            name.removeprefix("LOG_SHIPPER_").lower(): value
            for name, value in environment.items()
            if name.startswith("LOG_SHIPPER_")
        }
        return cls(
            namespace=given["namespace"],
            receiver=given["receiver"],
            tls=given["tls"] == "true",
            authority_file=given.get("authority_file", ""),
            folder=Path(given["folder"]),
            buffer_bytes=int(given["buffer_mb"]) << 20,
            every_seconds=float(given["every_seconds"]),
            confirm_seconds=float(given["confirm_seconds"]),
        )


@dataclass(kw_only=True)
class Position:
    """How far a log was read. Nomad splits a log into files with rising numbers, and removes the oldest.

    `sizes` are those of the files that were read to their end. `done` is set when the task can write no more.
    """

    file: int = 0
    offset: int = 0
    sizes: dict[int, int] = field(default_factory=dict[int, int])
    done: bool = False

    def before(self, first: int) -> int:
        """The bytes from the beginning of file `first` to this position."""
        return sum(size for file, size in self.sizes.items() if first <= file < self.file) + self.offset

    def previous_byte(self) -> tuple[int, int]:
        """File and offset of the byte before this position, which may be the last one of another file."""
        if self.offset:
            return self.file, self.offset - 1
        last = max(self.sizes)
        return last, self.sizes[last] - 1


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line, and the place where it begins."""

    text: bytes
    file: int
    offset: int


class Buffer:
    """Lines and positions in one SQLite file: both change in one transaction, so no line is read twice or skipped."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "buffer.sqlite", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS positions (log TEXT PRIMARY KEY, position TEXT NOT NULL)")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY AUTOINCREMENT, read REAL NOT NULL, message BLOB)"
        )
        (self.size,) = self._database.execute("SELECT coalesce(sum(length(message)), 0) FROM lines").fetchone()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def position(self, log: str) -> Position | None:
        """None if nothing of the log was read yet."""
        with self._lock:
            row = self._database.execute("SELECT position FROM positions WHERE log = ?", (log,)).fetchone()
        if row is None:
            return None
        stored = json.loads(row[0])
        sizes = {int(file): size for file, size in stored.pop("sizes").items()}
        return Position(**stored, sizes=sizes)

    def add(self, log: str, position: Position, messages: Sequence[bytes], now: float) -> None:
        """Stores lines with the position after them."""
        with self._transaction() as database:
            database.executemany("INSERT INTO lines (read, message) VALUES (?, ?)", [(now, each) for each in messages])
            database.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (log, json.dumps(vars(position))))
            self.size += sum(map(len, messages))

    def after(self, last: int) -> list[tuple[int, bytes]]:
        """The next lines, oldest first."""
        with self._lock:
            query = "SELECT id, message FROM lines WHERE id > ? ORDER BY id LIMIT ?"
            return self._database.execute(query, (last, BATCH_LINES)).fetchall()

    def remove(self, last: int) -> int:
        """Removes all lines up to this one, and returns their number."""
        with self._transaction() as database:
            query = "SELECT count(*), coalesce(sum(length(message)), 0) FROM lines WHERE id <= ?"
            number, size = database.execute(query, (last,)).fetchone()
            database.execute("DELETE FROM lines WHERE id <= ?", (last,))
            self.size -= size
        return int(number)

    def keep_positions(self, logs: set[str]) -> None:
        """Removes the positions in logs that Nomad has removed."""
        with self._transaction() as database:
            for (log,) in database.execute("SELECT log FROM positions").fetchall():
                if log not in logs:
                    database.execute("DELETE FROM positions WHERE log = ?", (log,))

    def oldest(self) -> float | None:
        """When the oldest line was read."""
        with self._lock:
            (read,) = self._database.execute("SELECT min(read) FROM lines").fetchone()
        return read


class NomadError(Exception):
    """Nomad refused a request. `status` is that of HTTP."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class NomadSilent(NomadError):
    """Nomad did not answer in time."""


class Nomad:
    """The two questions to Nomad's agent. Each request has a timeout."""

    def __init__(self, environment: Mapping[str, str], namespace: str) -> None:
        address = urlsplit(environment["NOMAD_ADDR"])
        self._host, self._port = address.hostname or "", address.port or 4646
        authority = environment.get("NOMAD_CACERT") or None
        self._context = ssl.create_default_context(cafile=authority) if address.scheme == "https" else None
        self._headers = {"X-Nomad-Token": environment["NOMAD_TOKEN"]}
        self._namespace = namespace

    def allocations(self) -> list[dict[str, Any]]:
        """All that Nomad has, also those that ended. Raises NomadError."""
        found: list[dict[str, Any]] = json.loads(self._get("allocations", {"task_states": "true"}))
        return found

    def frames(self, allocation: str, task: str, kind: str, offset: int) -> list[tuple[int, int, bytes]]:
        """Parts of a log from `offset` on: number of the file, offset in it, and bytes. Raises NomadError.

        `offset` counts from the beginning of the oldest file that exists; too large a number means the end.
        """
        query = {"task": task, "type": kind, "origin": "start", "offset": str(offset), "follow": "false"}
        body = self._get(f"client/fs/logs/{allocation}", query, READ_BYTES_MAX)
        text, at, found = body.decode(errors="replace"), 0, list[tuple[int, int, bytes]]()
        decoder = json.JSONDecoder()
        while at < len(text):
            try:
                frame, at = decoder.raw_decode(text, at)
            except ValueError as error:
                if len(body) < READ_BYTES_MAX:
                    # Nomad reports an error that occurs after its status line as text in the body.
                    raise NomadError(f"{allocation}/{task}/{kind}: {text[at : at + 200]}") from error
                break  # The rest of this part comes with the next request.
            if data := base64.b64decode(frame.get("Data", "")):
                # Nomad names the offset after the part.
                found.append((int(frame["File"].rpartition(".")[2]), frame["Offset"] - len(data), data))
            while text[at : at + 1].isspace():
                at += 1
        return found

    def _get(self, path: str, query: Mapping[str, str], limit: int | None = None) -> bytes:
        address = f"/v1/{path}?{urlencode({**query, 'namespace': self._namespace})}"
        try:
            with closing(self._connection()) as connection:
                connection.request("GET", address, headers=self._headers)
                answer = connection.getresponse()
                body = answer.read(limit)
        except (OSError, http.client.HTTPException) as error:
            raise NomadSilent(f"{path}: {error}") from error
        if answer.status != http.client.OK:
            raise NomadError(f"{path}: {answer.status} {body[:200].decode(errors='replace')}", answer.status)
        return body

    def _connection(self) -> http.client.HTTPConnection:
        if self._context:
            return http.client.HTTPSConnection(self._host, self._port, timeout=NOMAD_SECONDS, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=NOMAD_SECONDS)


class Reader:
    """Reads what is new in each log, in a round over all allocations."""

    def __init__(self, settings: Settings, nomad: Nomad, buffer: Buffer, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._nomad = nomad
        self._buffer = buffer
        self._clock = clock

    def run(self) -> None:
        """Reads without end."""
        while True:
            try:
                more = self.round()
            except NomadError as error:
                READ_ERRORS.inc()
                note(f"Nomad cannot be asked: {error}")
                more = False
            if not more:
                time.sleep(self._settings.every_seconds)

    def round(self) -> bool:
        """Returns whether a log has more lines than one request reads. Raises NomadError if no log can be read."""
        allocations = self._nomad.allocations()
        logs: set[str] = set()
        silent: set[str] = set()
        more = False
        for allocation in allocations:
            states: dict[str, dict[str, Any]] = allocation["TaskStates"] or {}
            for task, state in states.items():
                for kind in ("stdout", "stderr"):
                    log = f"{allocation['ID']}/{task}/{kind}"
                    logs.add(log)
                    if allocation["NodeID"] in silent or not state.get("StartedAt"):
                        continue
                    ended = state["State"] == "dead" and self._ended(allocation)
                    try:
                        more |= self._read(allocation, task, kind, log, ended=ended)
                    except NomadSilent as error:
                        # The other logs of this node would take as long to fail.
                        silent.add(allocation["NodeID"])
                        READ_ERRORS.inc()
                        note(str(error))
                    except NomadError as error:
                        if ended and error.status == http.client.NOT_FOUND:
                            self._removed(log)
                        else:
                            READ_ERRORS.inc()
                            note(str(error))
        self._buffer.keep_positions(logs)
        READ_TIME.set(self._clock())
        return more and not self._full()

    def _ended(self, allocation: Mapping[str, Any]) -> bool:
        """Whether no task writes any more, and what was in the pipes of the logs has been written to the files."""
        quiet = self._clock() - allocation["ModifyTime"] / 1e9
        return allocation["ClientStatus"] in ENDED and quiet > SETTLE_SECONDS

    def _removed(self, log: str) -> None:
        """Nomad has removed the files of an allocation that ended."""
        position = self._buffer.position(log)
        if position and not position.done:
            GAP_TIME.set(self._clock())
            note(f"{log}: Nomad removed the log before it was read to its end")
        self._buffer.add(log, Position(done=True), [], self._clock())

    def _full(self) -> bool:
        return self._buffer.size >= self._settings.buffer_bytes

    def _read(self, allocation: Mapping[str, Any], task: str, kind: str, log: str, *, ended: bool) -> bool:
        position = self._buffer.position(log) or Position()
        if position.done or self._full():
            return False
        found = self._frames(allocation["ID"], task, kind, position)
        if found is None:
            return False
        frames, gap = found
        if gap:
            GAP_TIME.set(self._clock())
            note(f"{log}: Nomad removed lines before they were read")
            position = Position(file=frames[0][0]) if frames else Position()
        more = sum(len(data) for _, _, data in frames) > READ_BYTES_MAX // 2
        lines, after = split(position, frames, last=ended and not more)
        after.done = ended and not more
        messages = [self._message(allocation, task, kind, line) for line in lines]
        if messages or after != position:
            self._buffer.add(log, after, messages, self._clock())
        return more

    def _frames(
        self, allocation: str, task: str, kind: str, position: Position
    ) -> tuple[list[tuple[int, int, bytes]], bool] | None:
        """What follows the position, and whether lines before it are missing; None if this cannot be known now.

        The request begins one byte earlier: that this byte is where it should be shows that Nomad has not removed files
        meanwhile, from whose beginning it counts.
        """
        for first in sorted({*position.sizes, position.file}):
            start = position.before(first)
            if not start:
                break
            expected = position.previous_byte()
            frames: list[tuple[int, int, bytes]] = []
            for _ in range(FRAMES_ATTEMPTS):
                frames = self._nomad.frames(allocation, task, kind, start - 1)
                if not frames or (frames[0][0], frames[0][1]) >= expected:
                    break
            if not frames:
                continue
            file, offset, data = frames[0]
            if (file, offset) == expected:
                position.sizes = {file: size for file, size in position.sizes.items() if file >= first}
                rest = [(file, offset + 1, data[1:]), *frames[1:]]
                return [frame for frame in rest if frame[2]], False
            if (file, offset) < expected:
                # The log grew while Nomad read its last part, and Nomad then names too small an offset. When the log is
                # further ahead, the first part is whole, and its offset is right.
                return None
        frames = self._nomad.frames(allocation, task, kind, 0)
        if position.offset == 0 and (not frames or frames[0][0] == position.file):
            position.sizes = {}
            return frames, False
        return frames, True

    def _message(self, allocation: Mapping[str, Any], task: str, kind: str, line: Line) -> bytes:
        """The message of RFC 5424. Allocation, task, stream, file and offset identify a line that arrives twice."""
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        values = {
            "namespace": self._settings.namespace,
            "job": allocation["JobID"],
            "group": allocation["TaskGroup"],
            "task": task,
            "alloc": allocation["ID"],
            "stream": kind,
            "file": str(line.file),
            "offset": str(line.offset),
        }
        data = " ".join(f'{name}="{value}"' for name, value in values.items())
        head = " ".join(
            (
                f"<{PRIORITY}>1",
                now,
                word(allocation["NodeName"], HOST_LENGTH),
                word(allocation["JobID"], APPLICATION_LENGTH),
                allocation["ID"],
                word(f"{task}.{kind}", MESSAGE_LENGTH),
                f"[nomad@32473 {data}]",
            )
        )
        return head.encode() + b" " + line.text


def split(position: Position, frames: Sequence[tuple[int, int, bytes]], *, last: bool) -> tuple[list[Line], Position]:
    """The complete lines, and the position after them; with `last` also the rest, which has no line end."""
    lines: list[Line] = []
    sizes = dict(position.sizes)
    start = (position.file, position.offset)
    at = start
    rest = b""
    for file, _, data in frames:
        if file != at[0]:
            sizes[at[0]] = at[1]
            at = (file, 0)
            if not rest:
                start = at
        rest += data
        at = (file, at[1] + len(data))
        while rest:
            end = rest.find(b"\n", 0, LINE_BYTES_MAX)
            if end < 0 and len(rest) < LINE_BYTES_MAX:
                break
            text = rest[: end + 1] if end >= 0 else rest[:LINE_BYTES_MAX]
            lines.append(Line(text=text.rstrip(b"\r\n"), file=start[0], offset=start[1]))
            rest = rest[len(text) :]
            start = (at[0], at[1] - len(rest))
    if last and rest:
        lines.append(Line(text=rest, file=start[0], offset=start[1]))
        start = at
    sizes = {file: size for file, size in sizes.items() if file < start[0]}
    found = [line for line in lines if line.text]
    return found, Position(file=start[0], offset=start[1], sizes=sizes)


def word(text: str, length: int) -> str:
    """A name as RFC 5424 allows it: printable ASCII without spaces."""
    return quote(text, safe="/:@+")[:length] or "-"


class Sender:
    """Sends the lines of the buffer in order, and removes them once the receiver has had them for some seconds.

    Syslog has no acknowledgement. TCP's says that the receiver's system has the bytes, not that the receiver has read
    them. So lines that were acknowledged less than `confirm_seconds` before a connection breaks are sent again.
    """

    def __init__(self, settings: Settings, buffer: Buffer) -> None:
        self._settings = settings
        self._buffer = buffer
        self._context: ssl.SSLContext | None = None
        if settings.tls:
            self._context = ssl.create_default_context(cafile=settings.authority_file or None)

    def run(self) -> None:
        """Sends without end."""
        delay = RETRY_SECONDS
        while True:
            try:
                with closing(self._connect()) as connection:
                    delay = RETRY_SECONDS
                    self._send(connection)
            except OSError as error:
                note(f"the receiver cannot be reached: {error}")
            time.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 - jitter
            delay = min(delay * 2, RETRY_SECONDS_MAX)

    def _connect(self) -> socket.socket:
        host, _, port = self._settings.receiver.rpartition(":")
        host = host.strip("[]")
        connection = socket.create_connection((host, int(port)), timeout=RECEIVER_SECONDS)
        # A receiver whose machine is gone acknowledges nothing.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(RECEIVER_SECONDS * 1000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return self._context.wrap_socket(connection, server_hostname=host) if self._context else connection

    def _send(self, connection: socket.socket) -> None:
        """Raises OSError when the connection breaks."""
        sent = 0
        waiting: deque[tuple[int, float]] = deque()
        while True:
            if batch := self._buffer.after(sent):
                # The number of bytes before each message (RFC 6587, RFC 5425).
                connection.sendall(b"".join(b"%d %b" % (len(message), message) for _, message in batch))
                await_acknowledgement(connection)
                sent = batch[-1][0]
                waiting.append((sent, time.monotonic()))
            ensure_open(connection)
            confirmed = 0
            while waiting and time.monotonic() - waiting[0][1] >= self._settings.confirm_seconds:
                confirmed, _ = waiting.popleft()
            if confirmed:
                LINES.inc(self._buffer.remove(confirmed))
            if not batch:
                time.sleep(IDLE_SECONDS)


def await_acknowledgement(connection: socket.socket) -> None:
    """Waits until the receiver's system has all bytes. Raises OSError."""
    deadline = time.monotonic() + RECEIVER_SECONDS
    while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
        ensure_open(connection)
        if time.monotonic() > deadline:
            raise TimeoutError("the receiver takes no more bytes")
        time.sleep(POLL_SECONDS)


def ensure_open(connection: socket.socket) -> None:
    """Raises OSError if the receiver has closed the connection. A receiver sends nothing that matters."""
    if not select.select([connection], [], [], 0)[0]:
        return
    connection.settimeout(0)
    try:
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            if not connection.recv(4096):
                raise ConnectionError("the receiver has closed the connection")
    finally:
        connection.settimeout(RECEIVER_SECONDS)


def note(text: str) -> None:
    """A line of the program's own log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - its log


def lag(buffer: Buffer, clock: Callable[[], float]) -> float:
    """Seconds since the oldest line of the buffer was read."""
    oldest = buffer.oldest()
    return 0.0 if oldest is None else max(0.0, clock() - oldest)


def main() -> None:
    """Ends when one of the two threads ends, so that Nomad starts the program again."""
    settings = Settings.load(os.environ)
    buffer = Buffer(settings.folder)
    reader = Reader(settings, Nomad(os.environ, settings.namespace), buffer, time.time)
    sender = Sender(settings, buffer)
    BUFFER_LIMIT.set(settings.buffer_bytes)
    BUFFERED.set_function(lambda: buffer.size)
    LAG.set_function(lambda: lag(buffer, time.time))
    start_http_server(int(sys.argv[2]), sys.argv[1])
    ended = threading.Event()

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            ended.set()

    for work in (reader.run, sender.run):
        threading.Thread(target=run, args=(work,), daemon=True).start()
    ended.wait()
    sys.exit(1)


if __name__ == "__main__":
    main()
