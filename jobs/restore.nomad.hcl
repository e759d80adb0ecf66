# Restores PostgreSQL from its backups, when an operator asks for it (docs/cluster-backup.md). It runs on the
# node with PostgreSQL's volume as PostgreSQL's user, whose files it makes, and only while PostgreSQL's job is stopped.
# The Nomad Variable nomad/jobs/restore has what that of `backup` has, but a key that may write to the object store.
#   nomad job dispatch -namespace NAMESPACE -meta to=latest restore

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs PostgreSQL"
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

variable "memory_mb" {
  type        = number
  description = "Memory limit: of the restore, and of the server that recovers"
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

job "restore" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "batch"

  parameterized {
    meta_required = ["to"]
    meta_optional = ["replace", "revive_deleted", "without_objects", "objects_only", "account", "table"]
    payload       = "forbidden"
  }

  # `yes` permits to replace the data that are there, and brings back what people deleted after the moment; leaves the files
  # of documents alone, or brings back nothing but them. With an account or a table nothing is replaced: what it had is
  # written to restored.sql in the allocation's shared folder.
  meta {
    replace         = "no"
    revive_deleted  = "no"
    without_objects = "no"
    objects_only    = "no"
    account         = ""
    table           = ""
  }

  group "restore" {
    volume "data" {
      type      = "host"
      source    = var.volume
      read_only = false
    }

    volume "releases" {
      type   = "host"
      source = local.release.volume
    }

    # The operator who asked for it reads why it failed.
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
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

    task "restore" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "30s"

      # At the path that the server itself uses.
      volume_mount {
        volume      = "data"
        destination = "/data"
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
          "-m", "upschedule", "restore",
          "--to", "${NOMAD_META_to}",
          "--postgres-programs", var.postgres_programs,
          "--scratch", "/data/scratch",
        ]
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = "${local.environment}:${local.sources}/src"
        PYTHONSAFEPATH = "1"
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE            = "1"
        UPSCHEDULE_RESTORE_REPLACE         = "${NOMAD_META_replace}"
        UPSCHEDULE_RESTORE_REVIVE_DELETED  = "${NOMAD_META_revive_deleted}"
        UPSCHEDULE_RESTORE_WITHOUT_OBJECTS = "${NOMAD_META_without_objects}"
        UPSCHEDULE_RESTORE_OBJECTS_ONLY    = "${NOMAD_META_objects_only}"
        UPSCHEDULE_RESTORE_ACCOUNT         = "${NOMAD_META_account}"
        UPSCHEDULE_RESTORE_TABLE           = "${NOMAD_META_table}"
        UPSCHEDULE_RESTORE_OUTPUT          = "${NOMAD_ALLOC_DIR}/restored.sql"
        PGBACKREST_LOCK_PATH               = "${NOMAD_TASK_DIR}/pgbackrest/lock"
        PGBACKREST_SPOOL_PATH              = "${NOMAD_TASK_DIR}/pgbackrest/spool"
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
          {{ with nomadVar "nomad/jobs/restore" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/restore\" }}{{ .authority }}{{ end }}"
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
