# The scheduler, which finds lost jobs and removes what is past its time. Of several one leads, by a lock in PostgreSQL.
# Secrets are in the Nomad Variable nomad/jobs/scheduler/scheduler/schedule, items named by environment variable, and
# `authority` in PEM; nomad/jobs/scheduler/scheduler/wait has the database's URL alone.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "Who the scheduler runs as on the node; never root"
}

variable "release" {
  type        = string
  description = "The manifest's version; everything that the job starts is of this release"
}

variable "environment_url" {
  type        = string
  description = "Of the archive of dependencies"
}

variable "environment_sha256" { type = string }

variable "sources_url" {
  type        = string
  description = "Of the archive of code and migrations"
}

variable "sources_sha256" { type = string }

variable "release_volume" {
  type        = string
  description = "The node's host volume for unpacked releases; it belongs to `release_user`"
  default     = "releases"
}

variable "release_user" {
  type        = string
  description = "Who unpacks a release on the node, for all of its instances"
}

variable "release_program" {
  type        = string
  description = "Text of release/unpacked.py"
}

variable "python" {
  type        = string
  description = "Path of the interpreter that the release was packed for, as the task sees it"
  default     = "/usr/bin/python3.11"
}

variable "settings" {
  type        = string
  description = "Lines NAME=VALUE: settings that are not secret"
}

variable "secrets_mark" {
  type        = string
  description = "Differs when the secrets differ, so that new ones go out as a release does"
  default     = ""
}

variable "instances" {
  type        = number
  description = "At first; later the number that runs stays"
  default     = 2
}

variable "cores" {
  type        = number
  description = "Whole cores for each instance (R11.1); 0: a share of `cpu` MHz instead, which is no limit"
  default     = 0
}

variable "cpu" {
  type        = number
  description = "MHz"
  default     = 200
}

variable "memory_mb" {
  type        = number
  description = "An instance that takes more is killed, and started again (R11.1)"
  default     = 256
}

variable "disk_mb" {
  type        = number
  description = "Of the logs, and what a task writes beside them"
  default     = 150
}

variable "healthy_seconds" {
  type        = number
  description = "How long an instance may take from its start until all checks pass: backup and migrations are in it"
  default     = 900
}

variable "min_healthy_seconds" {
  type        = number
  description = "How long checks must pass before an instance counts as healthy"
  default     = 10
}

locals {
  releases    = "/opt/upschedule"
  environment = "${local.releases}/${substr(var.environment_sha256, 0, 16)}"
  sources     = "${local.releases}/${substr(var.sources_sha256, 0, 16)}"
  path        = "${local.environment}:${local.sources}/src"
  unpacked    = "${NOMAD_TASK_DIR}/unpacked.py"
  # Waits for `fetch`, and holds what it runs.
  run = [local.unpacked, "run", "${var.healthy_seconds - 30}", local.environment, local.sources, "--"]
}

job "scheduler" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  meta {
    release = var.release
    secrets = var.secrets_mark
  }

  # On as many nodes as there are.
  spread {
    attribute = "${node.unique.id}"
  }

  # A release starts with one instance beside the others. A person or the gate promotes it; whatever fails goes back.
  update {
    canary           = 1
    max_parallel     = 1
    auto_revert      = true
    auto_promote     = false
    health_check     = "checks"
    min_healthy_time = "${var.min_healthy_seconds}s"
    healthy_deadline = "${var.healthy_seconds}s"
    # A failed canary is reverted at this moment, not before.
    progress_deadline = "${var.healthy_seconds + 15}s"
  }

  group "scheduler" {
    count = var.instances

    network {
      port "http" {}
    }

    volume "releases" {
      type   = "host"
      source = var.release_volume
    }

    ephemeral_disk {
      size = var.disk_mb
    }

    restart {
      attempts = 3
      interval = "2m"
      delay    = "3s"
      mode     = "fail"
    }

    reschedule {
      delay          = "5s"
      delay_function = "exponential"
      max_delay      = "2m"
      unlimited      = true
    }

    # The node keeps it for all instances of this release: whoever comes next finds it there.
    task "fetch" {
      driver = "exec"
      user   = var.release_user

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      volume_mount {
        volume      = "releases"
        destination = local.releases
      }

      config {
        command = var.python
        args = [
          local.unpacked, "fetch", local.releases, "${var.healthy_seconds - 30}",
          var.environment_url, var.environment_sha256, var.sources_url, var.sources_sha256,
        ]
        cap_drop = ["all"]
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = var.release_program
      }

      logs {
        max_files     = 2
        max_file_size = 5
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }

    task "wait" {
      driver = "exec"
      user   = var.user

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      volume_mount {
        volume      = "releases"
        destination = local.releases
        read_only   = true
      }

      config {
        command  = var.python
        args     = concat(local.run, ["-m", "upschedule", "prepare", "--wait", "${var.healthy_seconds - 30}"])
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = local.path
        PYTHONSAFEPATH = "1"
        # The release has its bytecode, and nobody may write there.
        PYTHONDONTWRITEBYTECODE = "1"
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = var.release_program
      }

      # Least privilege: no other task may read this path.
      template {
        destination = "${NOMAD_SECRETS_DIR}/secrets.env"
        env         = true
        change_mode = "noop"
        data        = <<-EOF
          {{ with nomadVar "nomad/jobs/scheduler/scheduler/wait" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/scheduler/scheduler/wait\" }}{{ .authority }}{{ end }}"
      }

      logs {
        max_files     = 2
        max_file_size = 5
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }

    task "schedule" {
      driver = "exec"
      user   = var.user
      # Out of Consul first, so that nobody is sent here any more.
      shutdown_delay = "5s"
      kill_signal    = "SIGTERM"
      kill_timeout   = "15s"

      # Of the task, not the group: nothing is asked, or restarted, while the release is still being prepared.
      service {
        name        = "scheduler"
        port        = "http"
        tags        = ["prometheus"]
        canary_tags = ["prometheus", "canary"]

        meta {
          release = var.release
        }

        check {
          name     = "ready"
          type     = "http"
          path     = "/health/ready"
          interval = "2s"
          timeout  = "5s"
        }

        # A dependency that is away is no reason to start again: only liveness is.
        check {
          name     = "live"
          type     = "http"
          path     = "/health/live"
          interval = "10s"
          timeout  = "5s"

          check_restart {
            limit = 6
            # A start beside many others on a busy node takes its time.
            grace = "120s"
          }
        }
      }

      volume_mount {
        volume      = "releases"
        destination = local.releases
        read_only   = true
      }

      config {
        command  = var.python
        args     = concat(local.run, ["-m", "upschedule", "schedule"])
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = local.path
        PYTHONSAFEPATH = "1"
        # The release has its bytecode, and nobody may write there.
        PYTHONDONTWRITEBYTECODE          = "1"
        UPSCHEDULE_SCHEDULER_HOST        = "${NOMAD_IP_http}"
        UPSCHEDULE_SCHEDULER_PORT        = "${NOMAD_PORT_http}"
        UPSCHEDULE_ROLLOUT_STANDING_FILE = "${NOMAD_TASK_DIR}/standing"
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = var.release_program
      }

      template {
        destination = "${NOMAD_TASK_DIR}/settings.env"
        env         = true
        change_mode = "restart"
        data        = var.settings
      }

      # Least privilege: no other task may read this path. New secrets are for new instances, which their mark brings:
      # a canary shows first whether they are right.
      template {
        destination = "${NOMAD_SECRETS_DIR}/secrets.env"
        env         = true
        change_mode = "noop"
        data        = <<-EOF
          {{ with nomadVar "nomad/jobs/scheduler/scheduler/schedule" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/scheduler/scheduler/schedule\" }}{{ .authority }}{{ end }}"
      }

      # `canary` or `live`, from the tags of this instance's own registration; while Consul is away the last word stays.
      template {
        destination = "${NOMAD_TASK_DIR}/standing"
        change_mode = "noop"
        data        = <<-EOF
          {{ range service "scheduler|any" }}{{ if .ID | regexMatch (env "NOMAD_ALLOC_ID") }}{{ if .Tags | contains "canary" }}canary{{ else }}live{{ end }}{{ end }}{{ end }}
        EOF
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cores  = var.cores > 0 ? var.cores : null
        cpu    = var.cores > 0 ? null : var.cpu
        memory = var.memory_mb
      }
    }
  }
}
