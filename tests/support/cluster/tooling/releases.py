"""Releases of three small jobs in the place of the API, the worker and the scheduler, for tests of their deployment."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cluster.tooling.nomad_agent import Agent
from tests.support.cluster.whole.releases import Change
from tests.support.paths import ROOT

JOBS = ("worker", "scheduler", "api")
RELEASE_VOLUME = "releases"
#: Answers every request with 200, unless another program is given.
SERVES = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"well")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["NOMAD_PORT_http"])), Handler).serve_forever()
"""
FAILS_ITS_CHECK = SERVES.replace("200", "503").replace("well", "the golden document was read wrongly")
CRASHES = "print('cannot find its settings', flush=True); raise SystemExit(78)"
IS_KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
#: Healthy at first, and again after each restart.
DIES_LATER = f"""
import os, signal, threading
threading.Timer(5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
{SERVES}"""
HANGS = "import time; time.sleep(3600)"
PREPARES = "print('prepared')"
#: The real processes.
REAL = {
    job: f"""
import os, sys
os.environ["UPSCHEDULE_{setting}_PORT"] = os.environ["NOMAD_PORT_http"]
os.execv(sys.executable, [sys.executable, "-m", "upschedule", "{command}"])
"""
    for job, setting, command in (
        ("worker", "WORKER", "work"),
        ("scheduler", "SCHEDULER", "schedule"),
        ("api", "WEB", "serve"),
    )
}


def changed(job: str, folder: Path, change: Change) -> str:
    """The real process of a build with this change, whose sources come to `folder`."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    change(folder)
    return f'import os\nos.environ["PYTHONPATH"] = {str(folder / "src")!r}\n{REAL[job]}'


RULE = "PathPrefix(`/`)"
CANARY_RULE = f"{RULE} && Header(`X-Upschedule-Canary`, `yes`)"
CANARY_TAG = "traefik.consulcatalog.canary=true"


def _tags(name: str, rule: str, priority: int) -> list[str]:
    """The tags as in `jobs/api.nomad.hcl`."""
    return [
        "traefik.enable=true",
        f"traefik.http.routers.{name}.rule={rule}",
        f"traefik.http.routers.{name}.priority={priority}",
        f"traefik.http.routers.{name}.service={name}",
        f"traefik.http.services.{name}.loadbalancer.server.scheme=http",
    ]


@dataclass(frozen=True, kw_only=True)
class Release:
    """`programs` are those of single jobs. `memory_mb` above what the node has finds no place.

    `archive` is the URL that the task `fetch` is given, as in the real jobs; it fetches nothing.
    """

    name: str
    program: str = SERVES
    programs: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    check_path: str = "/"
    healthy_seconds: int = 60
    prestart: str = PREPARES
    count: int = 1
    restarts: int = 0
    memory_mb: int = 30
    archive: str = ""

    def start(self, agent: Agent, namespace: str, *jobs: str) -> None:
        """All three unless named."""
        for job in jobs or JOBS:
            parsed = agent.call("POST", "jobs/parse", {"JobHCL": self._specification(job, namespace)})
            agent.call("POST", "jobs", {"Job": parsed}, namespace=namespace)

    def _specification(self, job: str, namespace: str) -> str:
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in self.environment.items())
        return f"""
job "{job}" {{
  namespace = "{namespace}"
  meta {{
    release = "{self.name}"
    commit  = "c0ffee{self.name}"
  }}
  update {{
    canary            = 1
    max_parallel      = 2
    auto_revert       = true
    min_healthy_time  = "1s"
    healthy_deadline  = "{self.healthy_seconds}s"
    progress_deadline = "0s"
  }}
  group "{job}" {{
    count = {self.count}
    restart {{
      attempts = {self.restarts}
      interval = "2m"
      delay    = "3s"
      mode     = "fail"
    }}
    reschedule {{
      attempts  = 0
      unlimited = false
    }}
    # As the real jobs do: Nomad registers such a job for a token that may mount the volume only.
    volume "releases" {{
      type   = "host"
      source = "{RELEASE_VOLUME}"
    }}
    # Out of Consul first: no request is sent here any more when it stops.
    shutdown_delay = "3s"
    network {{
      port "http" {{}}
    }}
    service {{
      name        = "{job}"
      port        = "http"
      tags        = {json.dumps(_tags("api", RULE, 10) if job == "api" else [])}
      canary_tags = {json.dumps([CANARY_TAG, *_tags("api-canary", CANARY_RULE, 20)] if job == "api" else [])}
      check {{
        name     = "ready"
        type     = "http"
        path     = "{self.check_path}"
        interval = "1s"
        timeout  = "1s"
      }}
    }}
    {self._fetch_task()}
    task "prepare" {{
      driver = "raw_exec"
      lifecycle {{
        hook = "prestart"
      }}
      config {{
        command = "{sys.executable}"
        args    = ["-I", "-S", "-c", {json.dumps(self.prestart)}]
      }}
      resources {{
        cpu    = 20
        memory = 20
      }}
    }}
    task "serve" {{
      driver = "raw_exec"
      config {{
        command = "{sys.executable}"
        args    = ["-I", "-S", "-c", {json.dumps(self.programs.get(job, self.program))}]
      }}
      env {{
        RELEASE = "{self.name}"
        {lines}
      }}
      resources {{
        cpu    = 20
        memory = {self.memory_mb}
      }}
    }}
  }}
}}
"""

    def _fetch_task(self) -> str:
        if not self.archive:
            return ""
        return f"""
    task "fetch" {{
      driver = "raw_exec"
      lifecycle {{
        hook = "prestart"
      }}
      config {{
        command = "/bin/true"
        args    = ["{self.archive}"]
      }}
      resources {{
        cpu    = 20
        memory = 20
      }}
    }}
"""
