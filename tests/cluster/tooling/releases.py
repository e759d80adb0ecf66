"""Releases of three small jobs that stand for the API, the worker and the scheduler, for tests of their deployment."""

import json
import sys
from dataclasses import dataclass

from tests.cluster.tooling.agent import Agent

JOBS = ("worker", "scheduler", "api")
#: Answers every request with 200, unless told another program.
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
HANGS = "import time; time.sleep(3600)"
PREPARES = "print('prepared')"


@dataclass(frozen=True, kw_only=True)
class Release:
    """`memory_mb` above what the node has finds no place."""

    name: str
    program: str = SERVES
    prestart: str = PREPARES
    count: int = 1
    memory_mb: int = 30

    def start(self, agent: Agent, namespace: str, *jobs: str) -> None:
        """All three unless named."""
        for job in jobs or JOBS:
            parsed = agent.call("POST", "jobs/parse", {"JobHCL": self._specification(job, namespace)})
            agent.call("POST", "jobs", {"Job": parsed}, namespace=namespace)

    def _specification(self, job: str, namespace: str) -> str:
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
    healthy_deadline  = "14s"
    progress_deadline = "15s"
  }}
  group "{job}" {{
    count = {self.count}
    restart {{
      attempts = 0
      mode     = "fail"
    }}
    reschedule {{
      attempts  = 0
      unlimited = false
    }}
    network {{
      port "http" {{}}
    }}
    service {{
      name = "{job}"
      port = "http"
      check {{
        name     = "ready"
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }}
    }}
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
        args    = ["-I", "-S", "-c", {json.dumps(self.program)}]
      }}
      env {{
        RELEASE = "{self.name}"
      }}
      resources {{
        cpu    = 20
        memory = {self.memory_mb}
      }}
    }}
  }}
}}
"""
