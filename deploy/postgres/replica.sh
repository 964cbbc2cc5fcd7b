#!/bin/bash
# Entry point of a replica: copies the primary once, then follows it.
set -euo pipefail

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chown -R postgres:postgres "$PGDATA"
  chmod 0700 "$PGDATA"
  # A copy that broke off leaves files without PG_VERSION last; start from nothing.
  find "$PGDATA" -mindepth 1 -delete
  gosu postgres env PGPASSWORD="$REPLICATION_PASSWORD" pg_basebackup \
    -h "$PRIMARY" -U replication -D "$PGDATA" -X stream -c fast \
    --write-recovery-conf --no-password
fi

exec gosu postgres "$@"
