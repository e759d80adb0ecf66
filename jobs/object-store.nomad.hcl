# SeaweedFS, an S3 store on one node: uploaded files, releases, backups.
# Only its S3 port authenticates clients. If others can reach the nodes, use an S3 store elsewhere instead.
# The keys are in the Nomad Variable nomad/jobs/object-store; `process_identities` are those of API, worker and scheduler,
# as JSON. `application_key_before` is the pair before a rotation, of releases whose processes share one pair.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the server; never root"
}

variable "program" {
  type        = string
  description = "Path of SeaweedFS 4, as the task sees it"
}

variable "volume" {
  type        = string
  description = "The node's host volume for the objects; it belongs to the user"
}

variable "port" {
  type        = number
  description = "Port of the S3 API; fixed, so that its address outlives an instance"
}

variable "master_port" {
  type        = number
  description = "Port of SeaweedFS's master; fixed, since the master names a folder after it"
}

variable "memory_mb" {
  type    = number
  default = 512
}

job "object-store" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "5s"
    healthy_deadline  = "2m"
    progress_deadline = "0s"
  }

  group "store" {
    # Only one instance: two servers on one folder would destroy it.
    count = 1

    network {
      port "s3" {
        static = var.port
      }

      port "master" {
        static = var.master_port
      }

      # SeaweedFS's own processes use these.
      port "s3_grpc" {}
      port "master_grpc" {}
      port "volume" {}
      port "volume_grpc" {}
      port "filer" {}
      port "filer_grpc" {}
      port "admin" {}
      port "admin_grpc" {}
      port "metrics" {}
    }

    volume "data" {
      type      = "host"
      source    = var.volume
      read_only = false
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = "object-store"
      port = "s3"

      check {
        name     = "live"
        type     = "http"
        path     = "/healthz"
        interval = "2s"
        timeout  = "2s"

        check_restart {
          limit = 15
          grace = "60s"
        }
      }
    }

    service {
      name = "object-store-metrics"
      port = "metrics"
      tags = ["prometheus"]

      meta {
        job = "seaweedfs"
      }
    }

    task "store" {
      driver = "exec"
      user   = var.user
      # A kill loses no objects; an orderly stop can take half a minute.
      kill_signal  = "SIGINT"
      kill_timeout = "2s"

      config {
        command = var.program
        args = [
          "-logtostderr=true",
          "mini",
          "-dir=/data",
          "-ip=${NOMAD_IP_s3}",
          "-ip.bind=${NOMAD_IP_s3}",
          "-s3.port=${NOMAD_PORT_s3}",
          "-s3.port.grpc=${NOMAD_PORT_s3_grpc}",
          "-master.port=${NOMAD_PORT_master}",
          "-master.port.grpc=${NOMAD_PORT_master_grpc}",
          "-volume.port=${NOMAD_PORT_volume}",
          "-volume.port.grpc=${NOMAD_PORT_volume_grpc}",
          "-filer.port=${NOMAD_PORT_filer}",
          "-filer.port.grpc=${NOMAD_PORT_filer_grpc}",
          "-admin.port=${NOMAD_PORT_admin}",
          "-admin.port.grpc=${NOMAD_PORT_admin_grpc}",
          "-metricsIp=${NOMAD_IP_metrics}",
          "-metricsPort=${NOMAD_PORT_metrics}",
          "-s3.config=${NOMAD_SECRETS_DIR}/s3.json",
          "-s3.port.iceberg=0",
          "-s3.port.lance=0",
          "-webdav=false",
          "-admin.ui=false",
          "-master.telemetry=false",
        ]
        cap_drop = ["all"]
      }

      env {
        # Go collects garbage before the memory limit ends the task.
        GOMEMLIMIT = "${floor(var.memory_mb * 0.85)}MiB"
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      # Nomad fetches releases without a key; they hold no secret. The server reads the file again at this signal.
      template {
        destination   = "${NOMAD_SECRETS_DIR}/s3.json"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOF
          {{ with nomadVar "nomad/jobs/object-store" }}
          {"identities": [
            {"name": "anonymous", "actions": ["Read:releases"]},
            {"name": "upschedule",
             "credentials": [{{ with .application_key_before.Value }}{{ . }}, {{ end }}
               {"accessKey": "{{ .application_access_key }}", "secretKey": "{{ .application_secret_key }}"}],
             "actions": ["Read:uploads", "Write:uploads", "List:uploads", "Tagging:uploads"]},
            {{ .process_identities }},
            {"name": "release",
             "credentials": [{"accessKey": "release", "secretKey": "{{ .release_secret_key }}"}],
             "actions": ["Read:releases", "Write:releases", "List:releases"]},
            {"name": "backup",
             "credentials": [{"accessKey": "backup", "secretKey": "{{ .backup_secret_key }}"}],
             "actions": ["Read:backups", "Write:backups", "List:backups"]}
          ]}
          {{ end }}
        EOF
      }

      resources {
        cpu    = 500
        memory = var.memory_mb
      }
    }

    # Runs after each start, and leaves buckets that exist.
    task "buckets" {
      driver = "exec"
      user   = var.user

      lifecycle {
        hook    = "poststart"
        sidecar = false
      }

      config {
        command  = "/bin/sh"
        args     = ["${NOMAD_TASK_DIR}/buckets.sh"]
        cap_drop = ["all"]
      }

      template {
        destination = "${NOMAD_TASK_DIR}/buckets.sh"
        change_mode = "noop"
        data        = <<-EOF
          set -eu
          master="$NOMAD_IP_master:$NOMAD_PORT_master.$NOMAD_PORT_master_grpc"
          filer="$NOMAD_IP_filer:$NOMAD_PORT_filer.$NOMAD_PORT_filer_grpc"
          make() {
            for bucket in uploads releases backups; do
              echo "s3.bucket.create -name $bucket"
            done | ${var.program} shell -master="$master" -filer="$filer"
          }
          tries=30
          until make; do
            tries=$((tries - 1))
            test "$tries" -gt 0
            sleep 1
          done
        EOF
      }

      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
}
