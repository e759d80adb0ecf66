"""Job specifications for the tests: sleepers that cost nothing."""

import secrets


def unique(name: str) -> str:
    """Tests share one Nomad."""
    return f"{name}-{secrets.token_hex(3)}"


def sleeper(name: str, *, count: int = 1, namespace: str = "default", command: str = "/bin/sleep") -> str:
    """Takes the variable `word`, which becomes WORD in its environment."""
    return f"""
variable "word" {{
  type    = string
  default = "none"
}}

job "{name}" {{
  namespace = "{namespace}"

  update {{
    min_healthy_time  = "1s"
    healthy_deadline  = "10s"
    progress_deadline = "12s"
  }}

  group "only" {{
    count = {count}

    restart {{
      attempts = 0
      mode     = "fail"
    }}

    reschedule {{
      attempts  = 0
      unlimited = false
    }}

    task "sleep" {{
      driver = "raw_exec"

      config {{
        command = "{command}"
        args    = ["3600"]
      }}

      env {{
        WORD = var.word
      }}

      resources {{
        cpu    = 20
        memory = 20
      }}
    }}
  }}
}}
"""
