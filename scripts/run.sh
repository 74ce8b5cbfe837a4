#!/usr/bin/env bash
# The entry of `npm test`, `npm run demo`, `npm start` and the like on a fresh machine: installs what is missing,
# finds or starts a Dagger engine where one is needed, then runs.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?run.sh test|demo|start|bench|...}
shift

# On stderr where stdout is an answer that a script may read.
say() { if [ "$what" = create-api-key ]; then echo "geodag: $*" >&2; else echo "geodag: $*"; fi; }

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing the npm packages"
  # Not `npm ci`: it refuses a lock file made where the registry lists this platform's packages only.
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
fi
PATH="$PWD/node_modules/.bin:$PATH" # Node 24 from the npm package `node`

# Built where it is missing or older than its sources, for whoever serves it.
case $what in
  start | api | test | screenshot) bash scripts/web.sh build ;;
esac

# These need no engine.
case $what in
  api | create-api-key) exec node api/main.ts "$what" "$@" ;;
esac

# Nor do these benches.
case "$what $* " in
  bench:steps\ * | bench:api\ *--worst\ * | bench:api\ *--limit\ *) bench=${what#bench:} ;;
  bench:runner\ *--real\ *) bench= ;;
  bench:runner\ *) bench=runner ;;
  *) bench= ;;
esac
if [ -n "$bench" ]; then
  eval "$(bash scripts/docker.sh env)"
  exec node "test/bench/$bench.ts" "$@"
fi

answers() { timeout "$1" dagger --silent core version >/dev/null 2>&1; }

# Docker can start the stock engine; the SDK fetches its CLI into its cache on the first connect.
docker_starts_one() {
  timeout 10 docker info >/dev/null 2>&1 || return 1
  say "Docker answers: letting Dagger start its engine there (the first time it is pulled)"
  command -v dagger >/dev/null ||
    timeout 600 node --input-type=module -e "import { connection } from '@dagger.io/dagger'; await connection(async () => {})" >/dev/null 2>&1 || return 1
  PATH="${XDG_CACHE_HOME:-$HOME/.cache}/dagger/bin:$PATH"
  local cached=${XDG_CACHE_HOME:-$HOME/.cache}/dagger/dagger-0.21.8
  if ! command -v dagger >/dev/null && [ -x "$cached" ]; then
    mkdir -p "${cached%/*}/bin" && ln -sf "$cached" "${cached%/*}/bin/dagger"
  fi
  answers 600
}

eval "$(bash engine/engine.sh env-if-running)"
if answers 20; then
  say "using the Dagger engine that answers"
elif docker_starts_one; then
  say "using the Dagger engine in Docker"
else
  say "no Dagger engine answers and Docker starts none: making one from packages (about 5 minutes the first time)"
  bash engine/engine.sh install
  bash engine/engine.sh start
  eval "$(bash engine/engine.sh env)"
  say "the engine runs; stop it with: bash engine/engine.sh stop"
fi

case $what in
  test)
    say "checking the format"
    prettier --check .
    say "checking the types"
    tsc --noEmit
    tsc --noEmit -p web
    # Where it cannot be had, the page's tests say so and fail.
    bash scripts/web.sh chromium || say "no Chromium: the tests of the page will fail"
    if [ -z "${DATABASE_URL:-}" ]; then
      say "looking for Docker, for the tests' Postgres and S3 (Debian's is installed where there is none)"
      bash scripts/docker.sh start || say "no Docker: the tests use embedded-postgres"
      eval "$(bash scripts/docker.sh env)"
    fi
    say "running the tests"
    report=$(mktemp)
    status=0
    node node_modules/vitest/vitest.mjs run --config test/vitest.config.ts \
      --reporter=default --reporter=json --outputFile.json="$report" "$@" || status=$?
    node test/support/count.ts "$report"
    exit "$status"
    ;;
  demo) exec node scripts/demo.ts "$@" ;;
  screenshot)
    bash scripts/web.sh chromium
    exec node scripts/screenshot.ts "$@"
    ;;
  start | runner) exec node api/main.ts "$what" "$@" ;;
  chaos) exec node scripts/chaos.ts "$@" ;;
  bench:runner) exec node test/bench/runner.ts "$@" ;;
  bench:api) exec node test/bench/api.ts "$@" ;;
  bench:model) exec node test/bench/model.ts "$@" ;;
  bench:connector) exec node test/bench/connector.ts "$@" ;;
  bench) exec node test/bench/bench.ts "$@" ;;
  *) say "unknown: $what"; exit 2 ;;
esac
