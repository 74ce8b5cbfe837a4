# Postgres, then the API on it.
set -euo pipefail
pg_ctl -w -s -l /tmp/postgres.log -o "-c fsync=off" start
export ENABLE_TRANSACTIONS_EXTENSIONS=TRUE
exec uvicorn stac_fastapi.pgstac.app:create_app --factory --host 0.0.0.0 --port 8082
