# Each night: a backup of PostgreSQL, which counts once it was restored and compared (docs/cluster-backup.md).
# It runs on the node with PostgreSQL's volume, reads its files by its group, and writes none of them.
# The Nomad Variable nomad/jobs/backup has the URL of its role in PostgreSQL, the keys of the repository and of the object
# store, and `authority` in PEM. At once, with a token that may submit the job: nomad job periodic force -namespace NAMESPACE backup

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that makes the backups; its group is that of PostgreSQL's user"
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

variable "volume" {
  type        = string
  description = "The node's host volume for the database, as PostgreSQL's job has it"
}

variable "postgres_programs" {
  type        = string
  description = "Folder of postgres and pg_amcheck, of the server's version, as the task sees it"
  default     = "/usr/lib/postgresql/15/bin"
}

variable "repository" {
  type        = string
  description = "Where the repository is, as lines PGBACKREST_NAME=VALUE"
}

variable "objects" {
  type        = string
  description = "Where the application's object store is, as lines UPSCHEDULE_OBJECTS_NAME=VALUE"
}

variable "schedule" {
  type        = string
  description = "When it runs, as cron writes it, in UTC"
}

variable "keep_days" {
  type        = number
  description = "How far back every second can be restored"
}

variable "hidden_days" {
  type        = number
  description = "How long an administrator can bring back what was deleted from the repository"
}

variable "memory_mb" {
  type        = number
  description = "Memory limit: of the backup, and of the scratch server in which it is restored"
  default     = 1024
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

job "backup" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "batch"

  periodic {
    cron             = var.schedule
    time_zone        = "UTC"
    prohibit_overlap = true
  }

  group "backup" {
    volume "data" {
      type      = "host"
      source    = var.volume
      read_only = true
    }

    volume "releases" {
      type   = "host"
      source = local.release.volume
    }

    # Once more, ten minutes later; then the alert calls an operator.
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts       = 1
      interval       = "12h"
      delay          = "10m"
      delay_function = "constant"
      unlimited      = false
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

    task "backup" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "30s"

      # At the path that the server itself uses.
      volume_mount {
        volume      = "data"
        destination = "/data"
        read_only   = true
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
          "-m", "upschedule", "backup", "now",
          "--postgres-programs", var.postgres_programs,
          "--scratch", "${NOMAD_TASK_DIR}/restored",
          "--keep-days", "${var.keep_days}",
          "--hidden-days", "${var.hidden_days}",
        ]
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = "${local.environment}:${local.sources}/src"
        PYTHONSAFEPATH = "1"
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE = "1"
        PGBACKREST_LOCK_PATH    = "${NOMAD_TASK_DIR}/pgbackrest/lock"
        PGBACKREST_SPOOL_PATH   = "${NOMAD_TASK_DIR}/pgbackrest/spool"
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = local.release.program
      }

      template {
        destination = "${NOMAD_TASK_DIR}/stores.env"
        env         = true
        change_mode = "noop"
        data        = "${var.repository}${var.objects}"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/secrets.env"
        env         = true
        change_mode = "noop"
        data        = <<-EOF
          {{ with nomadVar "nomad/jobs/backup" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/backup\" }}{{ .authority }}{{ end }}"
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu    = 500
        memory = var.memory_mb
      }
    }
  }
}
