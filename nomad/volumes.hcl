# Beside client.hcl, and only on the machine that holds the data: a store is placed where its volume is, and one that
# came up elsewhere would be empty. Spread them over machines by keeping only some here. Each belongs to its task's user.
client {
  host_volume "postgres" {
    path = "/srv/upschedule/postgres"
  }

  host_volume "redis-state" {
    path = "/srv/upschedule/redis-state"
  }

  host_volume "object-store" {
    path = "/srv/upschedule/object-store"
  }

  host_volume "prometheus" {
    path = "/srv/upschedule/prometheus"
  }

  # Traefik's ACME account and certificates: the machine that the public name points to.
  host_volume "traefik" {
    path = "/srv/upschedule/traefik"
  }
}
