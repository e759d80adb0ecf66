# One of the exporters that tell Prometheus about parts without metrics of their own: `postgres`, `pgbouncer`, `redis`,
# `node` and `blackbox`, Debian's packages but for a small one of PgBouncer (decision 29). They are jobs of their own, so that a new exporter
# restarts no store. The job, its service and its user are named EXPORTER-exporter.
#
# The Nomad Variable nomad/jobs/EXPORTER-exporter has `environment` (lines NAME=VALUE with addresses, names and
# passwords), `authority` (PEM of who signed the certificates of the stores, for `blackbox` of who signed Traefik's; empty:
# the public authorities) and `passwords` (JSON, of Redis servers). `node` has no secrets.

variable "namespace" { type = string }

variable "exporter" {
  type        = string
  description = "`postgres`, `pgbouncer`, `redis`, `node` or `blackbox`"
}

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs the exporter; never root"
}

variable "programs" {
  type        = string
  description = "Folder of Debian's exporters, as the task sees it"
  default     = "/usr/bin"
}

variable "python_program" {
  type        = string
  description = "Debian's Python, in which the exporter of PgBouncer runs"
  default     = "/usr/bin/python3.11"
}

variable "pgbouncer_program" {
  type        = string
  description = "jobs/exporter/pgbouncer.py, which only `pgbouncer` runs"
}

variable "nomad_ca_file" {
  type        = string
  description = "Of `blackbox`: path of the authority that signed Nomad's certificates, as the task sees it"
  default     = ""
}

locals {
  id     = "${var.exporter}-exporter"
  listen = "--web.listen-address=$${NOMAD_ADDR_http}"
  exporters = {
    postgres = {
      type    = "service"
      secrets = ["environment", "authority"]
      command = "${var.programs}/prometheus-postgres-exporter"
      args    = [local.listen, "--disable-settings-metrics", "--extend.query-path=$${NOMAD_TASK_DIR}/queries.yml"]
      # Its own page, which asks PostgreSQL nothing.
      live   = "/"
      memory = 48
    }
    pgbouncer = {
      type    = "service"
      secrets = ["environment", "authority"]
      command = var.python_program
      args    = ["$${NOMAD_TASK_DIR}/pgbouncer.py", "$${NOMAD_IP_http}", "$${NOMAD_PORT_http}"]
      live    = "/metrics"
      memory  = 64
    }
    redis = {
      type    = "service"
      secrets = ["passwords"]
      command = "${var.programs}/prometheus-redis-exporter"
      # The user `monitor` may not read the configuration, which holds passwords.
      args = [
        local.listen, "-redis.addr=", "-redis.user=monitor", "-config-command=-",
        "-redis.password-file=$${NOMAD_SECRETS_DIR}/passwords.json",
      ]
      live   = "/"
      memory = 48
    }
    # Nomad has figures of disks. These are the ones that it lacks.
    node = {
      type    = "system"
      secrets = []
      command = "${var.programs}/prometheus-node-exporter"
      args = concat(
        [local.listen, "--collector.disable-defaults"],
        formatlist("--collector.%s", ["conntrack", "cpu", "filefd", "loadavg", "meminfo", "netstat", "pressure", "sockstat", "stat", "timex", "vmstat"]),
      )
      live   = "/"
      memory = 48
    }
    blackbox = {
      type    = "service"
      secrets = ["authority"]
      command = "${var.programs}/prometheus-blackbox-exporter"
      args    = [local.listen, "--config.file=$${NOMAD_TASK_DIR}/blackbox.yml"]
      live    = "/-/healthy"
      memory  = 48
    }
  }
  exporter = local.exporters[var.exporter]
}

job "exporter" {
  id          = local.id
  name        = local.id
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = local.exporter.type

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = local.exporter.type == "service"
    min_healthy_time  = "3s"
    healthy_deadline  = "1m"
    progress_deadline = "0s"
  }

  group "exporter" {
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
      name = local.id
      port = "http"
      # Prometheus asks the other two about many targets each.
      tags = contains(["redis", "blackbox"], var.exporter) ? [] : ["prometheus"]

      meta {
        job = var.exporter
      }

      check {
        name     = "live"
        type     = "http"
        path     = local.exporter.live
        interval = "10s"
        timeout  = "5s"

        # On an overloaded machine a restart would only add to the load.
        check_restart {
          limit = 12
          grace = "60s"
        }
      }
    }

    task "exporter" {
      driver       = "exec"
      user         = var.user
      kill_timeout = "5s"

      config {
        command  = local.exporter.command
        args     = local.exporter.args
        cap_drop = ["all"]
      }

      env {
        # Go collects garbage before the memory limit ends the task.
        GOMEMLIMIT = "${floor(local.exporter.memory * 0.85)}MiB"
      }

      dynamic "template" {
        for_each = contains(local.exporter.secrets, "environment") ? [local.id] : []

        content {
          destination = "${NOMAD_SECRETS_DIR}/environment"
          env         = true
          change_mode = "restart"
          data        = "{{ with nomadVar \"nomad/jobs/${local.id}\" }}{{ .environment }}{{ end }}"
        }
      }

      dynamic "template" {
        for_each = contains(local.exporter.secrets, "authority") ? [local.id] : []

        content {
          destination = "${NOMAD_SECRETS_DIR}/authority.pem"
          change_mode = "restart"
          data        = "{{ with nomadVar \"nomad/jobs/${local.id}\" }}{{ .authority }}{{ end }}"
        }
      }

      dynamic "template" {
        for_each = contains(local.exporter.secrets, "passwords") ? [local.id] : []

        content {
          destination = "${NOMAD_SECRETS_DIR}/passwords.json"
          change_mode = "restart"
          data        = "{{ with nomadVar \"nomad/jobs/${local.id}\" }}{{ .passwords }}{{ end }}"
        }
      }

      # Labels stay few: no text of a statement, no name of a person. `queryid` is the same for all values of a statement.
      template {
        destination = "${NOMAD_TASK_DIR}/queries.yml"
        change_mode = "restart"
        data        = <<-EOT
          pg_waiting:
            query: |
              SELECT count(*) FILTER (WHERE wait_event_type = 'Lock') AS backends,
                coalesce(extract(epoch FROM max(now() - state_change) FILTER (WHERE wait_event_type = 'Lock')), 0)
                  AS longest_seconds
              FROM pg_stat_activity
            metrics:
              - backends: {usage: "GAUGE", description: "Connections that wait for a lock"}
              - longest_seconds: {usage: "GAUGE", description: "How long the one that has waited longest has done so"}
          pg_settings:
            query: SELECT current_setting('max_connections')::int AS max_connections
            metrics:
              - max_connections: {usage: "GAUGE", description: "Connections that the server allows"}
          pg_wal_directory:
            query: SELECT sum(size) AS size_bytes FROM pg_ls_waldir()
            metrics:
              - size_bytes: {usage: "GAUGE", description: "Size of the write-ahead log, pg_wal"}
          pg_statements:
            query: |
              SELECT queryid::text AS queryid, rolname AS role, sum(calls) AS calls_total,
                sum(total_exec_time) / 1000 AS seconds_total, sum(rows) AS rows_total
              FROM pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid
              WHERE rolname LIKE 'upschedule%' AND queryid IS NOT NULL
              GROUP BY 1, 2 ORDER BY sum(total_exec_time) DESC LIMIT 30
            metrics:
              - queryid: {usage: "LABEL", description: "PostgreSQL's number of the statement"}
              - role: {usage: "LABEL", description: "The role that runs it"}
              - calls_total: {usage: "COUNTER", description: "How often it ran"}
              - seconds_total: {usage: "COUNTER", description: "Time that it took in all"}
              - rows_total: {usage: "COUNTER", description: "Rows that it returned or changed"}
        EOT
      }

      dynamic "template" {
        for_each = var.exporter == "pgbouncer" ? [local.id] : []

        content {
          destination     = "${NOMAD_TASK_DIR}/pgbouncer.py"
          change_mode     = "restart"
          left_delimiter  = "<<<<"
          right_delimiter = ">>>>"
          data            = var.pgbouncer_program
        }
      }

      dynamic "template" {
        for_each = var.exporter == "blackbox" ? [local.id] : []

        content {
          destination = "${NOMAD_TASK_DIR}/blackbox.yml"
          change_mode = "restart"
          data        = <<-EOT
            modules:
              # The public address: name, certificate, Traefik, and an instance that answers.
              edge:
                prober: http
                timeout: 5s
                http:
                  preferred_ip_protocol: ip4
                  follow_redirects: false
                  fail_if_not_ssl: true
                  {{- with nomadVar "nomad/jobs/${local.id}" }}{{ if .authority.Value }}
                  tls_config: {ca_file: "{{ env "NOMAD_SECRETS_DIR" }}/authority.pem"}
                  {{- end }}{{ end }}
              # An agent of Nomad or Consul, which names the leader that it knows.
              leader:
                prober: http
                timeout: 5s
                http:
                  preferred_ip_protocol: ip4
                  fail_if_body_not_matches_regexp: ["[0-9]:[0-9]"]
                  tls_config: {ca_file: "${var.nomad_ca_file}"}
          EOT
        }
      }

      resources {
        cpu    = 50
        memory = local.exporter.memory
      }
    }
  }
}
