# PgBouncer, which holds the 50 to 100 connections to PostgreSQL that all instances share (R3.1).
# Its secrets are in the Nomad Variable nomad/jobs/pgbouncer: api_password, worker_password, scheduler_password and
# application_password and
# monitor_password of the roles, authority, certificate and key.

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
  description = "Path of PgBouncer 1.18 or newer, as the task sees it"
  default     = "/usr/sbin/pgbouncer"
}

variable "port" {
  type        = number
  description = "Fixed, so that its address outlives an instance"
}

variable "postgres_host" {
  type        = string
  description = "Host of PostgreSQL, as its certificate names it"
}

variable "postgres_port" { type = number }

variable "connections_min" {
  type        = number
  description = "Minimal number of connections to PostgreSQL (R3.1)"
  default     = 50
}

variable "connections_max" {
  type        = number
  description = "Maximal number of connections to PostgreSQL (R3.1)"
  default     = 100
}

variable "clients" {
  type        = number
  description = "Maximal number of connections from all instances of API, worker and scheduler"
  default     = 2500
}

variable "connections_shared" {
  type        = number
  description = "Additional connections for releases whose processes share a role"
  default     = 20
}

locals {
  server = "host=${var.postgres_host} port=${var.postgres_port} dbname=upschedule"
  # In hundredths of the connections.
  shares = { api = 60, worker = 30, scheduler = 10 }
}

job "pgbouncer" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "3s"
    healthy_deadline  = "20s"
    progress_deadline = "0s"
  }

  group "pgbouncer" {
    count = 1

    network {
      port "pgbouncer" {
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
      name = "pgbouncer"
      port = "pgbouncer"

      check {
        name     = "live"
        type     = "tcp"
        interval = "2s"
        timeout  = "2s"

        check_restart {
          limit = 15
          grace = "10s"
        }
      }
    }

    task "pgbouncer" {
      driver = "exec"
      user   = var.user
      # It ends once the open transactions have, and all others wait for that. They must not wait longer than after a
      # crash.
      kill_signal  = "SIGINT"
      kill_timeout = "2s"

      config {
        command  = var.program
        args     = ["${NOMAD_SECRETS_DIR}/pgbouncer.ini"]
        cap_drop = ["all"]
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/pgbouncer.ini"
        change_mode = "restart"
        data        = <<-EOF
          [databases]
          ; A pool for each role, by a name of its own: in a common one the first to come could take all connections.
          %{~for role, share in local.shares}
          upschedule_${role} = ${local.server} min_pool_size=${floor(var.connections_min * share / 100)} pool_size=${floor(var.connections_max * share / 100)}
          %{~endfor}
          ; Of releases whose processes share a role.
          upschedule = ${local.server} min_pool_size=0 pool_size=${var.connections_shared}
          [pgbouncer]
          listen_addr = {{ env "NOMAD_IP_pgbouncer" }}
          listen_port = {{ env "NOMAD_PORT_pgbouncer" }}
          unix_socket_dir =
          auth_type = scram-sha-256
          auth_file = {{ env "NOMAD_SECRETS_DIR" }}/users.txt
          ; The exporter may read statistics (SHOW), and change nothing.
          stats_users = upschedule_monitor
          pool_mode = transaction
          max_client_conn = ${var.clients}
          ; The queue of R3.5.
          query_wait_timeout = 30
          server_connect_timeout = 5
          server_login_retry = 1
          ; PostgreSQL's own settings of the role bound a statement.
          ignore_startup_parameters = options, extra_float_digits
          server_tls_sslmode = verify-full
          server_tls_ca_file = {{ env "NOMAD_SECRETS_DIR" }}/authority.pem
          client_tls_sslmode = require
          client_tls_cert_file = {{ env "NOMAD_SECRETS_DIR" }}/server.pem
          client_tls_key_file = {{ env "NOMAD_SECRETS_DIR" }}/server.key
          client_tls_protocols = secure
          log_connections = 0
          log_disconnections = 0
        EOF
      }

      # PgBouncer reloads these files without losing a connection.
      template {
        destination   = "${NOMAD_SECRETS_DIR}/users.txt"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-EOF
          {{ with nomadVar "nomad/jobs/pgbouncer" }}"upschedule_api" "{{ .api_password }}"
          "upschedule_worker" "{{ .worker_password }}"
          "upschedule_scheduler" "{{ .scheduler_password }}"
          "upschedule_app" "{{ .application_password }}"
          "upschedule_monitor" "{{ .monitor_password }}"{{ end }}
        EOF
      }

      template {
        destination   = "${NOMAD_SECRETS_DIR}/authority.pem"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with nomadVar \"nomad/jobs/pgbouncer\" }}{{ .authority }}{{ end }}"
      }

      template {
        destination   = "${NOMAD_SECRETS_DIR}/server.pem"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with nomadVar \"nomad/jobs/pgbouncer\" }}{{ .certificate }}{{ end }}"
      }

      template {
        destination   = "${NOMAD_SECRETS_DIR}/server.key"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with nomadVar \"nomad/jobs/pgbouncer\" }}{{ .key }}{{ end }}"
      }

      resources {
        cpu    = 300
        memory = 64
      }
    }
  }
}
