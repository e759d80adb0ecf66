# Prometheus, whose figures the release gate and the autoscaler use. A template writes Consul's instances to a file of
# targets, which stays as it is while Consul is unavailable.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs Prometheus; never root"
}

variable "program" {
  type        = string
  description = "Path of Prometheus 2.42 or newer, as the task sees it"
  default     = "/usr/bin/prometheus"
}

variable "volume" {
  type        = string
  description = "The node's host volume for the measurements; it belongs to the user"
}

variable "port" {
  type        = number
  description = "Fixed, so that its address outlives an instance"
}

variable "rules" {
  type        = string
  description = "Texts of the files of rules in monitoring/, by name, as JSON"
}

variable "runbooks_url" {
  type        = string
  description = "Address of docs/runbooks/alerts, to which each alert links"
}

variable "alertmanager_address" {
  type        = string
  description = "HOST:PORT"
}

variable "scrape_seconds" {
  type        = number
  description = "Interval at which targets are scraped and rules evaluated"
  default     = 5
}

variable "keep_days" {
  type        = number
  description = "Older measurements are removed; docs/slo.md needs those of 30 days"
  default     = 40
}

variable "keep_mb" {
  type        = number
  description = "Maximal size of the measurements; the oldest are removed first"
  default     = 16384
}

variable "memory_mb" {
  type    = number
  default = 512
}

job "prometheus" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # A configuration with which it is not healthy in time is replaced by the one before, by Nomad itself and at once.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "5s"
    healthy_deadline  = "2m"
    progress_deadline = "0s"
  }

  group "prometheus" {
    # One: two servers on one folder would destroy it.
    count = 1

    network {
      port "prometheus" {
        static = var.port
      }
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
      name = "prometheus"
      port = "prometheus"
      tags = ["prometheus"]

      check {
        name     = "live"
        type     = "http"
        path     = "/-/healthy"
        interval = "5s"
        timeout  = "2s"

        # After a crash, Prometheus reads its write-ahead log first, which is slow.
        check_restart {
          limit = 6
          grace = "60s"
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

    task "prometheus" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "30s"

      config {
        command = var.program
        args = [
          "--config.file=${NOMAD_TASK_DIR}/prometheus.yml",
          "--storage.tsdb.path=/data",
          "--storage.tsdb.retention.time=${var.keep_days}d",
          "--storage.tsdb.retention.size=${var.keep_mb}MB",
          "--web.listen-address=${NOMAD_ADDR_prometheus}",
        ]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      template {
        destination   = "${NOMAD_TASK_DIR}/prometheus.yml"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOF
          global:
            scrape_interval: ${var.scrape_seconds}s
            scrape_timeout: ${var.scrape_seconds}s
            evaluation_interval: ${var.scrape_seconds}s
            external_labels: {runbooks: ${jsonencode(var.runbooks_url)}}
          # Texts of alerts hold this label; the alerts themselves need not.
          rule_files: [rules/*.yml]
          alerting:
            alert_relabel_configs:
              - {regex: runbooks, action: labeldrop}
            alertmanagers:
              - {static_configs: [{targets: ["${var.alertmanager_address}"]}]}
          scrape_configs:
            - job_name: services
              file_sd_configs:
                - files: [targets.yml]
        EOF
      }

      # Every instance of a service with the tag `prometheus`, also one that fails its checks. The ID of a service holds
      # the allocation's; a canary is one by its tags until it is promoted.
      template {
        destination = "${NOMAD_TASK_DIR}/targets.yml"
        change_mode = "noop"
        data        = <<-EOF
          [
          {{- range services }}{{ if .Tags | contains "prometheus" }}
          {{- range service (print .Name "|any") }}{{ if .Tags | contains "prometheus" }}
            {
              targets: ["{{ .Address }}:{{ .Port }}"],
              labels: {
                service: "{{ .Name }}",
                alloc: "{{ .ID | regexReplaceAll "^_nomad-task-([0-9a-f-]{36})-.*$" "$1" }}",
                canary: "{{ if or (.Tags | contains "canary") (.Tags | contains "traefik.consulcatalog.canary=true") }}yes{{ else }}no{{ end }}",
              },
            },
          {{- end }}{{ end }}
          {{- end }}{{ end }}
          ]
        EOF
      }

      # Their own delimiters: rules hold those of Prometheus' templates.
      dynamic "template" {
        for_each = jsondecode(var.rules)

        content {
          destination     = "${NOMAD_TASK_DIR}/rules/${template.key}"
          change_mode     = "signal"
          change_signal   = "SIGHUP"
          left_delimiter  = "<<<<"
          right_delimiter = ">>>>"
          data            = template.value
        }
      }

      resources {
        cpu    = 500
        memory = var.memory_mb
      }
    }
  }
}
