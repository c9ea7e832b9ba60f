#!/usr/bin/env bash
# Runs a command that needs a Docker engine and Compose v2:  with-engine.sh COMMAND [ARGUMENT…]
#
# Uses `docker` and `docker compose` as they are if they answer. Otherwise (Debian, root) it installs the engine from
# the machine's own packages, and Compose and Buildx from Debian's sid. That engine listens on a socket of its own and
# keeps its data in the cache folder; the last command that uses it stops it by its process id. Several of these may run
# at once. The command finds the engine through DOCKER_HOST and DOCKER_CONFIG.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ $# -gt 0 ] || die 'usage: with-engine.sh COMMAND [ARGUMENT…]'

# Prefer a developer's own engine.
if [ -z "${CHAT_CI_OWN_ENGINE:-}" ] && docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
  exec "$@"
fi

[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
  die 'no Docker engine answers; start one, or run this as root on Debian, which installs one'

export DOCKER_CONFIG=$cache/config
export DOCKER_HOST=unix://$run/docker.sock
pidfile=$run/dockerd.pid

# Compose and Buildx are two Go programs, so nothing else of sid is needed.
fetch_plugins() {
  local plugins=$DOCKER_CONFIG/cli-plugins root work
  [ -x "$plugins/docker-compose" ] && [ -x "$plugins/docker-buildx" ] && return
  root=$(sid_root)
  say 'fetching docker-compose and docker-buildx'
  work=$root/tmp/plugins
  rm -rf "$work"
  mkdir -p "$work" "$plugins"
  in_root "$root" sh -c 'cd /tmp/plugins && apt-get download docker-compose docker-buildx' >"$run/plugins.log" 2>&1 ||
    { tail -n 20 "$run/plugins.log" >&2; die 'Compose could not be downloaded'; }
  local package
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
  cp "$work"/root/usr/libexec/docker/cli-plugins/* "$plugins/"
  rm -rf "$work"
}

engine_answers() { docker info >/dev/null 2>&1; }

start_engine() {
  engine_answers && return
  # dockerd writes firewall rules and never removes them: stop_engine restores what is saved here.
  iptables-save >"$run/iptables.before"
  cat /proc/sys/net/ipv4/ip_forward >"$run/ip_forward.before"
  ip -o link show docker0 >/dev/null 2>&1 && touch "$run/docker0.before" || rm -f "$run/docker0.before"
  rm -f "$pidfile" "$run/docker.sock"
  say "starting dockerd (log: $run/dockerd.log)"
  # It must not inherit the lock (9), nor belong to this process group: Ctrl-C is for the command only.
  setsid dockerd --host "$DOCKER_HOST" --data-root "$cache/docker" --exec-root "$run/exec" --pidfile "$pidfile" \
    </dev/null >"$run/dockerd.log" 2>&1 9>&- &
  local started=$! _
  for _ in $(seq 150); do
    engine_answers && return
    kill -0 "$started" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$run/dockerd.log" >&2
  die 'dockerd did not come up'
}

stop_engine() {
  local pid _
  pid=$(cat "$pidfile" 2>/dev/null) || return 0
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 0
  kill "$pid"
  for _ in $(seq 150); do
    [ -e "/proc/$pid" ] || break
    sleep 0.2
  done
  # Another engine on this machine still needs the rules.
  if pgrep -x dockerd >/dev/null; then return 0; fi
  [ -e "$run/docker0.before" ] || ip link delete docker0 2>/dev/null || true
  # The saved rules lack tables that did not exist before, so empty this one first.
  iptables-restore <<'RULES'
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
RULES
  iptables-restore <"$run/iptables.before"
  cat "$run/ip_forward.before" >/proc/sys/net/ipv4/ip_forward
  say 'dockerd stopped'
}

# Each user of the engine holds this lock shared. The one that gets it exclusively is the last, and stops the engine.
exec 9>"$run/users.lock"
leave() {
  local code=$?
  trap - EXIT
  if flock --nonblock --exclusive 9; then stop_engine; fi
  exit "$code"
}

need_packages docker.io iptables iproute2 procps util-linux
exec 8>"$run/start.lock"
flock --exclusive 8
flock --shared 9
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
fetch_plugins
start_engine
flock --unlock 8
exec 8>&-

# Run in the background and waited for, so that this script forwards a signal at once.
"$@" 9>&- &
child=$!
forward() { kill -s "$1" "$child" 2>/dev/null || true; wait "$child" 2>/dev/null || true; exit "$2"; }
trap 'forward INT 130' INT
trap 'forward TERM 143' TERM
code=0
wait "$child" || code=$?
exit "$code"
