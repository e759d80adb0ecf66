# Copies the files of documents that may still be read into the repository's store, all the time (docs/cluster-backup.md).
# The Nomad Variable nomad/jobs/object-copies has the URL of the backups' role in PostgreSQL, the keys of the repository and of
# the object store, and `authority` in PEM.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the program; never root"
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

variable "repository" {
  type        = string
  description = "Where the repository is, as lines PGBACKREST_NAME=VALUE"
}

variable "objects" {
  type        = string
  description = "Where the application's object store is, as lines UPSCHEDULE_OBJECTS_NAME=VALUE"
}

variable "every_seconds" {
  type        = number
  description = "Time between two passes"
}

variable "memory_mb" {
  type        = number
  description = "Memory limit; one file is held at a time"
  default     = 192
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

job "object-copies" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  meta {
    release = local.release.version
  }

  # If the release is not healthy in time, Nomad restores the previous one automatically.
  update {
    auto_revert       = true
    health_check      = "checks"
    min_healthy_time  = "${local.release.min_healthy_seconds}s"
    healthy_deadline  = "${local.release.healthy_seconds}s"
    progress_deadline = "0s"
  }

  group "copies" {
    # One is enough: a copy that was made twice is harmless.
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

    task "copy" {
      driver = "exec"
      user   = var.user
      # It needs no time to end: the next instance does the rest.
      kill_timeout = "5s"

      # A service of the task, not of the group: no check runs while the release is unpacked. Whether the stores answer is
      # no check of this one: Prometheus must see its figures above all when they do not.
      service {
        name = "object-copies"
        port = "http"
        tags = ["prometheus"]

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
          "-m", "upschedule", "backup", "objects",
        ]
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = "${local.environment}:${local.sources}/src"
        PYTHONSAFEPATH = "1"
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE                = "1"
        UPSCHEDULE_OBJECT_COPIES_EVERY_SECONDS = "${var.every_seconds}"
        UPSCHEDULE_OBJECT_COPIES_HOST          = "${NOMAD_IP_http}"
        UPSCHEDULE_OBJECT_COPIES_PORT          = "${NOMAD_PORT_http}"
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = local.release.program
      }

      template {
        destination = "${NOMAD_TASK_DIR}/stores.env"
        env         = true
        change_mode = "restart"
        data        = "${var.repository}${var.objects}"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/secrets.env"
        env         = true
        change_mode = "restart"
        data        = <<-EOF
          {{ with nomadVar "nomad/jobs/object-copies" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/object-copies\" }}{{ .authority }}{{ end }}"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu    = 50
        memory = var.memory_mb
      }
    }
  }
}
