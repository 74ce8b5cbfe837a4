#!/usr/bin/env bash
# The entry of `npm test`, `npm run demo` and `npm run bench` on a fresh machine: installs what is
# missing, finds or starts a Dagger engine, then runs.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?run.sh test|demo|bench}
shift

say() { echo "geodag: $*"; }

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing the npm packages"
  # Not `npm ci`: it refuses a lock file made where the registry lists this platform's packages only.
  npm install --no-save --no-audit --no-fund
fi
PATH="$PWD/node_modules/.bin:$PATH" # Node 24 from the npm package `node`

if timeout 20 dagger --silent core version >/dev/null 2>&1; then
  say "using the Dagger engine that answers"
else
  say "no Dagger engine answers: installing what is missing (about 5 minutes the first time)"
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
    say "running the tests"
    report=$(mktemp)
    status=0
    node node_modules/vitest/vitest.mjs run --config test/vitest.config.ts \
      --reporter=default --reporter=json --outputFile.json="$report" "$@" || status=$?
    node test/support/count.ts "$report"
    exit "$status"
    ;;
  demo) exec node engine/demo.ts "$@" ;;
  bench) exec node test/bench/bench.ts "$@" ;;
  *) say "unknown: $what"; exit 2 ;;
esac
