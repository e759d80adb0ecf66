# The one public address: routes to the instances that Consul calls healthy (R10.4, R10.5).
# Its Consul token, which may only read the catalog, is in the Nomad Variable nomad/jobs/traefik.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "Who Traefik runs as on the node; never root"
}

variable "program" {
  type        = string
  description = "Path of Traefik 3, as the task sees it"
}

variable "public_port" {
  type        = number
  description = "Above 1023 where the user may not bind lower ones"
}

variable "consul_address" {
  type        = string
  description = "HOST:PORT of the node's Consul agent"
  default     = "127.0.0.1:8500"
}

job "traefik" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  group "traefik" {
    # One a node: both would want the public port.
    count = 1

    constraint {
      distinct_hosts = true
    }

    network {
      port "public" {
        static = var.public_port
      }

      # Metrics and ping.
      port "inside" {}
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = "traefik"
      port = "public"

      check {
        name     = "live"
        type     = "http"
        port     = "inside"
        path     = "/ping"
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 6
          grace = "10s"
        }
      }
    }

    service {
      name = "traefik-metrics"
      port = "inside"
    }

    task "traefik" {
      driver         = "exec"
      user           = var.user
      shutdown_delay = "4s"
      kill_timeout   = "30s"

      config {
        command = var.program
        args    = ["--configFile=${NOMAD_SECRETS_DIR}/traefik.yml"]
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/traefik.yml"
        change_mode = "restart"
        data        = <<-EOF
          entryPoints:
            public:
              address: "{{ env "NOMAD_ADDR_public" }}"
              transport:
                respondingTimeouts: {readTimeout: 120s, writeTimeout: 0s, idleTimeout: 180s}
                lifeCycle: {requestAcceptGraceTimeout: 0s, graceTimeOut: 25s}
            inside:
              address: "{{ env "NOMAD_ADDR_inside" }}"
          providers:
            consulCatalog:
              exposedByDefault: false
              watch: true
              refreshInterval: 1s
              endpoint:
                address: "${var.consul_address}"
                {{ with nomadVar "nomad/jobs/traefik" }}token: "{{ .consul_token }}"{{ end }}
            file:
              filename: "{{ env "NOMAD_TASK_DIR" }}/routes.yml"
              watch: true
          ping: {entryPoint: inside}
          metrics:
            prometheus: {entryPoint: inside, addServicesLabels: true}
          log: {level: WARN, format: json}
          global: {checkNewVersion: false, sendAnonymousUsage: false}
        EOF
      }

      # What every route shares. It lives in a file, as two releases with different tags would have no route at all.
      template {
        destination = "${NOMAD_TASK_DIR}/routes.yml"
        change_mode = "noop"
        data        = <<-EOF
          http:
            middlewares:
              headers:
                headers:
                  contentTypeNosniff: true
                  frameDeny: true
                  customResponseHeaders: {Server: ""}
              retry:
                # Only a request that no instance has seen is tried again.
                retry: {attempts: 3, initialInterval: 100ms}
        EOF
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
