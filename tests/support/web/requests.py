"""What tests send again and again."""

import itertools

import httpx

_numbers = itertools.count(1)


def pdf_like(*, size_bytes: int = 0) -> bytes:
    """New bytes each time that begin as a PDF does; what no test here reads needs no pages."""
    head = b"%%PDF-1.7\n%% upload %06d\n" % next(_numbers)
    return head.ljust(size_bytes, b" ")


def upload(client: httpx.Client, content: bytes, *, name: str = "schedule.pdf") -> httpx.Response:
    return client.post("/api/v1/uploads", files={"file": (name, content, "application/pdf")})


def problem_code(answer: httpx.Response) -> str:
    """The code of a problem. It checks here, once for all tests, that the problem is well-formed."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer.headers["x-request-id"]
    assert problem["type"].startswith("/problems/")
    return str(problem["type"]).removeprefix("/problems/")
