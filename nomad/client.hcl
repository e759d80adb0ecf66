# Machines that run allocations read this file beside agent.hcl. They have no certificate of a server and no gossip key.
client {
  enabled = true

  # The longest `kill_timeout` that Nomad honours; the default is 30 s.
  max_kill_timeout = "60s"

  # Templates wait for Consul and Nomad's servers without a limit; by default a task ends after twelve attempts.
  template {
    consul_retry {
      attempts    = 0
      backoff     = "250ms"
      max_backoff = "15s"
    }

    nomad_retry {
      attempts    = 0
      backoff     = "250ms"
      max_backoff = "15s"
    }
  }

  # Unpacked releases: the folder belongs to upschedule-release, and all users can read it.
  host_volume "releases" {
    path = "/srv/upschedule/releases"
  }

  # Resources for the system and the agents.
  reserved {
    cpu    = 500
    memory = 1024
    disk   = 2048
  }

  options = {
    # Prevents calls to the metadata services of clouds.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"

    # The jobs use this driver only.
    "driver.allowlist" = "exec"

    # Refuses tasks that run as root.
    "user.denylist"        = "root,Administrator"
    "user.checked_drivers" = "exec"
  }

  # The file system of a task: path on the node = path in the task. Keep it short, since each start links all of it. Nomad
  # skips paths that do not exist, and copies a symbolic link as a link, so name the real file.
  chroot_env {
    "/usr/bin/dash"                                                = "/bin/sh"
    "/bin/cat"                                                     = "/usr/bin/cat"
    "/bin/chmod"                                                   = "/usr/bin/chmod"
    "/bin/cp"                                                      = "/usr/bin/cp"
    "/bin/id"                                                      = "/usr/bin/id"
    "/bin/mkdir"                                                   = "/usr/bin/mkdir"
    "/bin/mv"                                                      = "/usr/bin/mv"
    "/bin/rm"                                                      = "/usr/bin/rm"
    "/bin/sleep"                                                   = "/usr/bin/sleep"
    "/usr/bin/test"                                                = "/usr/bin/test"
    "/usr/bin/python3.11"                                          = "/usr/bin/python3.11"
    "/usr/lib/python3.11"                                          = "/usr/lib/python3.11"
    "/usr/lib/postgresql/15"                                       = "/usr/lib/postgresql/15"
    "/usr/share/postgresql/15"                                     = "/usr/share/postgresql/15"
    "/usr/sbin/pgbouncer"                                          = "/usr/sbin/pgbouncer"
    "/usr/bin/pgbackrest"                                          = "/usr/bin/pgbackrest"
    "/usr/bin/prometheus"                                          = "/usr/bin/prometheus"
    "/usr/bin/prometheus-alertmanager"                             = "/usr/bin/prometheus-alertmanager"
    "/usr/bin/prometheus-blackbox-exporter"                        = "/usr/bin/prometheus-blackbox-exporter"
    "/usr/bin/prometheus-node-exporter"                            = "/usr/bin/prometheus-node-exporter"
    "/usr/bin/prometheus-postgres-exporter"                        = "/usr/bin/prometheus-postgres-exporter"
    "/usr/bin/prometheus-redis-exporter"                           = "/usr/bin/prometheus-redis-exporter"
    "/usr/lib/python3/dist-packages/decorator.py"                  = "/usr/lib/python3/dist-packages/decorator.py"
    "/usr/lib/python3/dist-packages/prometheus_client"             = "/usr/lib/python3/dist-packages/prometheus_client"
    "/usr/lib/python3/dist-packages/psycopg2"                      = "/usr/lib/python3/dist-packages/psycopg2"
    "/usr/share/prometheus/alertmanager"                           = "/usr/share/prometheus/alertmanager"
    "/usr/local/bin/nomad-autoscaler"                              = "/usr/bin/nomad-autoscaler"
    "/usr/local/bin/traefik"                                       = "/usr/bin/traefik"
    "/usr/local/bin/valkey-server"                                 = "/usr/bin/valkey-server"
    "/usr/local/bin/weed"                                          = "/usr/bin/weed"
    "/usr/lib/x86_64-linux-gnu"                                    = "/lib/x86_64-linux-gnu"
    "/usr/lib64"                                                   = "/lib64"
    "/usr/lib/locale/C.utf8"                                       = "/usr/lib/locale/C.utf8"
    "/usr/share/zoneinfo"                                          = "/usr/share/zoneinfo"
    "/etc/passwd"                                                  = "/etc/passwd"
    "/etc/group"                                                   = "/etc/group"
    "/etc/hosts"                                                   = "/etc/hosts"
    "/etc/ld.so.cache"                                             = "/etc/ld.so.cache"
    "/etc/nsswitch.conf"                                           = "/etc/nsswitch.conf"
    "/etc/ssl/certs/ca-certificates.crt"                           = "/etc/ssl/certs/ca-certificates.crt"
    "/etc/ssl/openssl.cnf"                                         = "/etc/ssl/openssl.cnf"
    "/etc/nomad.d/tls/ca.pem"                                      = "/etc/nomad-ca.pem"
    "/run/systemd/resolve/stub-resolv.conf"                        = "/etc/resolv.conf"
  }
}

plugin "raw_exec" {
  config {
    enabled = false
  }
}
