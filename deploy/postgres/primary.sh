#!/bin/bash
# Run once by the image when it has initialised a primary: the application's role and the one for replication.
set -euo pipefail

psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v app_password="$APP_PASSWORD" -v replication_password="$REPLICATION_PASSWORD" <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'app_password';
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication_password';
SELECT format('GRANT CREATE, TEMPORARY ON DATABASE %I TO app', current_database()) \gexec
GRANT USAGE, CREATE ON SCHEMA public TO app;
SQL

# The image lets every database be reached with a password, but not the replication stream.
echo 'host replication replication all scram-sha-256' >>"$PGDATA/pg_hba.conf"
