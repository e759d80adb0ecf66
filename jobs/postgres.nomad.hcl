# PostgreSQL, the system of record: accounts, jobs, entries, calendars.
# Its secrets are in the Nomad Variable nomad/jobs/postgres: certificate and key, and a password for each role:
# owner_password, backup_password, api_password, worker_password, scheduler_password, application_password,
# monitor_password; the keys of the repository of its write-ahead log (docs/cluster-backup.md), by pgBackRest's names, and
# the repository's `authority` in PEM.

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

variable "programs" {
  type        = string
  description = "Folder of postgres, initdb and psql, as the task sees it"
  default     = "/usr/lib/postgresql/15/bin"
}

variable "data" {
  type        = string
  description = "Folder of the database in the volume; its name is the major version of the programs"
  default     = "/data/15"
}

variable "volume" {
  type        = string
  description = "The node's host volume for the database; it belongs to the user, and its group is that of the backups"
}

variable "archive_program" {
  type        = string
  description = "Path of pgBackRest 2, as the task sees it"
  default     = "/usr/bin/pgbackrest"
}

variable "repository" {
  type        = string
  description = "Where the write-ahead log goes, as lines PGBACKREST_NAME=VALUE"
}

variable "archive_seconds" {
  type        = number
  description = "A segment with changes is archived after so long even if it is not full: about what a disaster can cost"
  default     = 30
}

variable "archive_program_text" {
  type        = string
  description = "jobs/postgres/archive.py"
}

variable "archive_stop_seconds" {
  type        = number
  description = "How long segments that cannot be archived may delay the end of the server; below its `kill_timeout`"
  default     = 5
}

variable "python_program" {
  type        = string
  description = "Path of Python, as the task sees it"
  default     = "/usr/bin/python3.11"
}

variable "port" {
  type        = number
  description = "Fixed, so that its address outlives an instance"
}

variable "connections" {
  type        = number
  description = "PgBouncer's 100, and a reserve for migrations, backups and the operator"
  default     = 130
}

variable "memory_mb" {
  type        = number
  description = "Memory limit; a quarter of it is the server's own cache"
  default     = 1024
}

locals {
  repository = <<-EOF
    ${var.repository}
    {{ with nomadVar "nomad/jobs/postgres" }}
    PGBACKREST_REPO1_S3_KEY={{ .PGBACKREST_REPO1_S3_KEY | toJSON }}
    PGBACKREST_REPO1_S3_KEY_SECRET={{ .PGBACKREST_REPO1_S3_KEY_SECRET | toJSON }}
    PGBACKREST_REPO1_CIPHER_PASS={{ .PGBACKREST_REPO1_CIPHER_PASS | toJSON }}
    {{ end }}
  EOF
}

job "postgres" {
  namespace   = var.namespace
  datacenters = [var.datacenters]
  type        = "service"

  # If the service is not healthy in time, Nomad restores the previous configuration automatically.
  update {
    health_check      = "checks"
    auto_revert       = true
    min_healthy_time  = "5s"
    healthy_deadline  = "5m"
    progress_deadline = "0s"
  }

  group "postgres" {
    # Only one instance: two servers on one folder would destroy it.
    count = 1

    network {
      port "postgres" {
        static = var.port
      }
    }

    volume "data" {
      type      = "host"
      source    = var.volume
      read_only = false
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    service {
      name = "postgres"
      port = "postgres"

      check {
        name     = "live"
        type     = "tcp"
        interval = "2s"
        timeout  = "2s"

        # After a crash, recovery is slow and comes before the port answers.
        check_restart {
          limit = 30
          grace = "120s"
        }
      }
    }

    task "initialise" {
      driver = "exec"
      user   = var.user

      lifecycle {
        hook    = "prestart"
        sidecar = false
      }

      config {
        command  = "/bin/sh"
        args     = ["${NOMAD_TASK_DIR}/initialise.sh"]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      # Whole or not at all. Only the superuser, who connects through the socket, may do anything until the roles exist.
      template {
        destination = "${NOMAD_TASK_DIR}/initialise.sh"
        change_mode = "noop"
        data        = <<-EOF
          set -eu
          # The backups read the files by their group; what was made before they did may not let them.
          chmod 750 /data
          if test -e ${var.data}; then
            chmod -R g+rX ${var.data}
            exit 0
          fi
          rm -rf ${var.data}.new
          ${var.programs}/initdb -D ${var.data}.new -U postgres --auth-local=peer --auth-host=scram-sha-256 \
            --encoding=UTF8 --locale=C.UTF-8 --data-checksums --allow-group-access
          mv ${var.data}.new ${var.data}
        EOF
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }

    task "postgres" {
      driver = "exec"
      user   = var.user
      # "Fast": open transactions are rolled back, not awaited; then a checkpoint.
      kill_signal  = "SIGINT"
      kill_timeout = "60s"

      config {
        command  = "/bin/sh"
        args     = ["${NOMAD_TASK_DIR}/start.sh"]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      template {
        destination = "${NOMAD_TASK_DIR}/start.sh"
        change_mode = "noop"
        data        = <<-EOF
          set -eu
          # PostgreSQL refuses a key that is not its user's alone.
          umask 077
          cp "$NOMAD_SECRETS_DIR/rendered.key" "$NOMAD_SECRETS_DIR/server.key"
          # An instance that was killed cannot be alive: its namespace of processes ended with it.
          rm -f ${var.data}/postmaster.pid
          exec ${var.programs}/postgres -D ${var.data} -c config_file="$NOMAD_TASK_DIR/postgresql.conf"
        EOF
      }

      # PostgreSQL starts it for each segment, so a change needs no restart.
      template {
        destination     = "${NOMAD_TASK_DIR}/archive.py"
        change_mode     = "noop"
        left_delimiter  = "<<<<"
        right_delimiter = ">>>>"
        data            = var.archive_program_text
      }

      template {
        destination = "${NOMAD_TASK_DIR}/postgresql.conf"
        change_mode = "restart"
        data        = <<-EOF
          listen_addresses = '{{ env "NOMAD_IP_postgres" }}'
          port = {{ env "NOMAD_PORT_postgres" }}
          # The tasks of the group share this folder.
          unix_socket_directories = '{{ env "NOMAD_ALLOC_DIR" }}'
          hba_file = '{{ env "NOMAD_TASK_DIR" }}/pg_hba.conf'
          ident_file = '{{ env "NOMAD_TASK_DIR" }}/pg_ident.conf'
          ssl = on
          ssl_cert_file = '{{ env "NOMAD_SECRETS_DIR" }}/server.pem'
          ssl_key_file = '{{ env "NOMAD_SECRETS_DIR" }}/server.key'
          ssl_min_protocol_version = 'TLSv1.2'
          password_encryption = 'scram-sha-256'
          max_connections = ${var.connections}
          shared_buffers = '${floor(var.memory_mb / 4)}MB'
          timezone = 'UTC'
          log_timezone = 'UTC'
          log_line_prefix = '%m [%p] '
          # DETAIL lines quote rows.
          log_error_verbosity = 'terse'
          log_min_duration_statement = '1s'
          log_parameter_max_length = 0
          # After deadlock_timeout, a second.
          log_lock_waits = on
          shared_preload_libraries = 'pg_stat_statements'
          pg_stat_statements.max = 1000
          # Statements other than SELECT, INSERT, UPDATE, DELETE and MERGE would be kept with their values.
          pg_stat_statements.track_utility = off
          pg_stat_statements.save = off
          # A failing archive does not stop the server: beyond archive-push-queue-max pgBackRest drops segments.
          archive_mode = on
          archive_command = '${var.python_program} {{ env "NOMAD_TASK_DIR" }}/archive.py ${var.archive_program} ${var.archive_stop_seconds} %p'
          archive_timeout = ${var.archive_seconds}
          # A restored server answers once it may be written to.
          hot_standby = off
        EOF
      }

      template {
        destination = "${NOMAD_TASK_DIR}/pg_hba.conf"
        change_mode = "restart"
        data        = <<-EOF
          local   all        postgres                            peer map=superuser
          hostssl upschedule upschedule_owner,upschedule_backup all scram-sha-256
          hostssl upschedule upschedule_api,upschedule_worker,upschedule_scheduler,upschedule_app all scram-sha-256
          hostssl postgres   upschedule_monitor,upschedule_backup all scram-sha-256
        EOF
      }

      template {
        destination = "${NOMAD_TASK_DIR}/pg_ident.conf"
        change_mode = "restart"
        data        = "superuser ${var.user} postgres\n"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/server.pem"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/postgres\" }}{{ .certificate }}{{ end }}"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/rendered.key"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/postgres\" }}{{ .key }}{{ end }}"
      }

      env {
        PGBACKREST_LOCK_PATH  = "${NOMAD_TASK_DIR}/pgbackrest/lock"
        PGBACKREST_SPOOL_PATH = "${NOMAD_TASK_DIR}/pgbackrest/spool"
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/repository.env"
        env         = true
        change_mode = "restart"
        data        = local.repository
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "restart"
        data        = "{{ with nomadVar \"nomad/jobs/postgres\" }}{{ .authority }}{{ end }}"
      }

      resources {
        cpu    = 1000
        memory = var.memory_mb
      }
    }

    # Creates the database, and the roles with the stack's passwords. Runs after each start, and changes only what differs.
    task "roles" {
      driver = "exec"
      user   = var.user

      lifecycle {
        hook    = "poststart"
        sidecar = false
      }

      config {
        command  = "/bin/sh"
        args     = ["${NOMAD_TASK_DIR}/roles.sh"]
        cap_drop = ["all"]
      }

      template {
        destination = "${NOMAD_TASK_DIR}/roles.sh"
        change_mode = "noop"
        data        = <<-EOF
          set -eu
          tries=30
          until ${var.programs}/psql -X -q -v ON_ERROR_STOP=1 -h "$NOMAD_ALLOC_DIR" -p "$NOMAD_PORT_postgres" \
            -U postgres -d postgres -f "$NOMAD_SECRETS_DIR/roles.sql"; do
            tries=$((tries - 1))
            test "$tries" -gt 0
            sleep 1
          done
        EOF
      }

      # Who connects through PgBouncer cannot bring options of its own: what bounds a statement belongs to the role.
      # What each may do with tables is granted after the migrations. The scheduler sees the statements of all, for `upschedule ops slow`. `upschedule_app` is for releases whose processes share it.
      template {
        destination = "${NOMAD_SECRETS_DIR}/roles.sql"
        change_mode = "noop"
        data        = <<-EOF
          SELECT format('CREATE ROLE %I LOGIN', role)
            FROM unnest(ARRAY['upschedule_owner', 'upschedule_backup', 'upschedule_api', 'upschedule_worker',
              'upschedule_scheduler', 'upschedule_app', 'upschedule_monitor']) AS role
            WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
          SET log_statement = 'none';
          {{ with nomadVar "nomad/jobs/postgres" }}
          ALTER ROLE upschedule_owner NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{{ .owner_password }}';
          ALTER ROLE upschedule_backup NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{{ .backup_password }}';
          ALTER ROLE upschedule_api NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{{ .api_password }}';
          ALTER ROLE upschedule_worker NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{{ .worker_password }}';
          ALTER ROLE upschedule_scheduler NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{{ .scheduler_password }}';
          ALTER ROLE upschedule_app NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{{ .application_password }}';
          ALTER ROLE upschedule_monitor NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 5
            PASSWORD '{{ .monitor_password }}';
          {{ end }}
          SELECT format('ALTER ROLE %I SET %s', role, setting)
            FROM unnest(ARRAY['upschedule_api', 'upschedule_worker', 'upschedule_scheduler', 'upschedule_app']) AS role,
              unnest(ARRAY['statement_timeout TO 10000', 'idle_in_transaction_session_timeout TO 20000']) AS setting
            \gexec
          -- Statistics of all databases, from one that holds no data of the application.
          ALTER ROLE upschedule_monitor SET statement_timeout TO 4000;
          GRANT pg_monitor TO upschedule_monitor;
          REVOKE ALL ON DATABASE postgres FROM PUBLIC;
          GRANT CONNECT ON DATABASE postgres TO upschedule_monitor, upschedule_backup;
          GRANT pg_read_all_settings TO upschedule_backup;
          CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
          SELECT 'CREATE DATABASE upschedule OWNER upschedule_owner'
            WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'upschedule') \gexec
          GRANT pg_read_all_stats TO upschedule_scheduler;
          REVOKE ALL ON DATABASE upschedule FROM PUBLIC;
          GRANT CONNECT ON DATABASE upschedule
            TO upschedule_backup, upschedule_api, upschedule_worker, upschedule_scheduler, upschedule_app;
          GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean),
            pg_create_restore_point(text), pg_switch_wal() TO upschedule_backup;
          \connect upschedule
          GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean),
            pg_create_restore_point(text), pg_switch_wal() TO upschedule_backup;
        EOF
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }

    # Makes the repository ready for the archive, once or again. The database does not depend on it: `upschedule backup now`
    # does the same, and an archive that fails is alerted.
    task "repository" {
      driver = "exec"
      user   = var.user

      lifecycle {
        hook    = "poststart"
        sidecar = false
      }

      config {
        command  = "/bin/sh"
        args     = ["${NOMAD_TASK_DIR}/repository.sh"]
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
        read_only   = true
      }

      env {
        PGBACKREST_LOCK_PATH       = "${NOMAD_TASK_DIR}/pgbackrest/lock"
        PGBACKREST_SPOOL_PATH      = "${NOMAD_TASK_DIR}/pgbackrest/spool"
        PGBACKREST_PG1_SOCKET_PATH = "${NOMAD_ALLOC_DIR}"
        PGBACKREST_PG1_PORT        = "${NOMAD_PORT_postgres}"
        PGBACKREST_PG1_USER        = "postgres"
      }

      template {
        destination = "${NOMAD_TASK_DIR}/repository.sh"
        change_mode = "noop"
        data        = <<-EOF
          set -eu
          tries=20
          until ${var.archive_program} --no-config stanza-create; do
            tries=$((tries - 1))
            if test "$tries" -eq 0; then
              echo "The repository is not ready: nothing is archived until upschedule backup now has succeeded." >&2
              exit 0
            fi
            sleep 3
          done
        EOF
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/repository.env"
        env         = true
        change_mode = "noop"
        data        = local.repository
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/stores-authority.pem"
        change_mode = "noop"
        data        = "{{ with nomadVar \"nomad/jobs/postgres\" }}{{ .authority }}{{ end }}"
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
