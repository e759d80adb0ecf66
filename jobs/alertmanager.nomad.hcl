# Alertmanager, which sends what Prometheus' alerts say to people. Its whole configuration is the item `configuration` of the
# Nomad Variable nomad/jobs/alertmanager: it holds passwords and addresses that are secret. pulumi/parts/alert_routing.py
# writes it.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs Alertmanager; never root"
}

variable "program" {
  type        = string
  description = "Path of Alertmanager 0.25 or newer, as the task sees it"
  default     = "/usr/bin/prometheus-alertmanager"
}

variable "port" {
  type        = number
  description = "Fixed, so that its address outlives an instance"
}

variable "external_url" {
  type        = string
  description = "Address that its messages link to"
}

variable "memory_mb" {
  type    = number
  default = 128
}

job "alertmanager" {
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

  group "alertmanager" {
    # Only one instance: Prometheus sends again what an instance that is away did not get.
    count = 1

    # Silences and what was sent already follow the instance from node to node. No host volume: a lost disk of the stores
    # must not take the alerts with it.
    ephemeral_disk {
      size    = 150
      sticky  = true
      migrate = true
    }

    network {
      port "alertmanager" {
        static = var.port
      }
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = "alertmanager"
      port = "alertmanager"
      tags = ["prometheus"]

      check {
        name     = "live"
        type     = "http"
        path     = "/-/healthy"
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 6
          grace = "20s"
        }
      }

      check {
        name     = "ready"
        type     = "http"
        path     = "/-/ready"
        interval = "5s"
        timeout  = "2s"
      }
    }

    task "alertmanager" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "10s"

      config {
        command = var.program
        args = [
          "--config.file=${NOMAD_SECRETS_DIR}/alertmanager.yml",
          "--storage.path=${NOMAD_ALLOC_DIR}/data",
          "--web.listen-address=${NOMAD_ADDR_alertmanager}",
          "--web.external-url=${var.external_url}",
          # One instance has no others to find.
          "--cluster.listen-address=",
          "--log.format=json",
        ]
        cap_drop = ["all"]
      }

      env {
        # Go collects garbage before the memory limit ends the task.
        GOMEMLIMIT = "${floor(var.memory_mb * 0.85)}MiB"
      }

      template {
        destination   = "${NOMAD_SECRETS_DIR}/alertmanager.yml"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOF
          {{- with nomadVar "nomad/jobs/alertmanager" }}{{ .configuration }}{{ end }}
        EOF
      }

      resources {
        cpu    = 100
        memory = var.memory_mb
      }
    }
  }
}
