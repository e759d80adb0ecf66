"""A language host that runs Pulumi programs in Python.

It replaces `pulumi-language-python` on machines that cannot download the official one. Of the options of `Pulumi.yaml`
it knows `virtualenv`; it installs nothing and starts no debugger.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tools.pulumi_plugins.grpc_server import serve

EXECUTOR = "pulumi-language-python-exec"
# The executor's exit code when it has already printed what is wrong.
ALREADY_REPORTED = 32
LIST_PLUGINS = Path(__file__).with_name("list_plugins.py")


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs the program as a child process, whose output the engine reads from this process's output."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = Lock()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        command = [interpreter(request.info, context), str(LIST_PLUGINS)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if answer.returncode != 0:
            context.abort(grpc.StatusCode.UNKNOWN, "the program's interpreter could not list its packages: see above")
        packages = [plugin_pb2.PackageDependency(kind="resource", **found) for found in json.loads(answer.stdout)]
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        executor = shutil.which(EXECUTOR)
        if executor is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{EXECUTOR} is not on PATH: run `make cluster-tools`")
        command = [interpreter(request.info, context), "-u", executor, *arguments(request, self._engine)]
        child = subprocess.Popen(command, env=environment(request), cwd=request.pwd, stdin=subprocess.DEVNULL)
        with self._lock:
            self._children.add(child)
        code = child.wait()
        with self._lock:
            self._children.discard(child)
        if code == ALREADY_REPORTED:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error="" if code == 0 else f"the program ended with exit code {code}")

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.stop()
        return empty_pb2.Empty()

    def stop(self) -> None:
        """Ends the running programs."""
        with self._lock:
            for child in self._children:
                child.terminate()


def interpreter(info: language_pb2.ProgramInfo, context: grpc.ServicerContext) -> str:
    """The virtual environment's that `Pulumi.yaml` names, else ours."""
    if "virtualenv" not in info.options:
        return sys.executable
    python = Path(info.root_directory) / str(info.options["virtualenv"]) / "bin" / "python"
    if not python.exists():
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Pulumi.yaml names a virtualenv without {python}")
    return str(python)


def arguments(request: language_pb2.RunRequest, engine: str) -> list[str]:
    info = request.info
    options = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "root_directory": info.root_directory,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": "true" if request.dryRun else "false",
        "parallel": str(request.parallel),
        "organization": request.organization,
        "tracing": "",
    }
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [*given, str(Path(info.program_directory) / info.entry_point), *request.args]


def environment(request: language_pb2.RunRequest) -> dict[str, str]:
    """Configuration goes by environment, never by the command line, which others on the machine can read."""
    return {
        **os.environ,
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }


def main() -> None:
    """The engine's address is the last argument."""
    host = LanguageHost(sys.argv[-1])
    serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server), host.stop)
