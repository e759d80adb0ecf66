# The API, which also serves the pages (R10.1). The first instance of a release prepares the database for it (R12.1).
# Two Nomad Variables have the secrets, by environment variable, and `authority` in PEM: nomad/jobs/api/api/prepare has
# the owner's database URL and the keys of the backups, nomad/jobs/api/api/serve has the secrets of the application.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the API; never root"
}

variable "prepare_user" {
  type        = string
  description = "The node's user that prepares the database for the release"
}

variable "postgres_programs" {
  type        = string
  description = "Folder of pg_dump and pg_restore, not older than the server, as the task sees it"
  default     = "/usr/lib/postgresql/15/bin"
}

variable "backups_url" {
  type        = string
  description = "http(s)://HOST:PORT of the S3 store with the bucket `backups`"
}

variable "backups_region" {
  type        = string
  description = "Region that this store expects in signatures"
}

variable "restore_points" {
  type        = bool
  description = "Whether PostgreSQL is backed up by the stack, so that a restore point precedes each release instead of a dump"
}

variable "backup_hours" {
  type        = number
  description = "No release starts where no verified backup is younger (R12.5)"
  default     = 26
}

variable "domain" {
  type        = string
  description = "The only name that is served; empty: any"
  default     = ""
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

variable "migration_blocking_seconds" {
  type        = number
  description = "A migration that blocks the running release for longer is cancelled; below what a statement may take (R3.2)"
  default     = 5
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
  description = "Whether the autoscaler follows the load"
  default     = true
}

variable "instances_min" {
  type        = number
  description = "With two, the loss of an instance costs only the requests that it was answering"
  default     = 2
}

variable "instances_max" {
  type    = number
  default = 20
}

variable "cores" {
  type        = number
  description = "Whole cores for each instance (R11.1). 0: a share of `cpu` MHz instead, which does not limit it"
  default     = 1
}

variable "cpu" {
  type        = number
  description = "Share of the processor in MHz, if `cores` is 0"
  default     = 1000
}

variable "memory_mb" {
  type        = number
  description = "Memory limit: an instance that exceeds it is killed and started again (R11.1)"
  default     = 1024
}

variable "disk_mb" {
  type        = number
  description = "Disk for logs and for files that tasks write"
  default     = 150
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
  settings     = substr(sha256(var.settings), 0, 12)
  # What a restore point is made before.
  deployment = "${local.release.version}/${local.settings}/${var.secrets_fingerprint}"
  # Waits for `fetch`, and holds what it runs.
  run = [local.unpacked, "run", local.wait_seconds, local.environment, local.sources, "--"]
}

locals {
  site = "${var.domain == "" ? "PathPrefix(`/`)" : "Host(`${var.domain}`)"} && !PathPrefix(`/metrics`) && !PathPrefix(`/health/ready`)"
  # Keep them equal in all releases: Traefik drops a router that two instances define in different ways.
  tags = [
    "prometheus",
    "traefik.enable=true",
    "traefik.http.routers.api.rule=${local.site}",
    "traefik.http.routers.api.priority=10",
    "traefik.http.routers.api.entrypoints=websecure",
    "traefik.http.routers.api.tls=true",
    "traefik.http.routers.api.middlewares=public@file",
    "traefik.http.routers.api.service=api",
    "traefik.http.services.api.loadbalancer.server.scheme=http",
  ]
  # Before the promotion Consul's catalogue sends a canary only requests with this header. Its share of the visitors comes
  # by the routes of Traefik's own file (jobs/traefik/routes.yml.tpl).
  canary_tags = [
    "prometheus",
    "traefik.enable=true",
    "traefik.consulcatalog.canary=true",
    "traefik.http.routers.api-canary.rule=${local.site} && Header(`X-Upschedule-Canary`, `yes`)",
    "traefik.http.routers.api-canary.priority=20",
    "traefik.http.routers.api-canary.entrypoints=websecure",
    "traefik.http.routers.api-canary.tls=true",
    "traefik.http.routers.api-canary.middlewares=public@file",
    "traefik.http.routers.api-canary.service=api-canary",
    "traefik.http.services.api-canary.loadbalancer.server.scheme=http",
  ]
}

job "api" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # The Nomad Variable `stack/applied` has the same values, for comparing what runs with the stack.
  meta {
    release  = local.release.version
    secrets  = var.secrets_fingerprint
    settings = local.settings
  }

  # Spread over all nodes.
  spread {
    attribute = "${node.unique.id}"
  }

  # A release starts with one canary. The operator or the gate promotes it; a failure reverts to the release before.
  update {
    canary           = 1
    max_parallel     = 2
    auto_revert      = true
    auto_promote     = false
    health_check     = "checks"
    min_healthy_time = "${local.release.min_healthy_seconds}s"
    healthy_deadline = "${local.release.healthy_seconds}s"
    # Without a deadline, the first failed instance fails the deployment. With one, Nomad would start others until it ends.
    progress_deadline = "0s"
  }

  group "api" {
    count = var.instances

    scaling {
      enabled = var.scaling_enabled
      min     = var.instances_min
      max     = var.instances_max

      policy {
        check "wanted" {
          source       = "prometheus"
          query        = "upschedule:api:wanted"
          query_window = "10s"

          strategy "pass-through" {}
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

    task "prepare" {
      driver = "exec"
      user   = var.prepare_user

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
        command = local.release.python
        args = concat(local.run, [
          "-m", "upschedule", "prepare",
          "--running", "${NOMAD_TASK_DIR}/running",
          "--postgres-programs", var.postgres_programs,
          "--turn-seconds", local.wait_seconds,
        ])
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = local.path
        PYTHONSAFEPATH = "1"
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE = "1"
        AWS_ENDPOINT_URL        = var.backups_url
        AWS_REGION              = var.backups_region
        # By the environment, which releases from before these settings ignore.
        UPSCHEDULE_MIGRATION_BLOCKING_SECONDS  = var.migration_blocking_seconds
        UPSCHEDULE_PREPARE_DEPLOYMENT          = var.restore_points ? local.deployment : ""
        UPSCHEDULE_PREPARE_RUNNING_DEPLOYMENTS = "${NOMAD_TASK_DIR}/running-deployments"
        UPSCHEDULE_PREPARE_BACKUP_HOURS        = var.backup_hours
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
          {{ with nomadVar "nomad/jobs/api/api/prepare" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/api/api/prepare\" }}{{ .authority }}{{ end }}"
      }

      # The releases that run: `prepare` removes nothing from the schema that they may use.
      template {
        destination = "${NOMAD_TASK_DIR}/running"
        change_mode = "noop"
        data        = <<-EOF
          {{ range service "api|any" }}{{ .ServiceMeta.release }}
          {{ end }}{{ range service "worker|any" }}{{ .ServiceMeta.release }}
          {{ end }}{{ range service "scheduler|any" }}{{ .ServiceMeta.release }}
          {{ end }}
        EOF
      }

      # With settings and secrets: another instance of what runs needs no restore point.
      template {
        destination = "${NOMAD_TASK_DIR}/running-deployments"
        change_mode = "noop"
        data        = <<-EOF
          {{ range service "api|any" }}{{ .ServiceMeta.deployment }}
          {{ end }}
        EOF
      }

      logs {
        max_files     = 2
        max_file_size = 5
      }

      resources {
        cpu    = 200
        memory = 256
      }
    }

    task "serve" {
      driver = "exec"
      user   = var.user
      # Consul removes the instance first, so that it gets no new requests.
      shutdown_delay = "5s"
      kill_signal    = "SIGTERM"
      kill_timeout   = "40s"

      # A service of the task, not of the group: no check runs while the tasks before it prepare the release.
      service {
        name        = "api"
        port        = "http"
        tags        = local.tags
        canary_tags = local.canary_tags

        meta {
          release    = local.release.version
          deployment = local.deployment
        }

        # The instance alone: an unavailable store would remove all instances from the routes at once.
        check {
          name     = "ready"
          type     = "http"
          path     = "/health/ready/instance"
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
        args     = concat(local.run, ["-m", "upschedule", "serve"])
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = local.path
        PYTHONSAFEPATH = "1"
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE = "1"
        UPSCHEDULE_WEB_HOST     = "${NOMAD_IP_http}"
        UPSCHEDULE_WEB_PORT     = "${NOMAD_PORT_http}"
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
          {{ with nomadVar "nomad/jobs/api/api/serve" }}{{ range .Tuples }}{{ if ne .K "authority" }}{{ .K }}={{ .V | toJSON }}
          {{ end }}{{ end }}{{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/api/api/serve\" }}{{ .authority }}{{ end }}"
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
