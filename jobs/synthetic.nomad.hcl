# Uses the service as a student does, every few minutes through the public address, and compares every field: the synthetic
# student (docs/decisions/0040-synthetic-student.md). The Nomad Variable nomad/jobs/synthetic has `mail` and `password` of its
# account, and `authority` (PEM of who signed Traefik's certificate; empty: the public authorities). It needs none of the stores.

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

variable "url" {
  type        = string
  description = "Public address of the service"
}

variable "every_seconds" {
  type        = number
  description = "Time from the beginning of a run to that of the next"
}

variable "document_seconds" {
  type        = number
  description = "How long the reading of all documents of a run may take, queue included"
}

variable "authorities_file" {
  type        = string
  description = "PEM of the public authorities, as the task sees it"
  default     = "/etc/ssl/certs/ca-certificates.crt"
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

job "synthetic" {
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

  group "synthetic" {
    # Only one instance: two would remove each other's documents.
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

    task "run" {
      driver = "exec"
      user   = var.user
      # It needs no time to end: the next instance removes what it leaves.
      kill_timeout = "5s"

      # A service of the task, not of the group: no check runs while the release is unpacked. Whether the service is well is
      # no check of this one: Prometheus must see its figures above all when it is not.
      service {
        name = "synthetic"
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
          "-m", "upschedule", "synthetic",
        ]
        cap_drop = ["all"]
      }

      env {
        PYTHONPATH     = "${local.environment}:${local.sources}/src"
        PYTHONSAFEPATH = "1"
        # The public authorities. Python looks for them by hashed names, which the task's file system does not have.
        SSL_CERT_FILE = var.authorities_file
        # The release includes its bytecode, and no task can write to its volume.
        PYTHONDONTWRITEBYTECODE               = "1"
        UPSCHEDULE_SYNTHETIC_URL              = var.url
        UPSCHEDULE_SYNTHETIC_EVERY_SECONDS    = "${var.every_seconds}"
        UPSCHEDULE_SYNTHETIC_DOCUMENT_SECONDS = "${var.document_seconds}"
        UPSCHEDULE_SYNTHETIC_HOST             = "${NOMAD_IP_http}"
        UPSCHEDULE_SYNTHETIC_PORT             = "${NOMAD_PORT_http}"
      }

      template {
        destination = local.unpacked
        change_mode = "noop"
        data        = local.release.program
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/authority.pem"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/synthetic\" }}{{ .authority }}{{ end }}"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/account.env"
        env         = true
        change_mode = "restart"
        data        = <<-EOT
          {{- with nomadVar "nomad/jobs/synthetic" }}
          UPSCHEDULE_SYNTHETIC_MAIL={{ .mail.Value | toJSON }}
          UPSCHEDULE_SYNTHETIC_PASSWORD={{ .password.Value | toJSON }}
          {{- if .authority.Value }}
          UPSCHEDULE_SYNTHETIC_CA_FILE={{ env "NOMAD_SECRETS_DIR" }}/authority.pem
          {{- end }}
          {{- end }}
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 10
      }

      resources {
        cpu    = 50
        memory = 128
      }
    }
  }
}
