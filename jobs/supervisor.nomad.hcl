# Watches each release after its promotion, and reverts a bad one automatically
# (docs/decisions/0026-watch-after-promotion.md). Its token is in the Nomad Variable nomad/jobs/supervisor. It needs no
# Consul, and none of the stores.
#
# A new release of this job starts as a canary, which changes nothing: the supervisor that runs judges the release, then
# promotes this canary, or fails it. So a release never judges itself, and one that cannot start replaces nothing.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the supervisor; never root"
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

variable "nomad_address" {
  type        = string
  description = "http://HOST:PORT of the node's Nomad agent, or https"
}

variable "nomad_ca_file" {
  type        = string
  description = "Path of the authority that signed Nomad's certificates, as the task sees it"
  default     = ""
}

variable "prometheus_address" {
  type        = string
  description = "http://HOST:PORT"
}

variable "limits" {
  type        = string
  description = "Limits of the watch, as lines UPSCHEDULE_WATCH_NAME=VALUE"
}

variable "records_max" {
  type        = number
  description = "How many records of releases are kept"
  default     = 10
}

locals {
  release     = jsondecode(var.release)
  releases    = "/opt/upschedule"
  environment = "${local.releases}/${substr(local.release.environment.sha256, 0, 16)}"
  sources     = "${local.releases}/${substr(local.release.sources.sha256, 0, 16)}"
  unpacked    = "${NOMAD_TASK_DIR}/unpacked.py"
  # How long a task that prepares an instance may take.
  wait_seconds = "${local.release.healthy_seconds - 30}"
}

job "supervisor" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  meta {
    release = local.release.version
  }

  # Promoted by the supervisor that runs, once the release may stay.
  update {
    canary            = 1
    auto_revert       = true
    auto_promote      = false
    health_check      = "checks"
    min_healthy_time  = "${local.release.min_healthy_seconds}s"
    healthy_deadline  = "${local.release.healthy_seconds}s"
    progress_deadline = "0s"
  }

  group "supervisor" {
    # Only one instance: two would do everything twice.
    count = 1

    network {
      port "http" {}
    }

    volume "releases" {
      type   = "host"
      source = local.release.volume
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

    task "supervise" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "10s"

      # A service of the task, not of the group: no check runs while the release is unpacked.
      service {
        name        = "supervisor"
        port        = "http"
        tags        = ["prometheus"]
        canary_tags = ["prometheus", "canary"]

        # That it could ask Nomad and Prometheus: a new release of it that cannot is given up.
        check {
          name     = "ready"
          type     = "http"
          path     = "/health/ready"
          interval = "5s"
          timeout  = "5s"
        }

        check {
          name     = "live"
          type     = "http"
          path     = "/health/live"
          interval = "10s"
          timeout  = "5s"

          check_restart {
            limit = 6
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
        command = local.release.python
        args = [
          local.unpacked, "run", local.wait_seconds, local.environment, local.sources, "--",
          "-m", "upschedule", "deploy", "supervise",
        ]
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = "${local.environment}:${local.sources}/src"
        PYTHONSAFEPATH = "1"
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE       = "1"
        NOMAD_ADDR                    = var.nomad_address
        NOMAD_CACERT                  = var.nomad_ca_file
        UPSCHEDULE_DEPLOY_PROMETHEUS  = var.prometheus_address
        UPSCHEDULE_DEPLOY_RECORDS_MAX = "${var.records_max}"
        UPSCHEDULE_WATCH_HOST         = "${NOMAD_IP_http}"
        UPSCHEDULE_WATCH_PORT         = "${NOMAD_PORT_http}"
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = local.release.program
      }

      template {
        destination = "${NOMAD_TASK_DIR}/limits.env"
        env         = true
        change_mode = "restart"
        data        = var.limits
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/token.env"
        env         = true
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/supervisor\" }}NOMAD_TOKEN={{ .nomad_token }}{{ end }}"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu    = 100
        memory = 192
      }
    }
  }
}
