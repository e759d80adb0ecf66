"""The cluster's own program on a real Nomad whose client runs none of its tasks (R10.1, R11.1)."""

import json
import re

import pytest

from tests.support.cluster.program.configurations import pem
from tests.support.cluster.program.job_files import path
from tests.support.cluster.program.whole_program import manifest
from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.tooling.pulumi_stack import Stack
from upschedule.operations.privileges.identities import PROCESSES

EXPORTERS = ("postgres", "pgbouncer", "redis", "node", "blackbox")
SERVICES = (
    "postgres",
    "pgbouncer",
    "redis-state",
    "redis-cache",
    "object-store",
    "backup-store",
    "traefik",
    "prometheus",
    "alertmanager",
    "autoscaler",
    *(f"{exporter}-exporter" for exporter in EXPORTERS),
)
COMMON = {"namespace": "default", "user": "nobody"}
PROGRAM = {"program": "/usr/bin/program"}
RULES = {f"{process}_rules": "-@all +ping" for process in PROCESSES}
#: The release that the program passes to the jobs.
RELEASE = json.dumps(
    {
        "version": "1",
        "environment": {"url": "http://127.0.0.1/environment.tar.gz", "sha256": "0" * 64},
        "sources": {"url": "http://127.0.0.1/sources.tar.gz", "sha256": "0" * 64},
        "volume": "releases",
        "user": "nobody",
        "program": "pass",
        "python": "/usr/bin/python3.11",
        "healthy_seconds": 900,
        "min_healthy_seconds": 10,
    }
)
BACKED_UP = {
    "release": RELEASE,
    "repository": "PGBACKREST_STANZA=upschedule",
    "objects": "UPSCHEDULE_OBJECTS_BUCKET=uploads",
}
OWN = {
    "postgres": {
        "volume": "data",
        "port": "5432",
        "repository": "PGBACKREST_STANZA=upschedule",
        "archive_program_text": "pass",
    },
    "backup-store": {
        **PROGRAM,
        "bucket_program": "pass",
        "volume": "data",
        "port": "8334",
        "master_port": "9334",
        "bucket": "repository",
        "region": "us-east-1",
        "lock_days": "9",
    },
    "backup": {
        **BACKED_UP,
        "volume": "data",
        "schedule": "0 1 * * *",
        "keep_days": "7",
        "hidden_days": "9",
    },
    "restore": {**BACKED_UP, "volume": "data"},
    "object-copies": {**BACKED_UP, "every_seconds": "10"},
    "pgbouncer": {"port": "6432", "postgres_host": "postgres.service.consul", "postgres_port": "5432"},
    "redis-state": {**PROGRAM, **RULES, "server": "state", "volume": "data", "port": "6379", "memory_mb": "1024"},
    "redis-cache": {**PROGRAM, **RULES, "server": "cache", "volume": "", "port": "6380", "memory_mb": "2048"},
    "object-store": {**PROGRAM, "volume": "data", "port": "8333", "master_port": "9333"},
    "traefik": {
        **PROGRAM,
        "http_port": "8080",
        "https_port": "8443",
        "routes": "http: {}",
        "faults_plugin": "package faults",
    },
    "prometheus": {
        "volume": "data",
        "port": "9090",
        "rules": '{"rules.yml": "groups: []"}',
        "runbooks_url": "https://runbooks.example.org",
        "alertmanager_address": "127.0.0.1:9093",
        "redis_servers": "{}",
        "edge_url": "",
    },
    "log-shipper": {"program": "pass", "nomad_address": "http://127.0.0.1:4646", "receiver": "logs.example.org:6514"},
    **{f"{exporter}-exporter": {"exporter": exporter, "pgbouncer_program": "pass"} for exporter in EXPORTERS},
    "alertmanager": {"port": "9093", "external_url": "http://127.0.0.1:9093"},
    "autoscaler": {
        **PROGRAM,
        "nomad_address": "http://127.0.0.1:4646",
        "prometheus_address": "http://prometheus.service.consul:9090",
    },
    "supervisor": {
        "release": RELEASE,
        "nomad_address": "http://127.0.0.1:4646",
        "prometheus_address": "http://127.0.0.1:9090",
        "limits": "UPSCHEDULE_WATCH_SECONDS=600",
    },
    "synthetic": {
        "release": RELEASE,
        "url": "https://schedules.example.org",
        "every_seconds": "300",
        "document_seconds": "60",
    },
}
CONFIGURATION = {
    "namespace": "whole",
    "userPrefix": "whole-",
    "redisProgram": "/usr/bin/valkey-server",
    "redisStateVolume": "redis-state",
    "traefikProgram": "/usr/bin/traefik",
    "httpPort": "8080",
    "httpsPort": "8443",
    "publicUrl": "https://schedules.example.org",
    "alertsUnsent": "true",
}
SECRETS = {
    "postgresOwnerPassword": "owner-c2d7",
    "postgresApplicationPassword": "application-4b18",
    "storesAuthority": pem("CERTIFICATE", "authority-e05f"),
    "storesCertificate": pem("CERTIFICATE", "certificate-9a6c"),
    "storesKey": pem("PRIVATE KEY", "key-77d1"),
    "objectStoreApplicationSecretKey": "uploads-1f4e",
    "objectStoreReleaseSecretKey": "releases-b83a",
    "objectStoreBackupSecretKey": "backups-6d20",
    "backupKey": "repository-31e9",
    "backupStoreSecretKey": "repository-a704",
    "backupStoreAdministratorSecretKey": "repository-5b6e",
    "redisStatePassword": "state-7f3a",
    "redisCachePassword": "cache-91bc",
    "traefikConsulToken": "token-55de",
    "prometheusConsulToken": "token-e1a4",
    "traefikCertificate": pem("CERTIFICATE", "certificate-03c1"),
    "traefikCertificateKey": pem("PRIVATE KEY", "key-8e42"),
    "feedSecret": "feed-c9d0c9d0c9d0c9d0c9d0c9d0c9d0c9d0",
    "applicationConsulToken": "token-2b71",
}


def configure(stack: Stack, settings: dict[str, str], secrets: dict[str, str]) -> None:
    plain = [word for name, value in settings.items() for word in ("--plaintext", f"{name}={value}")]
    hidden = [word for name, value in secrets.items() for word in ("--secret", f"{name}={value}")]
    stack.run("config", "set-all", *plain, *hidden).expect_success()


# The program defines these with the first release.
@pytest.mark.parametrize(
    "service", [*SERVICES, "log-shipper", "supervisor", "synthetic", "backup", "restore", "object-copies"]
)
def test_each_job_file_is_accepted_unchanged(agent: Agent, service: str) -> None:
    """The test uses the command with which an operator would check the file."""
    values = [word for name, value in {**COMMON, **OWN[service]}.items() for word in ("-var", f"{name}={value}")]
    answer = agent.nomad("job", "validate", *values, str(path(service)))

    assert answer.returncode == 0, answer.stderr
    assert "Job validation successful" in answer.stdout


def test_the_backup_reads_the_data_of_postgresql_writes_none_and_never_overlaps(agent: Agent) -> None:
    """This also holds when a run takes longer than a day (R9.1)."""
    values = [word for name, value in {**COMMON, **OWN["backup"]}.items() for word in ("-var", f"{name}={value}")]
    job = json.loads(agent.nomad("job", "run", "-output", *values, str(path("backup"))).stdout)["Job"]
    (group,) = job["TaskGroups"]
    mounts = {
        mount["Destination"]: (mount["ReadOnly"], task["Name"])
        for task in group["Tasks"]
        for mount in task["VolumeMounts"] or ()
        if mount["Volume"] == "data"
    }

    assert mounts == {"/data": (True, "backup")}
    assert group["Volumes"]["data"]["ReadOnly"] is True
    assert (job["Periodic"]["ProhibitOverlap"], job["Periodic"]["TimeZone"]) == (True, "UTC")


def test_a_restore_is_asked_for_by_its_moment_and_replaces_nothing_without_the_word_for_it(agent: Agent) -> None:
    """Only the user of PostgreSQL writes to the volume (R9.3)."""
    values = [word for name, value in {**COMMON, **OWN["restore"]}.items() for word in ("-var", f"{name}={value}")]
    assert agent.nomad("job", "run", *values, str(path("restore"))).returncode == 0
    without = agent.nomad("job", "dispatch", "-detach", "restore")
    dispatched = agent.nomad("job", "dispatch", "-detach", "-meta", "to=latest", "restore")
    (name,) = re.findall(r"Dispatched Job ID += (\S+)", dispatched.stdout)
    job = json.loads(agent.nomad("job", "inspect", name).stdout)["Job"]
    for each in (name, "restore"):
        agent.nomad("job", "stop", "-purge", "-detach", each)

    assert without.returncode != 0
    assert "to" in without.stderr
    unsaid = dict.fromkeys(("replace", "revive_deleted", "without_objects", "objects_only"), "no")
    assert job["Meta"] == {"to": "latest", **unsaid, "account": "", "table": ""}


def test_one_up_defines_all_a_second_changes_nothing_and_destroy_leaves_nothing(project: Stack, agent: Agent) -> None:
    """Secrets are only in the variable of the job that needs them."""
    configure(project, CONFIGURATION, SECRETS)
    assert project.preview().expect_success().output.count("nomad:index/job:Job: (create)") == len(SERVICES)
    project.up().expect_success()

    found = {name: agent.call("GET", f"job/{name}", namespace="whole") for name in SERVICES}
    users = {name: job["TaskGroups"][0]["Tasks"][0]["User"] for name, job in found.items()}
    assert users == {name: f"whole-{name}" for name in SERVICES}
    secretive = [name for name in SERVICES if name != "node-exporter"]
    items = {name: agent.call("GET", f"var/nomad/jobs/{name}", namespace="whole")["Items"] for name in secretive}
    passwords = {f"{name}_password" for name in (*PROCESSES, "monitor")}
    assert items["redis-state"]["password"] == "state-7f3a"
    assert set(items["redis-state"]) == {"password", *passwords}
    assert set(items["pgbouncer"]) == {"application_password", *passwords, "authority", "certificate", "key"}
    assert items["traefik"] == {
        "consul_token": "token-55de",
        "certificate": SECRETS["traefikCertificate"],
        "key": SECRETS["traefikCertificateKey"],
    }
    assert set(items["autoscaler"]) == {"nomad_token"}
    project.up("--expect-no-changes").expect_success()
    # JSON encodes the line breaks of a document, so the last line identifies it.
    marks = [secret.splitlines()[-1] for secret in SECRETS.values()]
    assert not [mark for mark in marks if mark in project.everything_written() + str(found)]

    project.unprotect()
    project.destroy().expect_success()
    assert agent.status("namespace/whole") == 404


def test_what_keeps_data_cannot_be_removed_by_mistake(project: Stack, agent: Agent) -> None:
    """Neither `destroy` nor a stack or program that omits it removes it until its protection is turned off."""
    configure(project, CONFIGURATION, SECRETS)
    project.up().expect_success()
    destroyed = project.destroy()
    configure(project, {"postgresAddress": "postgres.example.org:5432"}, {})
    moved = project.up()

    assert (destroyed.code, moved.code) != (0, 0)
    assert "protected" in destroyed.output
    assert "protected" in moved.output
    for job in ("postgres", "redis-state", "object-store", "backup-store"):
        assert agent.call("GET", f"job/{job}", namespace="whole")["Stop"] is False
        assert agent.status(f"var/nomad/jobs/{job}", namespace="whole") == 200

    # The store of the backups is removed as well, since the provider of the external server makes its own backups.
    kinds = ("job:Job", "variable:Variable")
    ends = tuple(f"nomad:index/{kind}::{name}" for kind in kinds for name in ("postgres", "backup-store"))
    protected = [urn for urn in project.resources_by_urn() if urn.endswith(ends)]
    assert len(protected) == len(ends)
    for urn in protected:
        project.run("state", "unprotect", urn, "--yes").expect_success()
    project.up().expect_success()
    # The job is stopped but not purged, so Nomad can start it again.
    assert agent.call("GET", "job/postgres", namespace="whole")["Stop"] is True


def test_a_preview_has_nothing_but_the_changes(project: Stack) -> None:
    """An operator who sees warnings every time would overlook an important one."""
    configure(project, {**CONFIGURATION, "release": manifest("1")}, SECRETS)
    before = project.preview().expect_success().output
    project.up().expect_success()
    after = project.run("up", "--yes", "--refresh").expect_success().output

    for word in ("warning", "Warning", "Diagnostics"):
        assert word not in before
        assert word not in after


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("jobs/redis.nomad.hcl", "= var.user\n", '= "root"\n', "would run as root"),
        ("jobs/postgres.nomad.hcl", "read_only = false\n", "read_only = true\n", "keeps data"),
        (
            "project/components/access.py",
            'namespace "{namespace}" {{',
            'namespace "*" {{',
            "a name with * allows what does not exist yet",
        ),
        (
            "project/parts/edge.py",
            "**traefik_variables(settings)}",
            '**traefik_variables(settings), "domain": secrets["traefikConsulToken"]}',
            "the secret traefikConsulToken would be stored in the clear",
        ),
    ],
    ids=["root", "no volume", "wildcard", "secret"],
)
def test_what_must_never_be_is_refused_in_a_preview(project: Stack, file: str, old: str, new: str, reason: str) -> None:
    """The test changes one file of the program. The real Nomad parses the job files."""
    changed = project.project.parent / file
    text = changed.read_text(encoding="utf-8")
    assert old in text
    changed.write_text(text.replace(old, new), encoding="utf-8")
    configure(project, CONFIGURATION, SECRETS)
    refused = project.preview()

    assert refused.code != 0
    assert reason in refused.output
    assert SECRETS["traefikConsulToken"] not in refused.output


def test_the_deploy_token_may_release_but_neither_read_secrets_nor_change_access(project: Stack, agent: Agent) -> None:
    """An operator who releases does not need all rights."""
    configure(project, CONFIGURATION, SECRETS)
    project.up().expect_success()
    token = project.run("stack", "output", "deployToken", "--show-secrets").expect_success().output.strip()

    job = agent.call("GET", "job/redis-cache", namespace="whole")
    assert agent.call("POST", "jobs", {"Job": job}, token=token, namespace="whole")["EvalID"]
    forbidden = ("var/nomad/jobs/redis-cache", "acl/tokens", "nodes", "operator/raft/configuration")
    assert {agent.status(path, token=token, namespace="whole") for path in forbidden} == {403}
    assert agent.status("jobs", token=token, namespace="default") == 403


def test_a_wrong_configuration_is_refused_with_everything_that_is_wrong(project: Stack) -> None:
    """The program refuses it before the first resource."""
    configure(project, {**CONFIGURATION, "httpsPort": "70000", "redisCacheMemoryMb": "much"}, {})
    project.run("config", "rm", "redisProgram").expect_success()
    refused = project.preview()

    assert refused.code != 0
    assert "The configuration of stack dev cannot be used:" in refused.output
    for line in (
        "redisProgram: is missing",
        "httpsPort: Expected `int` <= 65535, not '70000'",
        "redisCacheMemoryMb: Expected `int`, got `str`, not 'much'",
        "traefikConsulToken: is missing; set it with --secret",
    ):
        assert line in refused.output
    assert "Traceback" not in refused.output


def test_a_setting_that_no_process_accepts_is_refused_in_a_preview(project: Stack, agent: Agent) -> None:
    """The schema of the release decides. The error is shown with all others before anything is created."""
    configure(project, {**CONFIGURATION, "release": manifest("1"), "workerMemoryMB": "64"}, SECRETS)
    for name, value in (("JOBS_PENDING_MAX", "many"), ("JOBS_PENDING_MAXIMUM", "500")):
        project.run("config", "set", "--path", f"settings.UPSCHEDULE_{name}", value).expect_success()
    refused = project.preview()

    assert refused.code != 0
    for line in (
        "workerMemoryMB: no such setting; the nearest is workerMemoryMb",
        "settings.UPSCHEDULE_JOBS_PENDING_MAX: Expected `int`, got `str`",
        "settings.UPSCHEDULE_JOBS_PENDING_MAXIMUM: no such setting; the nearest is UPSCHEDULE_JOBS_PENDING_MAX",
    ):
        assert line in refused.output
    assert "Traceback" not in refused.output
    assert agent.status("namespace/whole") == 404


def test_a_certificate_comes_from_the_stack_or_from_an_authority_that_knows_the_name(project: Stack) -> None:
    """No source, two sources, or a missing domain is refused before anything is created (R8.4)."""
    configure(project, CONFIGURATION, {})
    without = project.preview().output
    configure(project, {"acmeEmail": "operators@example.org"}, SECRETS)
    beside = project.preview().output

    for name in ("traefikCertificate", "traefikCertificateKey"):
        assert f"{name}: is missing; set it with --secret, or acmeEmail and domain for ACME" in without
        assert f"{name}: cannot be set beside acmeEmail, which gets a certificate by ACME" in beside
    assert "domain: is missing; ACME needs a name to get a certificate for" in beside
