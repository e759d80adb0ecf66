"""Archives behind HTTP, as the object store serves them, and what was asked of it."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def archive(files: Mapping[str, str], *, link: str = "") -> bytes:
    """Contents by name, and a symbolic link of this name to /etc."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(member)
    return packed.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Store:
    """While `going_on` is not set an answer stops in the middle, and `half_sent` is set."""

    url: str = ""
    contents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: list[str] = field(default_factory=list[str])
    half_sent: threading.Event = field(default_factory=threading.Event)
    going_on: threading.Event = field(default_factory=threading.Event)

    def put(self, name: str, data: bytes) -> tuple[str, str]:
        """Its URL and SHA-256."""
        self.contents[name] = data
        return f"{self.url}/{name}", sha256(data)


@contextmanager
def running_store() -> Iterator[Store]:
    store = Store()
    store.going_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            store.asked.append(name)
            data = store.contents.get(name)
            self.send_response(HTTPStatus.OK if data is not None else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            half = len(data or b"") // 2
            self.wfile.write((data or b"")[:half])
            self.wfile.flush()
            store.half_sent.set()
            store.going_on.wait()
            self.wfile.write((data or b"")[half:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            del format, args

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # The client was killed.
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield store
    finally:
        store.going_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
