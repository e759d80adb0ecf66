# Prometheus, whose figures the release gate and the autoscaler use. A template writes Consul's instances to a file of
# targets, which stays as it is while Consul is unavailable. The Nomad Variable nomad/jobs/prometheus has consul_token,
# which can read the figures of Consul's agents.

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

variable "source_seconds" {
  type        = number
  description = "Interval at which agents and servers besides the application are scraped, and the edge is probed"
  default     = 15
}

variable "consul_address" {
  type        = string
  description = "HOST:PORT of the node's Consul agent"
  default     = "127.0.0.1:8500"
}

variable "nomad_scheme" {
  type        = string
  description = "`http` or `https`, with which Nomad's agents answer"
  default     = "http"
}

variable "nomad_ca_file" {
  type        = string
  description = "Path of the authority that signed Nomad's certificates, as the task sees it"
  default     = ""
}

variable "redis_servers" {
  type        = string
  description = "JSON: HOST:PORT of each Redis server by the name of its service"
}

variable "edge_url" {
  type        = string
  description = "Public address that is probed; empty: none"
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

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "5s"
    healthy_deadline  = "2m"
    progress_deadline = "0s"
  }

  group "prometheus" {
    # Only one instance: two servers on one folder would destroy it.
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

      env {
        # Go collects garbage before the memory limit ends the task.
        GOMEMLIMIT = "${floor(var.memory_mb * 0.85)}MiB"
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
            - job_name: redis
              scrape_interval: ${var.source_seconds}s
              metrics_path: /scrape
              file_sd_configs:
                - files: [redis.yml]
              metric_relabel_configs:
                # A series for each command, several times: more than of all else that Redis tells.
                - {source_labels: [__name__], regex: redis_latency_percentiles_usec.*, action: drop}
            - job_name: blackbox
              scrape_interval: ${var.source_seconds}s
              # Above the timeout of the modules, so that a failed probe is one, and no failed scrape.
              scrape_timeout: ${min(10, var.source_seconds)}s
              metrics_path: /probe
              file_sd_configs:
                - files: [probes.yml]
            - job_name: nomad
              scrape_interval: ${var.source_seconds}s
              scheme: ${var.nomad_scheme}
              metrics_path: /v1/metrics
              params: {format: [prometheus]}
              tls_config: {ca_file: "${var.nomad_ca_file}"}
              file_sd_configs:
                - files: [nomad.yml]
            - job_name: consul
              scrape_interval: ${var.source_seconds}s
              metrics_path: /v1/agent/metrics
              params: {format: [prometheus]}
              authorization: {credentials_file: {{ env "NOMAD_SECRETS_DIR" }}/consul-token}
              static_configs:
                - targets: ["${var.consul_address}"]
                  labels: {service: consul, alloc: "", canary: "no"}
        EOF
      }

      # Every instance of a service with the tag `prometheus`, also one that fails its checks. The ID of a service holds
      # the allocation's; a canary is one by its tags until it is promoted. The service's meta data `job` is the label of
      # that name where it differs from the service.
      template {
        destination = "${NOMAD_TASK_DIR}/targets.yml"
        change_mode = "noop"

        # Nomad writes a template once nothing has changed for 5 s, by default after 4 minutes at the latest. While many
        # instances end one after the other, Prometheus would ask those that are gone, and TargetDown would fire.
        wait {
          min = "1s"
          max = "5s"
        }

        data = <<-EOF
          [
          {{- range services }}{{ if .Tags | contains "prometheus" }}
          {{- range service (print .Name "|any") }}{{ if .Tags | contains "prometheus" }}
            {
              targets: ["{{ .Address }}:{{ .Port }}"],
              labels: {
                job: "{{ with .ServiceMeta.job }}{{ . }}{{ else }}{{ .Name }}{{ end }}",
                {{- with .ServiceMeta.metrics_path }}
                __metrics_path__: "{{ . }}",
                {{- end }}
                {{- with .ServiceMeta.metrics_format }}
                __param_format: "{{ . }}",
                {{- end }}
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

      # One exporter asks both servers. `instance` is the server, since the exporter is only on the way.
      template {
        destination = "${NOMAD_TASK_DIR}/redis.yml"
        change_mode = "noop"
        data        = <<-EOF
          [
          {{- range service "redis-exporter|any" }}
          %{~for name, address in jsondecode(var.redis_servers)}
            {
              targets: ["{{ .Address }}:{{ .Port }}"],
              labels: {
                __param_target: "redis://${address}",
                instance: "${address}",
                service: "${name}",
                alloc: "",
                canary: "no",
              },
            },
          %{~endfor}
          {{- end }}
          ]
        EOF
      }

      # The edge as a visitor reaches it, and the agents: whether they know a leader, and how long their certificates are
      # valid.
      template {
        destination = "${NOMAD_TASK_DIR}/probes.yml"
        change_mode = "noop"
        data        = <<-EOF
          [
          {{- range service "blackbox-exporter|any" }}
          {{- $exporter := print .Address ":" .Port }}
          %{~if var.edge_url != ""}
            {
              targets: ["{{ $exporter }}"],
              labels: {
                __param_module: edge,
                __param_target: "${var.edge_url}/health/live",
                instance: "${var.edge_url}/health/live",
                service: edge,
                alloc: "",
                canary: "no",
              },
            },
          %{~endif}
            {
              targets: ["{{ $exporter }}"],
              labels: {
                __param_module: leader,
                __param_target: "http://${var.consul_address}/v1/status/leader",
                instance: "${var.consul_address}",
                service: consul,
                alloc: "",
                canary: "no",
              },
            },
          {{- range $name := parseJSON "[\"http.nomad|any\", \"http.nomad-client|any\"]" }}{{ range service $name }}
            {
              targets: ["{{ $exporter }}"],
              labels: {
                __param_module: leader,
                __param_target: "${var.nomad_scheme}://{{ .Address }}:{{ .Port }}/v1/status/leader",
                instance: "{{ .Address }}:{{ .Port }}",
                service: nomad,
                alloc: "",
                canary: "no",
              },
            },
          {{- end }}{{ end }}
          {{- end }}
          ]
        EOF
      }

      # An agent that is server and client has two services at one address, which make one target.
      template {
        destination = "${NOMAD_TASK_DIR}/nomad.yml"
        change_mode = "noop"
        data        = <<-EOF
          [
          {{- range $name := parseJSON "[\"http.nomad|any\", \"http.nomad-client|any\"]" }}{{ range service $name }}
            {
              targets: ["{{ .Address }}:{{ .Port }}"],
              labels: {service: nomad, alloc: "", canary: "no"},
            },
          {{- end }}{{ end }}
          ]
        EOF
      }

      # Without a Consul that has ACLs the token is of no account.
      template {
        destination = "${NOMAD_SECRETS_DIR}/consul-token"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/prometheus\" }}{{ .consul_token }}{{ end }}"
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
