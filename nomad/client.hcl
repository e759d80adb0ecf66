# Beside agent.hcl on every machine that runs allocations. No certificate of a server, no gossip key.
client {
  enabled = true

  # Longest kill_timeout of a job that is honoured; Nomad's own is 30 s.
  max_kill_timeout = "60s"

  # Templates wait for Consul and Nomad's servers as long as it takes: by default a task ends after twelve attempts.
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

  # Unpacked releases: the folder is upschedule-release's, and everybody reads it.
  host_volume "releases" {
    path = "/srv/upschedule/releases"
  }

  # For the system and the agents themselves.
  reserved {
    cpu    = 500
    memory = 1024
    disk   = 2048
  }

  options = {
    # No calls to the metadata services of clouds.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"

    # The one that the jobs use.
    "driver.allowlist" = "exec"

    # No task as root, whatever its file says.
    "user.denylist"        = "root,Administrator"
    "user.checked_drivers" = "exec"
  }

  # What a task sees: path here = path inside. Short, as each start links all of it; what does not exist is left out. A
  # symbolic link is copied as one, so the real file is named.
  chroot_env {
    "/usr/bin/dash"                         = "/bin/sh"
    "/bin/cat"                              = "/usr/bin/cat"
    "/bin/chmod"                            = "/usr/bin/chmod"
    "/bin/cp"                               = "/usr/bin/cp"
    "/bin/id"                               = "/usr/bin/id"
    "/bin/mkdir"                            = "/usr/bin/mkdir"
    "/bin/mv"                               = "/usr/bin/mv"
    "/bin/rm"                               = "/usr/bin/rm"
    "/bin/sleep"                            = "/usr/bin/sleep"
    "/usr/bin/test"                         = "/usr/bin/test"
    "/usr/bin/python3.11"                   = "/usr/bin/python3.11"
    "/usr/lib/python3.11"                   = "/usr/lib/python3.11"
    "/usr/lib/postgresql/15"                = "/usr/lib/postgresql/15"
    "/usr/share/postgresql/15"              = "/usr/share/postgresql/15"
    "/usr/sbin/pgbouncer"                   = "/usr/sbin/pgbouncer"
    "/usr/bin/prometheus"                   = "/usr/bin/prometheus"
    "/usr/local/bin/nomad-autoscaler"       = "/usr/bin/nomad-autoscaler"
    "/usr/local/bin/traefik"                = "/usr/bin/traefik"
    "/usr/local/bin/valkey-server"          = "/usr/bin/valkey-server"
    "/usr/local/bin/weed"                   = "/usr/bin/weed"
    "/usr/lib/x86_64-linux-gnu"             = "/lib/x86_64-linux-gnu"
    "/usr/lib64"                            = "/lib64"
    "/usr/lib/locale/C.utf8"                = "/usr/lib/locale/C.utf8"
    "/usr/share/zoneinfo"                   = "/usr/share/zoneinfo"
    "/etc/passwd"                           = "/etc/passwd"
    "/etc/group"                            = "/etc/group"
    "/etc/hosts"                            = "/etc/hosts"
    "/etc/ld.so.cache"                      = "/etc/ld.so.cache"
    "/etc/nsswitch.conf"                    = "/etc/nsswitch.conf"
    "/etc/ssl/certs/ca-certificates.crt"    = "/etc/ssl/certs/ca-certificates.crt"
    "/etc/ssl/openssl.cnf"                  = "/etc/ssl/openssl.cnf"
    "/etc/nomad.d/tls/ca.pem"               = "/etc/nomad-ca.pem"
    "/run/systemd/resolve/stub-resolv.conf" = "/etc/resolv.conf"
  }
}

plugin "raw_exec" {
  config {
    enabled = false
  }
}
