#!/usr/bin/env bash
# A Docker daemon for the tests' servers, where none answers: Debian's, unprivileged containers only.
#
#   docker.sh start   installs and starts what is missing; quick when it runs
#   docker.sh stop    stops the one that `start` started
#   docker.sh env     prints what a shell must export to use it; nothing for a daemon of the machine's own
set -euo pipefail

home=${ENGINE_HOME:-/var/lib/engine-kit}
socket=/run/geodag-docker.sock
log=$home/logs/docker.log
own() { DOCKER_HOST=unix://$socket timeout 10 docker info >/dev/null 2>&1; }

start() {
  if timeout 10 docker info >/dev/null 2>&1 || own; then return; fi
  mkdir -p "$home/logs" "$home/docker"
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "docker.sh: needs root and apt-get" >&2; exit 1; }
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io; } >"$log" 2>&1 ||
      { echo "docker.sh: docker.io did not install; see $log" >&2; exit 1; }
  fi
  rm -f /run/geodag-docker.pid
  # Every inherited descriptor is closed: a caller that waits for its pipe must not wait for the daemon.
  setsid dockerd --data-root "$home/docker" --exec-root /run/geodag-docker --host "unix://$socket" \
    --pidfile /run/geodag-docker.pid --registry-mirror http://127.0.0.1:5000 >"$log" 2>&1 </dev/null 3>&- &
  # A daemon that was killed with its machine looks through its layers first.
  local pid=$! until=$((SECONDS + 180))
  while ((SECONDS < until)) && kill -0 "$pid" 2>/dev/null; do
    if own; then return; fi
    sleep 0.5
  done
  echo "docker.sh: dockerd does not answer; see $log" >&2
  exit 1
}

case ${1:-} in
  start) start ;;
  stop) [ ! -e /run/geodag-docker.pid ] || kill "$(cat /run/geodag-docker.pid)" ;;
  env)
    if ! timeout 10 docker info >/dev/null 2>&1 && own; then
      echo "export DOCKER_HOST=unix://$socket TESTCONTAINERS_RYUK_DISABLED=true"
    fi
    ;;
  *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
