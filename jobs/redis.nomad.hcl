# The two Redis servers, one job each: `redis-state` has the queue, the sessions and the limits (R4.3), `redis-cache` has
# data that can be computed again (R4.4). The Nomad Variable nomad/jobs/redis-SERVER has the passwords: `password` of the
# operator's user `default`, one for each process, and `monitor_password` of the exporter.

variable "namespace" { type = string }

variable "server" {
  type        = string
  description = "`state` or `cache`"
}

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
  description = "Path of a Redis-compatible server of version 7 or newer, as the task sees it"
}

variable "volume" {
  type        = string
  description = "Of `state`: the node's host volume for the append-only file, which belongs to the user. `cache` has none"
}

variable "port" {
  type        = number
  description = "Fixed, so that its address outlives an instance"
}

variable "memory_mb" {
  type        = number
  description = "Memory for data; the task gets `memory_factor` times as much"
}

variable "api_rules" {
  type        = string
  description = "What the user `api` may do, as ACL SETUSER takes it"
}

variable "worker_rules" { type = string }

variable "scheduler_rules" { type = string }

locals {
  servers = {
    # Nothing is evicted, and a crash loses at most a second.
    state = {
      volumes    = [var.volume]
      directives = ["dir /data", local.limit, "maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"]
      # Rewriting the append-only file makes copies.
      memory_factor = 1.5
      # Loading a large file takes its time before the port answers.
      start_grace  = "60s"
      kill_timeout = "30s"
    }
    # The least recently used entries are evicted, and nothing is written to a disk.
    cache = {
      volumes    = []
      directives = [local.limit, "maxmemory-policy allkeys-lru", "appendonly no", "save \"\""]
      # Connections and fragmentation need room.
      memory_factor = 1.25
      start_grace   = "10s"
      kill_timeout  = "10s"
    }
  }
  # Statistics only: no key, no argument of a command, and no configuration, which holds passwords.
  monitor_rules = "-@all +ping +info +client|setname +slowlog|len +latency|latest"
  limit         = "maxmemory ${var.memory_mb}mb"
  server        = local.servers[var.server]
  id            = "redis-${var.server}"
}

job "redis" {
  id          = local.id
  name        = local.id
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

  group "redis" {
    # Only one instance: two servers on one append-only file would destroy it.
    count = 1

    network {
      port "redis" {
        static = var.port
      }
    }

    dynamic "volume" {
      for_each = local.server.volumes
      labels   = ["data"]

      content {
        type      = "host"
        source    = volume.value
        read_only = false
      }
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = local.id
      port = "redis"

      check {
        name     = "live"
        type     = "tcp"
        interval = "2s"
        timeout  = "2s"

        check_restart {
          limit = 15
          grace = local.server.start_grace
        }
      }
    }

    task "redis" {
      driver       = "exec"
      user         = var.user
      kill_timeout = local.server.kill_timeout

      config {
        command  = var.program
        args     = ["${NOMAD_SECRETS_DIR}/redis.conf"]
        cap_drop = ["all"]
      }

      dynamic "volume_mount" {
        for_each = local.server.volumes

        content {
          volume      = "data"
          destination = "/data"
        }
      }

      # The operator who rotates a password tells it to the running server, beside the old one: docs/runbooks/rotate-secrets.md.
      template {
        destination = "${NOMAD_SECRETS_DIR}/redis.conf"
        change_mode = "noop"
        data        = <<-EOF
          bind {{ env "NOMAD_IP_redis" }}
          port {{ env "NOMAD_PORT_redis" }}
          {{ with nomadVar "nomad/jobs/${local.id}" }}requirepass {{ .password }}
          user api on >{{ .api_password }} ${var.api_rules}
          user worker on >{{ .worker_password }} ${var.worker_rules}
          user scheduler on >{{ .scheduler_password }} ${var.scheduler_rules}
          user monitor on >{{ .monitor_password }} ${local.monitor_rules}{{ end }}
          ${join("\n", local.server.directives)}
          enable-debug-command no
          enable-module-command no
        EOF
      }

      resources {
        cpu    = 500
        memory = floor(var.memory_mb * local.server.memory_factor)
      }
    }
  }
}
