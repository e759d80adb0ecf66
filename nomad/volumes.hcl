# The machine with the data reads this file beside client.hcl: Nomad places a store where its volume is, and a store on
# another machine would be empty. To spread stores over machines, keep some volumes on each. Each volume belongs to the
# user of its task.
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

  # Better on another disk than PostgreSQL's, whose backups it has.
  host_volume "backup-store" {
    path = "/srv/upschedule/backup-store"
  }

  host_volume "prometheus" {
    path = "/srv/upschedule/prometheus"
  }

  # Traefik's ACME account and certificates, on the machine that the public name points to.
  host_volume "traefik" {
    path = "/srv/upschedule/traefik"
  }
}
