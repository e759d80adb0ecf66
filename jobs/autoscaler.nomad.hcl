# Sets the number of API and worker instances to what the rules of Prometheus want, within the bounds of their jobs
# (R1.3, R10.1, R10.2). Its token, which may read jobs and scale them, is in the Nomad Variable nomad/jobs/autoscaler.
#
# It scales each group with a block like this one; `upschedule:SERVICE:wanted` is a rule in monitoring/rules/recorded.yml:
#
#   scaling {
#     enabled = true
#     min     = 2
#     max     = 50
#
#     policy {
#       check "wanted" {
#         source       = "prometheus"
#         query        = "upschedule:worker:wanted"
#         query_window = "10s"
#
#         strategy "pass-through" {}
#       }
#     }
#   }
#
# It scales nothing during a release: the rule has no value while there is a canary, and Nomad refuses to scale a job
# whose deployment is under way.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the autoscaler; never root"
}

variable "program" {
  type        = string
  description = "Path of the Nomad autoscaler 0.3.7 or newer, as the task sees it"
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

variable "evaluation_seconds" {
  type        = number
  description = "Interval of evaluations, unless a policy sets its own"
  default     = 5
}

variable "cooldown_seconds" {
  type        = number
  description = "Pause after a change, unless a policy sets its own"
  default     = 20
}

locals {
  memory_mb = 128
}

job "autoscaler" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "3s"
    healthy_deadline  = "30s"
    progress_deadline = "0s"
  }

  group "autoscaler" {
    # Only one instance: two would scale against each other.
    count = 1

    network {
      port "http" {}
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = "autoscaler"
      port = "http"
      tags = ["prometheus"]

      meta {
        metrics_path   = "/v1/metrics"
        metrics_format = "prometheus"
      }

      check {
        name     = "live"
        type     = "http"
        path     = "/v1/health"
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 6
          grace = "10s"
        }
      }
    }

    task "autoscaler" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "10s"

      config {
        command  = var.program
        args     = ["agent", "-config=${NOMAD_SECRETS_DIR}/autoscaler.hcl"]
        cap_drop = ["all"]
      }

      env {
        # Go collects garbage before the memory limit ends the task.
        GOMEMLIMIT = "${floor(local.memory_mb * 0.85)}MiB"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/autoscaler.hcl"
        change_mode = "restart"
        data        = <<-EOF
          log_level = "INFO"
          log_json  = true
          http {
            bind_address = "{{ env "NOMAD_IP_http" }}"
            bind_port    = {{ env "NOMAD_PORT_http" }}
          }
          nomad {
            address   = "${var.nomad_address}"
            namespace = "${var.namespace}"
            ca_cert   = "${var.nomad_ca_file}"
            {{ with nomadVar "nomad/jobs/autoscaler" }}token = "{{ .nomad_token }}"{{ end }}
          }
          telemetry { prometheus_metrics = true }
          policy {
            default_cooldown            = "${var.cooldown_seconds}s"
            default_evaluation_interval = "${var.evaluation_seconds}s"
          }
          apm "prometheus" {
            driver = "prometheus"
            config = { address = "${var.prometheus_address}" }
          }
          strategy "pass-through" { driver = "pass-through" }
          target "nomad-target" { driver = "nomad-target" }
        EOF
      }

      resources {
        cpu    = 200
        memory = local.memory_mb
      }
    }
  }
}
