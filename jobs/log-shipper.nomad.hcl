# Reads the logs of all allocations of the namespace by Nomad's API, and sends their lines to a syslog receiver, so that they
# outlive the allocations (docs/decisions/0049-log-shipper.md). A stack has this job only with `logReceiver`.
#
# The Nomad Variable nomad/jobs/log-shipper has `nomad_token`, which may list allocations and read logs, and `authority` (PEM
# of who signed the receiver's certificate; empty: the public authorities).

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

variable "python_program" {
  type        = string
  description = "Debian's Python, in which the program runs"
  default     = "/usr/bin/python3.11"
}

variable "program" {
  type        = string
  description = "jobs/log-shipper/ship.py"
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

variable "receiver" {
  type        = string
  description = "HOST:PORT of the syslog receiver, TCP"
}

variable "tls" {
  type        = bool
  description = "Whether the connection to the receiver is encrypted"
  default     = true
}

variable "buffer_mb" {
  type        = number
  description = "Lines that the disk keeps while the receiver is away. When they reach this size, no more are read"
  default     = 256
}

variable "every_seconds" {
  type        = number
  description = "Time between two rounds over all logs"
  default     = 5
}

variable "confirm_seconds" {
  type        = number
  description = "How long a line is kept after the receiver's system has acknowledged it. Lines that are kept are sent again after a break"
  default     = 5
}

job "log-shipper" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "3s"
    healthy_deadline  = "1m"
    progress_deadline = "0s"
  }

  group "log-shipper" {
    # Only one instance: two would send every line twice.
    count = 1

    # Positions and buffer: a new allocation continues with them, also on another node, while the old one can be reached.
    ephemeral_disk {
      sticky  = true
      migrate = true
      size    = var.buffer_mb * 2 + 100
    }

    network {
      port "http" {}
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    service {
      name = "log-shipper"
      port = "http"
      tags = ["prometheus"]

      check {
        name     = "live"
        type     = "http"
        path     = "/metrics"
        interval = "10s"
        timeout  = "5s"

        # On an overloaded machine a restart would only add to the load.
        check_restart {
          limit = 12
          grace = "60s"
        }
      }
    }

    task "ship" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "5s"

      config {
        command  = var.python_program
        args     = ["${NOMAD_TASK_DIR}/ship.py", "${NOMAD_IP_http}", "${NOMAD_PORT_http}"]
        cap_drop = ["all"]
      }

      env {
        NOMAD_ADDR                  = var.nomad_address
        NOMAD_CACERT                = var.nomad_ca_file
        LOG_SHIPPER_NAMESPACE       = var.namespace
        LOG_SHIPPER_RECEIVER        = var.receiver
        LOG_SHIPPER_TLS             = "${var.tls}"
        LOG_SHIPPER_FOLDER          = "${NOMAD_ALLOC_DIR}/data"
        LOG_SHIPPER_BUFFER_MB       = "${var.buffer_mb}"
        LOG_SHIPPER_EVERY_SECONDS   = "${var.every_seconds}"
        LOG_SHIPPER_CONFIRM_SECONDS = "${var.confirm_seconds}"
      }

      template {
        destination     = "${NOMAD_TASK_DIR}/ship.py"
        change_mode     = "restart"
        left_delimiter  = "<<<<"
        right_delimiter = ">>>>"
        data            = var.program
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/authority.pem"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/log-shipper\" }}{{ .authority }}{{ end }}"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/access.env"
        env         = true
        change_mode = "restart"
        data        = <<-EOT
          {{- with nomadVar "nomad/jobs/log-shipper" }}
          NOMAD_TOKEN={{ .nomad_token }}
          {{- if .authority.Value }}
          LOG_SHIPPER_AUTHORITY_FILE={{ env "NOMAD_SECRETS_DIR" }}/authority.pem
          {{- end }}
          {{- end }}
        EOT
      }

      logs {
        max_files     = 2
        max_file_size = 5
      }

      resources {
        cpu    = 100
        memory = 128
      }
    }
  }
}
