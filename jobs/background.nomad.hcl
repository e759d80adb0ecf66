# The two processes that serve no requests, one job each: `worker` reads documents (R10.2), `scheduler` finds lost jobs
# and removes expired data. The Nomad Variable nomad/jobs/PROCESS/PROCESS/TASK has the secrets of a task, by environment
# variable, and `authority` in PEM; that of the task `wait` has only the URL of the database. nomad/jobs/worker/worker,
# where it exists, gives a canary a share of the documents: `instance`, its allocation, `percent`, and `until`, a Unix time.

variable "namespace" { type = string }

variable "process" {
  type        = string
  description = "`worker` or `scheduler`: the name of the job, its group and its service"
}

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the process; never root"
}

variable "release" {
  type        = string
  description = <<-EOF
    The release as JSON: everything that the job starts is of it.
      version: the manifest's version
      environment, sources: {url, sha256} of the archives of dependencies, and of code and migrations
      volume: the node's host volume for unpacked releases; it belongs to `user`
      user: the node's user that unpacks a release for all of its instances
      program: text of release/unpacked.py
      python: path of the interpreter that the release was packed for, as the task sees it
      healthy_seconds: bound from an instance's start until all checks pass; backup and migrations are in it
      min_healthy_seconds: how long checks must pass before an instance counts as healthy
  EOF
}

variable "settings" {
  type        = string
  description = "Settings of the application that are not secret, as lines NAME=VALUE"
}

variable "secrets_fingerprint" {
  type        = string
  description = "A hash of the secrets: new secrets change the job, and so reach instances through a canary"
  default     = ""
}

variable "instances" {
  type        = number
  description = "Initial number of instances; later registrations preserve the number that runs"
  default     = 2
}

variable "scaling_enabled" {
  type        = bool
  description = "Whether the autoscaler changes the number of instances; it and both bounds are for `worker` only"
  default     = true
}

variable "instances_min" {
  type    = number
  default = 2
}

variable "instances_max" {
  type    = number
  default = 50
}

variable "cores" {
  type        = number
  description = "Whole cores for each instance (R11.1). 0: a share of `cpu` MHz instead, which does not limit it"
}

variable "cpu" {
  type        = number
  description = "Share of the processor in MHz, if `cores` is 0"
}

variable "memory_mb" {
  type        = number
  description = "Memory limit: an instance that exceeds it is killed and started again (R11.1)"
}

variable "disk_mb" {
  type        = number
  description = "Disk for logs and for files that tasks write"
  default     = 150
}

locals {
  processes = {
    # The canary of a release reads a golden document, and of the live work no more than the share that it is given.
    worker = {
      task         = "work"
      max_parallel = 2
      kill_timeout = "45s"
      queries      = ["upschedule:worker:wanted"]
    }
    # Of several one leads, by a lease in PostgreSQL. Their number is not scaled.
    scheduler = {
      task         = "schedule"
      max_parallel = 1
      kill_timeout = "15s"
      queries      = []
    }
  }
  process = local.processes[var.process]
  secrets = "nomad/jobs/${var.process}/${var.process}"
}

locals {
  release     = jsondecode(var.release)
  releases    = "/opt/upschedule"
  environment = "${local.releases}/${substr(local.release.environment.sha256, 0, 16)}"
  sources     = "${local.releases}/${substr(local.release.sources.sha256, 0, 16)}"
  path        = "${local.environment}:${local.sources}/src"
  unpacked    = "${NOMAD_TASK_DIR}/unpacked.py"
  # How long a task that prepares an instance may take.
  wait_seconds = "${local.release.healthy_seconds - 30}"
  # Waits for `fetch`, and holds what it runs.
  run = [local.unpacked, "run", local.wait_seconds, local.environment, local.sources, "--"]
}

job "background" {
  id          = var.process
  name        = var.process
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # The Nomad Variable `stack/applied` has the same values, for comparing what runs with the stack.
  meta {
    release  = local.release.version
    secrets  = var.secrets_fingerprint
    settings = substr(sha256(var.settings), 0, 12)
  }

  # Spread over all nodes.
  spread {
    attribute = "${node.unique.id}"
  }

  # A release starts with one canary. The operator or the gate promotes it; a failure reverts to the release before.
  update {
    canary           = 1
    max_parallel     = local.process.max_parallel
    auto_revert      = true
    auto_promote     = false
    health_check     = "checks"
    min_healthy_time = "${local.release.min_healthy_seconds}s"
    healthy_deadline = "${local.release.healthy_seconds}s"
    # Without a deadline, the first failed instance fails the deployment. With one, Nomad would start others until it ends.
    progress_deadline = "0s"
  }

  dynamic "group" {
    for_each = [var.process]
    labels   = [group.value]

    content {
      count = var.instances

      dynamic "scaling" {
        for_each = local.process.queries

        content {
          enabled = var.scaling_enabled
          min     = var.instances_min
          max     = var.instances_max

          policy {
            check "wanted" {
              source       = "prometheus"
              query        = scaling.value
              query_window = "10s"

              strategy "pass-through" {}
            }
          }
        }
      }

      network {
        port "http" {}
      }

      volume "releases" {
        type   = "host"
        source = local.release.volume
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

      # Unpacks the release on the node once, for all instances.
      task "fetch" {
        driver = "exec"
        user   = local.release.user

        lifecycle {
          hook    = "prestart"
          sidecar = false
        }

        volume_mount {
          volume      = "releases"
          destination = local.releases
        }

        config {
          command = local.release.python
          args = [
            local.unpacked, "fetch", local.releases, local.wait_seconds,
            local.release.environment.url, local.release.environment.sha256,
            local.release.sources.url, local.release.sources.sha256,
          ]
          cap_drop = ["all"]
        }

        template {
          destination = local.unpacked
          change_mode = "noop"
          data        = local.release.program
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
          command  = local.release.python
          args     = concat(local.run, ["-m", "upschedule", "prepare", "--wait", local.wait_seconds])
          cap_drop = ["all"]
        }

        env {
          PYTHONPATH     = local.path
          PYTHONSAFEPATH = "1"
          # The release includes its bytecode, and no task can write to its volume.
          PYTHONDONTWRITEBYTECODE = "1"
        }

        template {
          destination = local.unpacked
          change_mode = "noop"
          data        = local.release.program
        }

        # Least privilege: no other task can read this path.
        template {
          destination = "${NOMAD_SECRETS_DIR}/secrets.env"
          env         = true
          change_mode = "noop"
          data        = <<-EOF
            {{ with nomadVar "${local.secrets}/wait" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
            {{ end }}{{ end }}{{ end }}
          EOF
        }

        template {
          destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
          change_mode = "noop"
          data        = "{{ with nomadVar \"${local.secrets}/wait\" }}{{ .authority }}{{ end }}"
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

      dynamic "task" {
        for_each = [local.process.task]
        labels   = [task.value]

        content {
          driver = "exec"
          user   = var.user
          # Consul removes the instance first, so that it gets no new requests.
          shutdown_delay = "5s"
          kill_signal    = "SIGTERM"
          kill_timeout   = local.process.kill_timeout

          # A service of the task, not of the group: no check runs while the tasks before it prepare the release.
          service {
            name        = var.process
            port        = "http"
            tags        = ["prometheus"]
            canary_tags = ["prometheus", "canary"]

            meta {
              release = local.release.version
            }

            check {
              name     = "ready"
              type     = "http"
              path     = "/health/ready"
              interval = "2s"
              timeout  = "5s"
            }

            # Only a failed liveness check restarts the task; an unavailable dependency does not.
            check {
              name     = "live"
              type     = "http"
              path     = "/health/live"
              interval = "10s"
              timeout  = "5s"

              check_restart {
                limit = 6
                # Many starts at once on a busy node are slow.
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
            command  = local.release.python
            args     = concat(local.run, ["-m", "upschedule", local.process.task])
            cap_drop = ["all"]
          }

          env = {
            PYTHONPATH     = local.path
            PYTHONSAFEPATH = "1"
            # The release includes its bytecode, and no task can write to its volume.
            PYTHONDONTWRITEBYTECODE                 = "1"
            "UPSCHEDULE_${upper(var.process)}_HOST" = "${NOMAD_IP_http}"
            "UPSCHEDULE_${upper(var.process)}_PORT" = "${NOMAD_PORT_http}"
            UPSCHEDULE_ROLLOUT_STANDING_FILE        = "${NOMAD_TASK_DIR}/standing"
          }

          template {
            destination = local.unpacked
            change_mode = "noop"
            data        = local.release.program
          }

          template {
            destination = "${NOMAD_TASK_DIR}/settings.env"
            env         = true
            change_mode = "restart"
            data        = var.settings
          }

          # Least privilege: no other task can read this path. Running instances keep their secrets: new ones change the
          # fingerprint, so that a canary uses them first.
          template {
            destination = "${NOMAD_SECRETS_DIR}/secrets.env"
            env         = true
            change_mode = "noop"
            data        = <<-EOF
              {{ with nomadVar "${local.secrets}/${local.process.task}" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
              {{ end }}{{ end }}{{ end }}
            EOF
          }

          template {
            destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
            change_mode = "noop"
            data        = "{{ with nomadVar \"${local.secrets}/${local.process.task}\" }}{{ .authority }}{{ end }}"
          }

          # `canary` or `live`, from the tags of this instance's registration in Consul. Without Consul the file stays as it is.
          # A canary that may take a share of the documents reads `canary PERCENT UNTIL`: the variable names the instance that
          # it is meant for, so a share that was left behind never applies to another release.
          template {
            destination = "${NOMAD_TASK_DIR}/standing"
            change_mode = "noop"
            data        = <<-EOF
              {{ range service "${var.process}|any" }}{{ if .ID | regexMatch (env "NOMAD_ALLOC_ID") }}{{ if .Tags | contains "canary" }}canary{{ if nomadVarExists "${local.secrets}" }}{{ with nomadVar "${local.secrets}" }}{{ if eq .instance.Value (env "NOMAD_ALLOC_ID") }} {{ .percent }} {{ .until }}{{ end }}{{ end }}{{ end }}{{ else }}live{{ end }}{{ end }}{{ end }}
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
  }
}
