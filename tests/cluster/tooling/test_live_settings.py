"""Settings that change while the real processes run, by keys of a real Consul that denies by default."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from tests.support.cluster.tooling.key_server import SETTINGS, KeyServer, running_keys
from tests.support.processes.application import ApiProcess, api_process, worker_process
from tests.support.servers import wait_until
from tests.support.web.requests import pdf_like, problem_code, upload
from upschedule.cli import main

StartApi = Callable[..., ApiProcess]
NewClient = Callable[[ApiProcess], httpx.Client]

UPLOADS = "limits/uploads_per_hour"
MESSAGE = "maintenance/message"
YEAR = {
    "source": "UP yearbook 2031, p. 4",
    "confirmed": True,
    "dates": {"terms": {"S1": {"start": "2031-02-10", "end": "2031-05-23"}}},
}


@pytest.fixture(scope="module")
def consul(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    """One Consul for all tests. Each test begins without a key."""
    with running_keys(programs / "consul", tmp_path_factory.mktemp("consul")) as server:
        yield server


@pytest.fixture
def keys(consul: KeyServer) -> KeyServer:
    consul.forget_all()
    return consul


@pytest.fixture
def environment(own_environment: dict[str, str], keys: KeyServer) -> dict[str, str]:
    """A watch with short intervals."""
    return own_environment | {
        "UPSCHEDULE_CONSUL_ADDRESS": keys.url,
        "UPSCHEDULE_CONSUL_TOKEN": keys.token,
        "UPSCHEDULE_CONSUL_WAIT_SECONDS": "5",
        "UPSCHEDULE_CONSUL_RETRY_SECONDS_MAX": "1",
    }


@pytest.fixture
def start_api(environment: dict[str, str], tmp_path: Path) -> Iterator[StartApi]:
    """Starts an API: `start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="3")`."""
    with ExitStack() as running:

        def start(**settings: str) -> ApiProcess:
            return running.enter_context(api_process(environment | settings, tmp_path / "api.log"))

        yield start


@pytest.fixture
def new_client() -> Iterator[NewClient]:
    """Creates a client with its own cookies."""
    with ExitStack() as opened:

        def create(api: ApiProcess) -> httpx.Client:
            return opened.enter_context(httpx.Client(base_url=api.url, timeout=30))

        yield create


def upload_statuses(client: httpx.Client, number: int) -> list[int]:
    return [upload(client, pdf_like()).status_code for _ in range(number)]


def metric(api: ApiProcess, name: str) -> float:
    text = httpx.get(f"{api.url}/metrics", timeout=10).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def changed_to(api: ApiProcess, name: str, value: object) -> dict[str, Any]:
    """Waits for the audit line of this change and returns it."""

    def found() -> list[dict[str, Any]]:
        lines = api.logged("setting_changed")
        return [line for line in lines if (line["key"], line["new"]) == (f"{SETTINGS}{name}", value)]

    wait_until(found)
    return found()[-1]


def test_a_changed_limit_holds_for_the_next_request_and_counts_on(
    keys: KeyServer, start_api: StartApi, new_client: NewClient
) -> None:
    """The limit goes up and down with the key, and returns to the environment's value without it.

    The audit line has both values and the index.
    """
    api = start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="4")
    client = new_client(api)
    assert upload_statuses(client, 2) == [202, 202]

    keys.put(UPLOADS, "3")
    audit = changed_to(api, UPLOADS, 3)
    assert upload_statuses(client, 2) == [202, 429]
    assert "3 files an hour" in upload(client, pdf_like()).json()["detail"]

    keys.delete(UPLOADS)
    changed_to(api, UPLOADS, 4)
    assert upload_statuses(client, 2) == [202, 429]

    assert (audit["old"], audit["level"]) == (4, "warning")
    assert audit["modify_index"] > 0
    assert keys.token not in api.output.read_text()


def test_a_wrong_value_or_key_is_refused_in_words_and_the_last_good_value_stays(
    keys: KeyServer, start_api: StartApi, new_client: NewClient
) -> None:
    """Each wrong value is logged and counted once, however often Consul returns it. Later changes still apply."""
    api = start_api()
    keys.put(UPLOADS, "1")
    changed_to(api, UPLOADS, 1)

    keys.put(UPLOADS, "plenty")
    keys.put("limits/uploads_per_our", "9")
    keys.put("web/port", "9")
    refused = {key: api.awaited("setting_refused", key=f"{SETTINGS}{key}")["reason"] for key in (UPLOADS, "web/port")}
    api.awaited("setting_refused", key=f"{SETTINGS}limits/uploads_per_our")

    assert "int" in refused[UPLOADS]
    assert "UPSCHEDULE_WEB_PORT" in refused["web/port"]
    assert upload_statuses(new_client(api), 2) == [202, 429]
    keys.put(UPLOADS, "2")
    changed_to(api, UPLOADS, 2)
    assert upload_statuses(new_client(api), 3) == [202, 202, 429]
    assert metric(api, "upschedule_settings_refused_total") == 3


def test_consul_killed_changes_nothing_and_what_comes_after_it_arrives(
    programs: Path, environment: dict[str, str], tmp_path: Path, new_client: NewClient
) -> None:
    """The last value is enforced, the process is ready, and a metric shows since when.

    A new Consul starts with another index.
    """
    folder = tmp_path / "consul"
    folder.mkdir()
    with running_keys(programs / "consul", folder) as keys:
        keys.put(UPLOADS, "2")
        own = environment | {"UPSCHEDULE_CONSUL_ADDRESS": keys.url, "UPSCHEDULE_CONSUL_TOKEN": keys.token}
        with api_process(own, tmp_path / "api.log") as api:
            assert upload_statuses(new_client(api), 3) == [202, 202, 429]

            keys.kill()
            api.awaited("settings_not_watched")
            wait_until(lambda: metric(api, "upschedule_settings_age_seconds") > 2)
            assert httpx.get(f"{api.url}/health/ready", timeout=10).status_code == 200
            assert upload_statuses(new_client(api), 3) == [202, 202, 429]

            keys.start()
            api.awaited("settings_watched_again")
            keys.put(UPLOADS, "3")
            changed_to(api, UPLOADS, 3)
            assert upload_statuses(new_client(api), 4) == [202, 202, 202, 429]

            keys.kill()
            keys.start(empty=True)
            changed_to(api, UPLOADS, 10)
            keys.put(UPLOADS, "1")
            changed_to(api, UPLOADS, 1)
            assert upload_statuses(new_client(api), 2) == [202, 429]


def test_a_token_that_loses_its_policy_does_not_look_like_deleted_keys(
    keys: KeyServer, start_api: StartApi, new_client: NewClient
) -> None:
    """Consul omits keys that a token may not read. The previous values stay until the token may read them again."""
    keys.put(UPLOADS, "1")
    api = start_api()
    changed_to(api, UPLOADS, 1)
    keys.restrict()
    try:
        assert "token" in api.awaited("settings_not_watched")["reason"]
        keys.put(UPLOADS, "2")
        assert upload_statuses(new_client(api), 2) == [202, 429]
    finally:
        keys.allow()
    changed_to(api, UPLOADS, 2)


def test_a_process_starts_without_consul_and_follows_it_once_it_is_there(
    keys: KeyServer, start_api: StartApi, new_client: NewClient
) -> None:
    """The process starts with the environment's values after a short wait. A wrong token has the same effect."""
    keys.put(UPLOADS, "1")
    keys.restrict()
    try:
        api = start_api(UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR="2", UPSCHEDULE_CONSUL_START_SECONDS="0.5")
        api.awaited("settings_not_watched")
        assert upload_statuses(new_client(api), 3) == [202, 202, 429]
    finally:
        keys.allow()
    changed_to(api, UPLOADS, 1)


def test_an_answer_that_is_too_large_is_refused_whole(
    keys: KeyServer, start_api: StartApi, new_client: NewClient
) -> None:
    """A key that is filled by mistake neither uses up memory nor removes a limit."""
    keys.put(UPLOADS, "1")
    api = start_api(UPSCHEDULE_CONSUL_ANSWER_BYTES_MAX="2048")
    changed_to(api, UPLOADS, 1)

    keys.put("somebody/else", b"x" * 4096)

    assert "2048" in api.awaited("settings_not_watched")["reason"]
    assert upload_statuses(new_client(api), 2) == [202, 429]
    keys.delete("somebody/else")
    api.awaited("settings_watched_again")


def test_maintenance_refuses_changes_and_lets_reading_go_on(
    keys: KeyServer, start_api: StartApi, new_client: NewClient
) -> None:
    """Uploads and changes of an account get 503 with the message.

    Status, page, signing in and signing out still work.
    """
    api = start_api()
    client = new_client(api)
    account = {"email": "student@example.org", "password": "a long and quiet night"}
    assert client.post("/api/v1/accounts", json=account).status_code == 202
    assert client.post("/api/v1/sessions", json=account).status_code == 201
    job = upload(client, pdf_like()).headers["location"]

    keys.put("maintenance/retry_after_seconds", "600")
    keys.put(MESSAGE, "Uploads are closed <until> 14:00.")
    changed_to(api, MESSAGE, "Uploads are closed <until> 14:00.")

    refused = [
        upload(client, pdf_like()),
        upload(new_client(api), pdf_like()),
        client.delete(job),
        client.post("/api/v1/accounts", json=account | {"email": "other@example.org"}),
        client.post("/api/v1/calendars", json={"jobs": [job.rpartition("/")[2]]}),
    ]
    for answer in refused:
        assert (answer.status_code, problem_code(answer)) == (503, "maintenance")
        assert answer.headers["retry-after"] == "600"
        assert answer.json()["detail"] == "Uploads are closed <until> 14:00."
    assert client.post("/documents", files={"file": ("a.pdf", pdf_like())}).status_code == 503
    assert client.get(job).status_code == 200
    assert client.get("/api/v1/calendars").status_code == 200
    assert "Uploads are closed &lt;until&gt; 14:00." in client.get("/").text
    assert client.delete("/api/v1/sessions/current").status_code == 204
    assert client.post("/api/v1/sessions", json=account).status_code == 201

    keys.delete(MESSAGE)
    changed_to(api, MESSAGE, "")
    assert upload(client, pdf_like()).status_code == 202
    assert "Uploads are closed" not in client.get("/").text


def test_back_pressure_sets_in_where_the_key_says(keys: KeyServer, start_api: StartApi, new_client: NewClient) -> None:
    """Uploads are refused from this number of waiting jobs on (R2.2). No worker runs in this test.

    The reserve, which admits a few jobs of each address beyond the limit, is turned off.
    """
    api = start_api(UPSCHEDULE_JOBS_PENDING_RESERVE="0")
    keys.put("jobs/pending_max", "2")
    changed_to(api, "jobs/pending_max", 2)

    client = new_client(api)
    statuses = upload_statuses(client, 3)

    assert statuses == [202, 202, 503]
    assert client.get("/api/v1/capacity").json()["limit"] == 2


def test_the_dates_of_a_year_are_written_into_its_row_and_stay_there(keys: KeyServer, start_api: StartApi) -> None:
    """The value is checked first. A wrong value or a deleted key changes no row, so no calendar changes by accident."""
    api = start_api()
    address = f"{api.url}/api/v1/academic-years/2031"
    assert httpx.get(address).status_code == 404

    keys.put("academic_years/2031", json.dumps(YEAR))
    wait_until(lambda: httpx.get(address).status_code == 200)
    known = httpx.get(address).json()
    keys.put("academic_years/2031", json.dumps(YEAR | {"dates": {"terms": {}}}))
    refusal = api.awaited("setting_refused", key=f"{SETTINGS}academic_years/2031")
    keys.delete("academic_years/2031")
    keys.put(UPLOADS, "7")
    changed_to(api, UPLOADS, 7)

    assert (known["source"], known["confirmed"]) == (YEAR["source"], True)
    assert known["dates"]["terms"]["S1"]["end"] == "2031-05-23"
    assert "dates.terms" in refusal["reason"]
    assert httpx.get(address).json() == known
    (audit,) = [line for line in api.logged("setting_changed") if line["key"].endswith("2031")]
    assert (audit["old"], audit["new"]["source"]) == (None, YEAR["source"])


def test_an_operator_sets_the_dates_of_a_year_with_one_command(
    keys: KeyServer, start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command checks the value before it writes the key. Calendars use it within a minute."""
    api = start_api()
    address = f"{api.url}/api/v1/academic-years/2032"
    monkeypatch.setenv("CONSUL_HTTP_ADDR", keys.url)
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", keys.operator_token)
    dates = {"terms": {"S1": {"start": "2032-02-09", "end": "2032-05-21"}}}

    def run(value: Mapping[str, object]) -> Result:
        return CliRunner().invoke(main, ["ops", "set-year", "2032", "-"], input=json.dumps(value))

    refused = run(YEAR)
    assert (refused.exit_code, httpx.get(address).status_code) == (os.EX_DATAERR, 404)
    assert run(YEAR | {"dates": dates}).exit_code == os.EX_OK
    wait_until(lambda: httpx.get(address).status_code == 200, timeout_seconds=60)
    assert httpx.get(address).json()["dates"]["terms"]["S1"]["start"] == "2032-02-09"
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", keys.token)
    assert run(YEAR | {"dates": dates}).exit_code == os.EX_UNAVAILABLE


def test_a_question_that_is_held_does_not_hold_up_the_end_of_a_process(keys: KeyServer, start_api: StartApi) -> None:
    """The watch is cancelled, since a release must not wait ten minutes for the agent."""
    api = start_api(UPSCHEDULE_CONSUL_WAIT_SECONDS="600")
    keys.put(UPLOADS, "7")
    changed_to(api, UPLOADS, 7)

    api.terminate()

    assert api.process.wait(10) == 0


def test_a_worker_follows_the_keys_too(keys: KeyServer, environment: dict[str, str], tmp_path: Path) -> None:
    """An operator can raise the log level of all processes."""
    output = tmp_path / "worker.log"
    with worker_process(environment, output):
        wait_until(output.exists)
        keys.put("log/level", "debug")

        def changed() -> bool:
            return any('"setting_changed"' in line and '"debug"' in line for line in output.read_text().splitlines())

        wait_until(changed, timeout_seconds=40)


def test_the_command_shows_what_comes_from_consul_and_what_is_refused(
    keys: KeyServer, environment: dict[str, str]
) -> None:
    """The operator runs this command during an incident."""

    def show_settings() -> tuple[int, dict[str, dict[str, str]], str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("UPSCHEDULE_")}
        command = [sys.executable, "-m", "upschedule", "settings", "--json"]
        command = subprocess.run(
            command, env=inherited | environment, capture_output=True, text=True, timeout=60, check=False
        )
        return command.returncode, {row["variable"]: row for row in json.loads(command.stdout)}, command.stderr

    keys.put(UPLOADS, "7")
    keys.put("academic_years/2031", json.dumps(YEAR))
    code, rows, _ = show_settings()
    keys.put("jobs/pending_max", "none")
    refused_code, refused_rows, message = show_settings()

    assert code == os.EX_OK
    assert rows["UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR"]["value"] == "7"
    assert rows["UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR"]["source"] == "consul"
    assert rows["UPSCHEDULE_CONSUL_TOKEN"]["value"] == "***"
    assert refused_code == os.EX_DATAERR
    assert f"{SETTINGS}jobs/pending_max: refused" in message
    assert refused_rows["UPSCHEDULE_JOBS_PENDING_MAX"]["source"] == "default"
