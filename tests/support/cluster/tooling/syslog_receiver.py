"""A rsyslog that receives log lines by TCP, with or without TLS, and writes them to a file."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cluster.tooling.authority import Certificate
from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port, is_free

RSYSLOG = "/usr/sbin/rsyslogd"
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="64k" {drivers})
module(load="imtcp" {mode})
template(name="whole" type="string" string="%hostname%|%app-name%|%structured-data%|%msg%\\n")
ruleset(name="received") {{ action(type="omfile" file="{file}" template="whole" flushOnTXEnd="on") }}
input(type="imtcp" address="{host}" port="{port}" ruleset="received")
"""


@dataclass(frozen=True, kw_only=True)
class Received:
    """A line at the receiver. `place` is where its log had it."""

    host: str
    application: str
    fields: dict[str, str]
    text: str

    @property
    def place(self) -> tuple[str, ...]:
        return tuple(self.fields[name] for name in ("alloc", "task", "stream", "file", "offset"))


@dataclass(kw_only=True)
class Receiver:
    """May be started, killed, and started again at the same address. Each start writes a file of its own.

    A kill can leave the beginning of a line at the end of a file.
    """

    folder: Path
    certificate: Certificate | None = None
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    files: list[Path] = field(default_factory=list[Path])

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        drivers, mode = "", ""
        if self.certificate:
            drivers = (
                f'DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{self.certificate.certificate}" '
                f'DefaultNetstreamDriverCertFile="{self.certificate.certificate}" '
                f'DefaultNetstreamDriverKeyFile="{self.certificate.key}"'
            )
            mode = 'StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
        file = self.folder / f"received.{len(self.files)}"
        self.files.append(file)
        configuration = self.folder / "rsyslog.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder, drivers=drivers, mode=mode, file=file, host=LOOPBACK, port=self.port
            ),
            encoding="utf-8",
        )
        process_file = self.folder / "rsyslog.pid"
        process_file.unlink(missing_ok=True)
        with (self.folder / "rsyslog.log").open("ab") as log:
            self.process = subprocess.Popen(
                [RSYSLOG, "-n", "-f", configuration, "-i", process_file], stdout=log, stderr=log
            )
        wait_until(lambda: not is_free(self.port))

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def lines(self) -> list[Received]:
        """All lines that were received, repeated ones included, without a line that is not written to its end yet."""
        received: list[Received] = []
        for file in self.files:
            found = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
            for line in found.split("\n")[:-1]:
                host, application, data, text = line.split("|", 3)
                fields = dict(_FIELD.findall(data))
                received.append(Received(host=host, application=application, fields=fields, text=text))
        return received


@contextmanager
def receiving(folder: Path, certificate: Certificate | None = None) -> Iterator[Receiver]:
    """Ends it at the end of the block, if it still runs."""
    folder.mkdir()
    receiver = Receiver(folder=folder, certificate=certificate)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.end()
