#!/usr/bin/env bash
# The page: `web.sh build` makes web/dist where it is missing or older than its sources (seconds);
# `web.sh chromium` installs the browser that its tests drive.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
say() { echo "geodag: $*" >&2; }

is_built() {
  [ -e web/dist/index.html ] || return 1
  local newer
  newer=$(find web package-lock.json -path web/dist -prune -o -type f -newer web/dist/index.html -print -quit)
  [ -z "$newer" ]
}

build() {
  is_built && return
  if ! command -v vite >/dev/null; then
    [ -e web/dist/index.html ] || say "vite is not installed: / leads to /docs instead of the page"
    return 0
  fi
  say "building the page"
  vite build --logLevel warn web >&2
}

# CHROMIUM names another one.
chromium() {
  command -v "${CHROMIUM:-chromium}" >/dev/null && return
  say "installing Debian's Chromium for the page's tests (once)"
  local run=()
  [ "$(id -u)" = 0 ] || run=(sudo -n)
  "${run[@]}" apt-get update -qq >&2 &&
    DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2
}

case ${1:-} in
  build) build ;;
  chromium) chromium ;;
  *) say "web.sh build|chromium"; exit 2 ;;
esac
