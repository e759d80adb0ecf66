"""The whole cluster on this machine: agents, tokens, secrets, volumes, and the stack of Pulumi."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.cluster.build import prepare
from tools.cluster.pinned_programs import cache
from tools.local_cluster import agent_cleanup, shell_environment, stack_configuration, student
from tools.local_cluster.certificates import Certificates, provide_certificates
from tools.local_cluster.chroot import chroot_env, make_chroot
from tools.local_cluster.consul_agent import ConsulAgent
from tools.local_cluster.credentials import Credentials
from tools.local_cluster.errors import ClusterError
from tools.local_cluster.health import Health
from tools.local_cluster.nomad_agent import NomadAgent
from tools.local_cluster.plan import ROOT, Plan
from tools.local_cluster.pulumi_stack import PulumiStack
from tools.local_cluster.release_command import pack_release
from tools.local_cluster.tokens import consul_token, provide_access
from tools.local_cluster.volumes import make_volumes, volumes
from upschedule.deploy.errors import ServerError

NAMESPACE = "upschedule"
HEALTHY_SECONDS = 240.0


@dataclass(frozen=True)
class LocalCluster:
    """`report` receives a sentence for each step; the first release is packed from `repository`.

    `with_student`: the stack has a synthetic student, whose account is exempt from the limits.
    """

    plan: Plan
    report: Callable[[str], None]
    repository: Path = ROOT
    with_student: bool = True

    def up(self) -> None:
        """Starts what does not run, and waits until all checks pass. Raises ClusterError."""
        self.adopt_secrets()
        self.start_agents()
        self.report("Bringing the stack up …")
        self.prepare_stack()
        self.stack.up()
        self.await_healthy()
        if not self.stack.setting("release"):
            self.first_release()
        if self.with_student:
            self.exempt_student()
        shell_environment.write_exports(self.plan.env_file, self.environment, self.path)

    def await_healthy(self) -> None:
        """Raises ClusterError."""
        self.report("Waiting until all checks pass …")
        self.health.await_all(timeout_seconds=HEALTHY_SECONDS)

    def first_release(self) -> None:
        """Packs and starts the first release; the user starts later ones. Raises ClusterError."""
        self.report("Packing this commit as the first release …")
        manifest = pack_release(self.repository, self.release_store)
        self.report("Bringing the release up …")
        self.stack.configure({"release": manifest}, {})
        self.stack.up()
        self.await_healthy()
        self.begin_backup()

    def exempt_student(self) -> None:
        """Signs its account up where the student has not done so. Raises ClusterError."""
        self.report("Exempting the synthetic student from the limits of students …")
        student.exempt(
            self.plan.public_url,
            self.certificates.authority,
            mail=stack_configuration.STUDENT_MAIL,
            password=stack_configuration.student_password(self.credentials),
            environment=self.environment,
        )

    def begin_backup(self) -> None:
        """Starts a backup without waiting for its end; the preparation of the second release waits for it."""
        self.report("Starting a backup …")
        try:
            self.nomad.api.call("PUT", "job", "backup", "periodic", "force", namespace=NAMESPACE)
        except ServerError as reason:
            raise ClusterError(f"The backup was not started: {reason}") from reason

    def start_agents(self) -> None:
        """Raises ClusterError."""
        self.report("Starting Consul …")
        self.consul.start()
        self.consul.await_leader()
        provide_access(self.consul.client, self.credentials, node=self.consul.name)
        self.report("Starting Nomad …")
        make_volumes(self.plan.data / "volumes")
        if self.nomad.process.pid() is None:
            make_chroot(self.plan.data / "chroot", self.programs[0])
        self.nomad.start()
        self.nomad.await_node()
        self.nomad.accept_tasks()

    def adopt_secrets(self) -> None:
        """Takes over secrets that a user has rotated in the stack: the stores have these. Raises ClusterError."""
        self.stack.prepare(self.credentials.password("pulumi-passphrase"))
        self.credentials.adopt(stack_configuration.rotatable(self.stack.values()))

    def prepare_stack(self) -> None:
        """Raises ClusterError."""
        self.stack.configure(
            stack_configuration.settings(self.plan, student=self.with_student),
            stack_configuration.secrets(self.credentials, self.certificates, student=self.with_student),
        )

    def down(self) -> None:
        """Ends tasks and agents. Jobs, settings and data stay for the next `up`."""
        if self.nomad.process.pid() is not None:
            self.report("Stopping all tasks …")
            try:
                self.nomad.end_tasks()
            except (ServerError, ClusterError) as reason:
                self.report(f"Some tasks did not end in time and are killed: {reason}")
        self.report("Stopping the agents …")
        self.nomad.stop()
        agent_cleanup.clean_up(self.nomad.folder, self.nomad.cgroup)
        self.consul.stop()

    def remove(self) -> None:
        """Removes all data, secrets and state; call `down` first."""
        shutil.rmtree(self.plan.data)

    @cached_property
    def programs(self) -> list[Path]:
        """Folders of nomad, consul and pulumi, then those of pulumi's plugins; built where they are missing."""
        return prepare(cache())

    @cached_property
    def credentials(self) -> Credentials:
        return Credentials(self.plan.data / "credentials.json")

    @cached_property
    def certificates(self) -> Certificates:
        return provide_certificates(self.plan.data / "certificates")

    @property
    def consul(self) -> ConsulAgent:
        return ConsulAgent(
            program=self.programs[0] / "consul",
            folder=self.plan.data / "consul",
            name=self.plan.name,
            http_port=self.plan.ports["consul_http"],
            server_port=self.plan.ports["consul_server"],
            serf_port=self.plan.ports["consul_serf"],
            management_token=consul_token(self.credentials, "management"),
            node_token=consul_token(self.credentials, "agent"),
        )

    @property
    def nomad(self) -> NomadAgent:
        return NomadAgent(
            program=self.programs[0] / "nomad",
            folder=self.plan.data / "nomad",
            name=self.plan.name,
            http_port=self.plan.ports["nomad_http"],
            rpc_port=self.plan.ports["nomad_rpc"],
            serf_port=self.plan.ports["nomad_serf"],
            consul_address=self.plan.address("consul_http"),
            consul_token=consul_token(self.credentials, "nomad"),
            management_token=self.credentials.token("nomad-management"),
            chroot=chroot_env(self.plan.data / "chroot"),
            volumes=volumes(self.plan.data / "volumes"),
            cgroup=f"{self.plan.name}.slice",
            cpu_mhz=self.plan.cpu_mhz,
            memory_mb=self.plan.memory_mb,
        )

    @property
    def stack(self) -> PulumiStack:
        nomad = {"NOMAD_ADDR": self.plan.nomad_url, "NOMAD_TOKEN": self.nomad.management_token}
        return PulumiStack(folder=self.plan.data / "pulumi", path=self.path, nomad=nomad)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for an operator's shell: all rights on Nomad, and the operator's policy on Consul."""
        return {
            **self.stack.environment,
            "NOMAD_NAMESPACE": NAMESPACE,
            "CONSUL_HTTP_ADDR": self.plan.address("consul_http"),
            "CONSUL_HTTP_TOKEN": consul_token(self.credentials, "operator"),
            "UPSCHEDULE_DEPLOY_URL": self.plan.public_url,
            "UPSCHEDULE_DEPLOY_CA_FILE": str(self.certificates.authority),
            "UPSCHEDULE_DEPLOY_PROMETHEUS": f"http://{self.plan.address('prometheusPort')}",
            **self.release_store,
        }

    @property
    def release_store(self) -> dict[str, str]:
        """Variables for `upschedule release --push`."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.plan.address('objectStorePort')}",
            "AWS_ACCESS_KEY_ID": "release",
            "AWS_SECRET_ACCESS_KEY": self.credentials.password("objectStoreReleaseSecretKey"),
        }

    @property
    def path(self) -> list[Path]:
        """Folders for the front of PATH: the project's environment first, since Pulumi's plugins run in it."""
        return [Path(sys.executable).parent, *self.programs]

    @property
    def health(self) -> Health:
        return Health(nomad=self.nomad.api, consul=self.consul.client, namespace=NAMESPACE)
