# A second SeaweedFS, on a volume of its own: the repository of PostgreSQL's backups and write-ahead log,
# and the copies of documents' files (docs/cluster-backup.md).
# Its bucket has an object lock, so that the key that writes cannot destroy what was written (docs/decisions/0034-pgbackrest.md).
# The Nomad Variable nomad/jobs/backup-store has certificate and key, the key of the backups and that of the administrator.

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

variable "python" {
  type        = string
  description = "Path of Python 3.11, as the task sees it"
  default     = "/usr/bin/python3.11"
}

variable "bucket_program" {
  type        = string
  description = "Text of backup-store/bucket.py"
}

variable "volume" {
  type        = string
  description = "The node's host volume for the repository; it belongs to the user, and is best on another disk than PostgreSQL's"
}

variable "port" {
  type        = number
  description = "Port of the S3 API with TLS; fixed, so that its address outlives an instance"
}

variable "master_port" {
  type        = number
  description = "Port of SeaweedFS's master; fixed, since the master names a folder after it"
}

variable "bucket" {
  type        = string
  description = "Bucket of the repository"
}

variable "region" {
  type        = string
  description = "Region in the signatures"
}

variable "lock_days" {
  type        = number
  description = "How long the key that writes can delete no version"
}

variable "memory_mb" {
  type    = number
  default = 512
}

job "backup-store" {
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
      port "https" {
        static = var.port
      }

      port "master" {
        static = var.master_port
      }

      # SeaweedFS's own processes use these. The S3 port without TLS is for the check and for making the bucket.
      port "s3" {}
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
      name = "backup-store"
      port = "https"

      check {
        name     = "live"
        type     = "http"
        port     = "s3"
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
      name = "backup-store-metrics"
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
          "-s3.port.https=${NOMAD_PORT_https}",
          "-s3.cert.file=${NOMAD_SECRETS_DIR}/server.pem",
          "-s3.key.file=${NOMAD_SECRETS_DIR}/server.key",
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

      # The server reads the file again at this signal.
      template {
        destination   = "${NOMAD_SECRETS_DIR}/s3.json"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOF
          {{ with nomadVar "nomad/jobs/backup-store" }}
          {"identities": [
            {"name": "administrator",
             "credentials": [{"accessKey": "administrator", "secretKey": "{{ .administrator_secret_key }}"}],
             "actions": ["Admin"]},
            {"name": "backup",
             "credentials": [{"accessKey": "{{ .backup_access_key }}", "secretKey": "{{ .backup_secret_key }}"}],
             "actions": ["Read:${var.bucket}", "Write:${var.bucket}", "List:${var.bucket}",
               "PutObjectRetention:${var.bucket}"]}
          ]}
          {{ end }}
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/server.pem"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/backup-store\" }}{{ .certificate }}{{ end }}"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/server.key"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/backup-store\" }}{{ .key }}{{ end }}"
      }

      resources {
        cpu    = 500
        memory = var.memory_mb
      }
    }

    # Runs after each start; what is as it should be stays.
    task "bucket" {
      driver = "exec"
      user   = var.user

      lifecycle {
        hook    = "poststart"
        sidecar = false
      }

      config {
        command = var.python
        args = [
          "${NOMAD_TASK_DIR}/bucket.py", "${NOMAD_ADDR_s3}", var.bucket, "${var.lock_days}", var.region,
        ]
        cap_drop = ["all"]
      }

      template {
        destination = "${NOMAD_TASK_DIR}/bucket.py"
        change_mode = "noop"
        data        = var.bucket_program
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/administrator.env"
        env         = true
        change_mode = "noop"
        data        = <<-EOF
          ACCESS_KEY=administrator
          SECRET_KEY={{ with nomadVar "nomad/jobs/backup-store" }}{{ .administrator_secret_key | toJSON }}{{ end }}
        EOF
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
