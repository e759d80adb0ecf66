# A real HTTP server, found by Consul: what readers go on reading while leaders die.
job "web" {
  group "web" {
    count = 2

    update {
      min_healthy_time = "1s"
    }

    scaling {
      min = 2
      max = 4
    }

    # One on each client.
    spread {
      attribute = "${node.unique.id}"
    }

    network {
      port "http" {}
    }

    service {
      name = "web"
      port = "http"

      check {
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }
    }

    task "web" {
      driver = "exec"
      user   = "nobody"

      config {
        command = "/usr/bin/python3.11"
        args    = ["-m", "http.server", "--bind", "${NOMAD_IP_http}", "--directory", "/local", "${NOMAD_PORT_http}"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
