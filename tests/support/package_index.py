"""A package index on this machine, with real wheels, that can refuse, stall and change what it serves."""

import base64
import hashlib
import io
import ssl
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Wheel:
    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def project(self) -> str:
        return self.name.partition("-")[0]


def uv_wheel(program: Path, version: str, platform: str) -> Wheel:
    """A wheel like PyPI's, with the program among the scripts."""
    member = zipfile.ZipInfo(f"uv-{version}.data/scripts/uv")
    return Wheel(name=f"uv-{version}-py3-none-{platform}.whl", content=_zipped({member: program.read_bytes()}))


def pure_wheel(name: str) -> Wheel:
    """A module that holds nothing, of version 1."""
    information = f"{name}-1.dist-info"
    files = {
        f"{name}.py": "",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text)}\n"
        for path, text in files.items()
    )
    files[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n"
    members = {zipfile.ZipInfo(path): text.encode() for path, text in files.items()}
    return Wheel(name=f"{name}-1-py3-none-any.whl", content=_zipped(members))


@dataclass
class Index:
    """`asked` holds the paths of requests that were answered in full or in part."""

    url: str
    wheels: Mapping[str, Wheel]
    asked: list[str] = field(default_factory=list[str])
    #: What the Authorization header must be, if any is wanted.
    authorization: str = ""
    #: So many answers are 503.
    failures: int = 0
    #: A wheel stops half-way while this is set, which `half_sent` tells.
    stalling: bool = False
    half_sent: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def simple(self) -> str:
        return f"{self.url}/simple"

    def file(self, wheel: Wheel) -> str:
        return f"{self.url}/files/{wheel.name}"


@contextmanager
def serving(*wheels: Wheel, certificate: Path | None = None) -> Iterator[Index]:
    """Serves by HTTPS if a file with a certificate and its key is given."""
    index = Index(url="", wheels={wheel.name: wheel for wheel in wheels})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A proxy is asked for whole addresses.
            path = urlsplit(self.path).path
            if index.authorization and self.headers["Authorization"] != index.authorization:
                return self._answer(HTTPStatus.UNAUTHORIZED, b"")
            if index.failures:
                index.failures -= 1
                return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"")
            index.asked.append(self.path)
            if path.startswith("/simple/"):
                links = (
                    f'<a href="../../files/{name}#sha256={wheel.sha256}">{name}</a>'
                    for name, wheel in index.wheels.items()
                )
                return self._answer(HTTPStatus.OK, "".join(links).encode(), "text/html")
            wheel = index.wheels.get(path.rpartition("/")[2])
            return self._answer(HTTPStatus.OK, wheel.content) if wheel else self._answer(HTTPStatus.NOT_FOUND, b"")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str = "application/octet-stream") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2 if index.stalling else 0
            self.wfile.write(body[:half])
            if half:
                index.half_sent.set()
                index.go_on.wait(60)
                return
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - named by the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    index.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield index
    finally:
        index.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _zipped(members: Mapping[zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return packed.getvalue()
