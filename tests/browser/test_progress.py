"""Tests what the page shows between choosing a file and its result, including failures."""

import os
import re
import signal
from contextlib import ExitStack
from pathlib import Path

import psycopg
from playwright.sync_api import CDPSession, expect

from tests.browser.conftest import NewUser
from tests.support.browser import schedules
from tests.support.browser.user import User
from tests.support.documents import refused
from tests.support.processes.application import api_process, worker_process
from tests.support.servers import Database

_WATCH = """() => {
    window.seen = [];
    const watch = { subtree: true, childList: true, characterData: true };
    new MutationObserver(() => {
        for (const state of document.querySelectorAll("#cards [data-field=state]")) {
            seen.push(state.textContent);
        }
    }).observe(document.getElementById("main"), watch);
}"""


def _intercept_answer(statement: str) -> str:
    """A script that runs the statement instead of the page's handler `onload` when the next upload is answered.

    Playwright's own interception loses the content of files in Chromium.
    """
    return f"""() => {{
        const send = XMLHttpRequest.prototype.send;
        XMLHttpRequest.prototype.send = function (body) {{
            XMLHttpRequest.prototype.send = send;
            const onload = this.onload;
            this.onload = (event) => {{ {statement}; }};
            send.call(this, body);
        }};
    }}"""


_SLOW_WORKER = ("-m", "tests.support.sandbox.scripted_worker")


_AT_FULL_SPEED = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


def _slow_down(user: User, bytes_per_second: int) -> CDPSession:
    network = user.page.context.new_cdp_session(user.page)
    network.send("Network.emulateNetworkConditions", {**_AT_FULL_SPEED, "uploadThroughput": bytes_per_second})
    return network


def test_an_upload_tells_its_percentage(user: User, tmp_path: Path) -> None:
    """The percentage shows how much the network has sent."""
    document = schedules.long_lectures(tmp_path, groups=400)
    _slow_down(user, bytes_per_second=document.stat().st_size // 2)
    user.page.evaluate(_WATCH)
    user.choose(document)
    expect(user.state("everything.pdf")).to_have_text("Read: 3200 weekly classes")
    texts = "\n".join(user.page.evaluate("seen"))
    assert re.search(r"^Uploading: [1-9]\d? %$", texts, re.MULTILINE)
    assert any(url.endswith("/stream") for url in user.requested)


def test_a_reading_tells_its_pages(
    new_user: NewUser, running: ExitStack, own_environment: dict[str, str], tmp_path: Path
) -> None:
    """The page gets them while they are read. The reader of the tests reads each page slowly."""
    document = tmp_path / "slow.pdf"
    document.write_bytes(b"%PDF-1.7 slow 4 40 ABC")
    application = running.enter_context(api_process(own_environment, tmp_path / "api.log"))
    running.enter_context(worker_process(own_environment, tmp_path / "worker.log", program=_SLOW_WORKER))
    user = new_user(application.url)
    user.page.goto("/")
    user.choose(document)
    expect(user.state("slow.pdf")).to_have_text(re.compile(r"Reading page [1-9]\d? of 40"))
    expect(user.state("slow.pdf")).to_have_text("Read: 1 weekly class")


def test_a_document_waits_in_the_queue_until_a_worker_reads_it(
    new_user: NewUser, running: ExitStack, own_environment: dict[str, str], tmp_path: Path
) -> None:
    """The page shows the position in the queue, and needs no reload."""
    application = running.enter_context(api_process(own_environment, tmp_path / "api.log"))
    user = new_user(application.url)
    user.page.goto("/")
    user.choose(schedules.semester_tests(tmp_path), schedules.lectures(tmp_path))
    expect(user.state("tests.pdf")).to_have_text("Waiting: number 1 in the queue")
    expect(user.state("lectures.pdf")).to_have_text("Waiting: number 2 in the queue")
    running.enter_context(worker_process(own_environment, tmp_path / "worker.log"))
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")


def test_a_document_is_shown_once_while_the_answer_to_its_upload_is_on_its_way(user: User, tmp_path: Path) -> None:
    """The page is rendered again in between, and then has the server's card of the same document."""
    user.choose(schedules.semester_tests(tmp_path))
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    user.page.evaluate("() => { window.answered = new Promise((resolve) => { window.holdAnswer = resolve; }); }")
    user.page.evaluate(_intercept_answer("holdAnswer(() => onload(event))"))
    with user.page.expect_response("**/api/v1/uploads"):
        user.choose(schedules.lectures(tmp_path))
    user.card("tests.pdf").get_by_role("button", name="Remove").click()
    expect(user.card("tests.pdf")).to_have_count(0)
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")
    with user.page.expect_response("**/"):
        user.page.evaluate("answered.then((deliver) => deliver())")
    expect(user.cards).to_have_count(1)
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")


def test_an_upload_whose_answer_is_lost_is_sent_again_and_shown_once(user: User, tmp_path: Path) -> None:
    """The server has the document already; the second try finds it."""
    user.page.evaluate(_intercept_answer("this.onerror(event)"))
    user.choose(schedules.lectures(tmp_path))
    expect(user.page.locator("#announcer")).to_contain_text("It is sent again by itself")
    expect(user.state("lectures.pdf")).to_have_text("Read: 5 weekly classes")
    expect(user.cards).to_have_count(1)


def test_an_upload_whose_instance_dies_is_sent_again_to_the_next_one(
    *,
    new_user: NewUser,
    running: ExitStack,
    own_environment: dict[str, str],
    database: Database,
    tmp_path: Path,
) -> None:
    """The person does nothing, and there is one document."""
    running.enter_context(worker_process(own_environment, tmp_path / "worker.log"))
    first = running.enter_context(api_process(own_environment, tmp_path / "first.log"))
    user = new_user(first.url)
    user.page.goto("/")
    document = schedules.long_lectures(tmp_path, groups=400)
    network = _slow_down(user, bytes_per_second=document.stat().st_size // 4)
    user.choose(document)
    expect(user.state("everything.pdf")).to_have_text(re.compile(r"Uploading: [1-9]\d? %"))
    for server in first.servers():
        os.kill(server, signal.SIGKILL)
    first.process.wait(60)
    expect(user.state("everything.pdf")).to_contain_text("It is sent again by itself")
    network.send("Network.emulateNetworkConditions", _AT_FULL_SPEED)
    running.enter_context(api_process(own_environment, tmp_path / "next.log", port=first.port))
    expect(user.state("everything.pdf")).to_have_text("Read: 3200 weekly classes", timeout=60_000)
    expect(user.cards).to_have_count(1)
    with psycopg.connect(database.owner_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
    user.console_errors[:] = [line for line in user.console_errors if "net::ERR" not in line]


def test_status_is_asked_for_where_it_cannot_be_pushed(user: User, tmp_path: Path) -> None:
    """If a proxy cuts streams, only a little time is lost."""
    user.page.route("**/stream", lambda route: route.abort())
    user.choose(schedules.long_lectures(tmp_path, groups=400))
    expect(user.state("everything.pdf")).to_have_text("Read: 3200 weekly classes")
    user.console_errors.remove("Failed to load resource: net::ERR_FAILED")
    assert any(re.search(r"/api/v1/jobs/[0-9a-f-]+$", url) for url in user.requested)


def test_a_wrong_file_gets_the_reason_and_the_remedy(user: User, tmp_path: Path) -> None:
    """The file is refused by the upload or after reading.

    Its card has the sentence, and other files are not affected.
    """
    notes, scan = tmp_path / "notes.pdf", tmp_path / "scan.pdf"
    notes.write_text("These are my notes.")
    scan.write_bytes(refused.scan())
    user.choose(notes, scan, schedules.semester_tests(tmp_path))
    expect(user.state("notes.pdf")).to_contain_text("This is not a PDF.")
    expect(user.state("scan.pdf")).to_contain_text("The pages hold no text, only a picture of it.")
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    # Another attempt cannot remove a cause in the file.
    expect(user.card("scan.pdf").get_by_role("button", name="Try again")).to_have_count(0)
    user.card("notes.pdf").get_by_role("button", name="Remove").click()
    expect(user.cards).to_have_count(2)


def test_an_upload_without_connection_is_sent_when_there_is_one(user: User, tmp_path: Path) -> None:
    """At once, and not after the next pause."""
    user.page.context.set_offline(True)
    user.choose(schedules.semester_tests(tmp_path))
    expect(user.state("tests.pdf")).to_contain_text("The connection broke.")
    user.page.context.set_offline(False)
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    user.console_errors[:] = [line for line in user.console_errors if "ERR_INTERNET_DISCONNECTED" not in line]


def test_after_the_last_try_a_person_decides(user: User, tmp_path: Path) -> None:
    """Nothing has to be chosen a second time. The pauses are skipped by the clock of the test."""
    page = user.page
    page.clock.install()
    page.context.set_offline(True)
    user.choose(schedules.semester_tests(tmp_path))
    for _ in range(5):
        expect(user.state("tests.pdf")).to_contain_text("It is sent again by itself")
        page.clock.run_for(21_000)
    expect(user.state("tests.pdf")).to_contain_text("No connection to the server.")
    page.context.set_offline(False)
    user.card("tests.pdf").get_by_role("button", name="Try again").click()
    page.clock.resume()
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    user.console_errors[:] = [line for line in user.console_errors if "ERR_INTERNET_DISCONNECTED" not in line]


def test_the_same_file_again_is_no_second_document(user: User, tmp_path: Path) -> None:
    """Known bytes are answered at once."""
    document = schedules.semester_tests(tmp_path)
    user.choose(document)
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
    user.choose(document)
    expect(user.page.locator("#announcer")).to_contain_text("tests.pdf is uploaded")
    expect(user.cards).to_have_count(1)
    expect(user.state("tests.pdf")).to_have_text("Read: 2 tests")
