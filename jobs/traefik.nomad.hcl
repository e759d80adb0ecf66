# Traefik, the only public address: HTTPS in front of the instances that are healthy in Consul (R8.3, R8.4, R10.4, R10.5).
# The Nomad Variable nomad/jobs/traefik has consul_token, which can only read the catalog, and, without ACME,
# `certificate` and `key` in PEM. docs/edge.md gives the reasons for this configuration.

variable "namespace" { type = string }

variable "datacenters" {
  type        = string
  description = "One, or a pattern such as dc*"
  default     = "*"
}

variable "user" {
  type        = string
  description = "The node's user that runs Traefik; never root"
}

variable "program" {
  type        = string
  description = "Path of Traefik 3.7 or newer, as the task sees it"
}

variable "http_port" {
  type        = number
  description = "Port that redirects to HTTPS and answers ACME's http-01 challenges, which come to port 80"
}

variable "https_port" { type = number }

variable "domain" {
  type        = string
  description = "The only name that is served; empty: any name, with the stack's certificate"
  default     = ""
}

variable "trusted_ips" {
  type        = string
  description = "Comma-separated networks of load balancers in front of Traefik, whose X-Forwarded-For is trusted"
  default     = ""
}

variable "hsts_seconds" {
  type        = number
  description = "How long browsers use HTTPS only (HSTS); 0: no such header"
  default     = 31536000
}

variable "acme_email" {
  type        = string
  description = "E-mail address for the authority's notices of expiry; empty: no ACME"
  default     = ""
}

variable "acme_server" {
  type    = string
  default = "https://acme-v02.api.letsencrypt.org/directory"
}

variable "acme_ca_certificate" {
  type        = string
  description = "PEM of the authority of the ACME server's own certificate, if it is not a public one"
  default     = ""
}

variable "acme_certificates_duration_hours" {
  type        = number
  description = "How long the authority's certificates are valid: 24 h and more are renewed hours to months before their end, shorter ones 20 minutes"
  default     = 2160
}

variable "memory_mb" {
  type        = number
  description = "Enough for 9,000 open pages, each a connection to both sides"
  default     = 2048
}

variable "volume" {
  type        = string
  description = "The node's host volume for ACME's account and certificates; it belongs to the user"
  default     = "traefik"
}

variable "consul_address" {
  type        = string
  description = "HOST:PORT of the node's Consul agent"
  default     = "127.0.0.1:8500"
}

variable "routes" {
  type        = string
  description = "Text of jobs/traefik/routes.yml.tpl"
}

variable "faults_plugin" {
  type        = string
  description = "Text of jobs/traefik/faults.go"
}

locals {
  acme = var.acme_email != ""
  # JSON is YAML.
  tls     = local.acme ? jsonencode({ certResolver = "acme", domains = [{ main = var.domain }] }) : "{}"
  trusted = jsonencode(compact(split(",", var.trusted_ips)))
  roots   = compact([var.acme_ca_certificate])
}

job "traefik" {
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

  group "traefik" {
    # Only one instance: the ports are fixed, and ACME's certificates are in one file.
    count = 1

    network {
      port "web" {
        static = var.http_port
      }

      port "websecure" {
        static = var.https_port
      }

      # Metrics and ping.
      port "inside" {}
    }

    dynamic "volume" {
      for_each = local.acme ? [var.volume] : []
      labels   = ["acme"]

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
      name = "traefik"
      port = "websecure"

      check {
        name     = "live"
        type     = "http"
        port     = "inside"
        path     = "/ping"
        interval = "2s"
        timeout  = "2s"

        check_restart {
          limit = 15
          grace = "10s"
        }
      }

      # Whether it has read the routes, and can build what every public route passes. No restart helps if it cannot.
      check {
        name     = "routes"
        type     = "http"
        port     = "inside"
        path     = "/routes"
        interval = "2s"
        timeout  = "2s"
      }
    }

    service {
      name = "traefik-metrics"
      port = "inside"
      tags = ["prometheus"]

      meta {
        job = "traefik"
      }
    }

    task "traefik" {
      driver = "exec"
      user   = var.user
      # Above its grace for requests under way, during which it takes no new ones.
      kill_timeout = "3s"

      config {
        command = var.program
        args    = ["--configFile=${NOMAD_SECRETS_DIR}/traefik.yml"]
        # Traefik keeps only the capability to use ports below 1024.
        cap_drop = ["all"]
        cap_add  = ["net_bind_service"]
      }

      dynamic "volume_mount" {
        for_each = local.acme ? ["acme"] : []

        content {
          volume      = volume_mount.value
          destination = "/acme"
        }
      }

      env {
        SITE         = var.domain == "" ? "PathPrefix(`/`)" : "Host(`${var.domain}`)"
        HSTS_SECONDS = var.hsts_seconds
        SNI_STRICT   = var.domain != ""
        # Go collects garbage before the memory limit ends the task.
        GOMEMLIMIT = "${floor(var.memory_mb * 0.85)}MiB"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/traefik.yml"
        change_mode = "restart"
        data        = <<-EOF
          entryPoints:
            web:
              address: "{{ env "NOMAD_ADDR_web" }}"
              transport:
                respondingTimeouts: {readTimeout: 10s, writeTimeout: 10s, idleTimeout: 30s}
              http:
                redirections: {entryPoint: {to: websecure, scheme: https, permanent: true}}
            websecure:
              address: "{{ env "NOMAD_ADDR_websecure" }}"
              asDefault: true
              forwardedHeaders: {trustedIPs: ${local.trusted}}
              transport:
                # A 10 MB upload over a slow line, and a stream that must not be cut.
                respondingTimeouts: {readTimeout: 120s, writeTimeout: 0s, idleTimeout: 180s}
                lifeCycle: {requestAcceptGraceTimeout: 0s, graceTimeOut: 1s}
              http:
                maxHeaderBytes: 32768
                # Traefik and the API might read such a header differently.
                aliasHeadersStrategy: delete
                # And such a path: the middleware `guard` refuses it, in words, which Traefik itself has none for.
                encodedCharacters: {allowEncodedSlash: true, allowEncodedBackSlash: true, allowEncodedNullCharacter: true,
                  allowEncodedSemicolon: true, allowEncodedPercent: true, allowEncodedQuestionMark: true, allowEncodedHash: true}
                middlewares: ["headers@file"]
                tls: ${local.tls}
            inside:
              address: "{{ env "NOMAD_ADDR_inside" }}"
          serversTransport:
            forwardingTimeouts: {dialTimeout: 2s, responseHeaderTimeout: 60s}
          %{~if local.acme}
          certificatesResolvers:
            acme:
              acme:
                email: ${jsonencode(var.acme_email)}
                storage: /acme/acme.json
                caServer: ${jsonencode(var.acme_server)}
                caCertificates: [%{for _ in local.roots}{{ env "NOMAD_TASK_DIR" }}/authority.pem%{endfor}]
                certificatesDuration: ${var.acme_certificates_duration_hours}
                keyType: EC256
                httpChallenge: {entryPoint: web}
          %{~endif}
          providers:
            consulCatalog:
              exposedByDefault: false
              strictChecks: [passing]
              watch: true
              refreshInterval: 1s
              endpoint:
                address: "${var.consul_address}"
                {{ with nomadVar "nomad/jobs/traefik" }}token: {{ .consul_token.Value | toJSON }}{{ end }}
            file:
              filename: "{{ env "NOMAD_SECRETS_DIR" }}/routes.yml"
              watch: true
          experimental: {localPlugins: {faults: {moduleName: upschedule/faults}}}
          ping: {entryPoint: inside}
          metrics: {prometheus: {entryPoint: inside, addServicesLabels: true}}
          # No access log: it would keep addresses of people.
          log: {level: WARN, format: json}
          global: {checkNewVersion: false, sendAnonymousUsage: false}
        EOF
      }

      dynamic "template" {
        for_each = local.roots

        content {
          destination = "${NOMAD_TASK_DIR}/authority.pem"
          change_mode = "restart"
          data        = template.value
        }
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/routes.yml"
        change_mode = "noop"
        data        = var.routes
      }

      template {
        destination = "plugins-local/src/upschedule/faults/faults.go"
        change_mode = "restart"
        data        = var.faults_plugin
      }

      template {
        destination = "plugins-local/src/upschedule/faults/.traefik.yml"
        change_mode = "restart"
        data        = <<-EOF
          displayName: Faults in words
          type: middleware
          import: upschedule/faults
          summary: Answers what Traefik itself has to say.
          testData: {status: 404, detail: Nothing here.}
        EOF
      }

      resources {
        cpu    = 500
        memory = var.memory_mb
      }
    }
  }
}
