# The Redis of what can be computed again: it evicts the least recently used and keeps nothing (R4.4).
# Its passwords are in the Nomad Variable nomad/jobs/redis-cache: `password` of the operator's user `default`, and one for
# each process.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "Who the server runs as on the node; never root"
}

variable "program" {
  type        = string
  description = "Path of a Redis-compatible server of version 7 or newer, as the task sees it"
}

variable "port" {
  type        = number
  description = "Fixed, so that its address outlives an instance"
}

variable "memory_mb" {
  type        = number
  description = "Of data; the task gets a quarter more for connections and fragmentation"
  default     = 2048
}

variable "api_rules" {
  type        = string
  description = "What the user `api` may do, as ACL SETUSER takes it"
}

variable "worker_rules" { type = string }

variable "scheduler_rules" { type = string }

job "redis-cache" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  group "redis" {
    count = 1

    network {
      port "redis" {
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
      name = "redis-cache"
      port = "redis"

      check {
        name     = "live"
        type     = "tcp"
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 6
          grace = "10s"
        }
      }
    }

    task "redis" {
      driver         = "exec"
      user           = var.user
      shutdown_delay = "2s"
      kill_timeout   = "10s"

      config {
        command  = var.program
        args     = ["${NOMAD_SECRETS_DIR}/redis.conf"]
        cap_drop = ["all"]
      }

      # A new password is told to the running server by who rotates it, beside the old one: docs/runbooks/rotate-secrets.md.
      template {
        destination = "${NOMAD_SECRETS_DIR}/redis.conf"
        change_mode = "noop"
        data        = <<-EOF
          bind {{ env "NOMAD_IP_redis" }}
          port {{ env "NOMAD_PORT_redis" }}
          {{ with nomadVar "nomad/jobs/redis-cache" }}requirepass {{ .password }}
          user api on >{{ .api_password }} ${var.api_rules}
          user worker on >{{ .worker_password }} ${var.worker_rules}
          user scheduler on >{{ .scheduler_password }} ${var.scheduler_rules}{{ end }}
          maxmemory ${var.memory_mb}mb
          maxmemory-policy allkeys-lru
          appendonly no
          save ""
          enable-debug-command no
          enable-module-command no
        EOF
      }

      resources {
        cpu    = 500
        memory = floor(var.memory_mb * 1.25)
      }
    }
  }
}
