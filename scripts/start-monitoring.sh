#!/usr/bin/env bash
# Starts, stops and looks after the whole monitoring stack.
#
# All ten services are one program, cloudos-monitor. This script builds it when
# needed, starts it in the background, waits until every service answers, and
# says where to look. It asks no questions and needs no containers.
#
# Only bash and coreutils are assumed at run time: health is probed through
# bash's /dev/tcp, and the owner of a busy port is found in /proc, so a machine
# without curl, ss and lsof gets the same answers.

set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit 1

target_dir=${CARGO_TARGET_DIR:-$root/target}
binary=$target_dir/release/cloudos-monitor
data_dir=${CLOUDOS_DATA_DIR:-$root/data}
[[ $data_dir == /* ]] || data_dir=$root/$data_dir
export CLOUDOS_DATA_DIR=$data_dir
pid_file=$data_dir/run/cloudos-monitor.pid
log_file=$data_dir/logs/cloudos-monitor.log
log_bytes_max=$((64 * 1024 * 1024))
start_timeout_s=${CLOUDOS_START_TIMEOUT:-60}
stop_timeout_s=${CLOUDOS_STOP_TIMEOUT:-30}

# Service, port, and the path that answers 200 once the service is ready.
services=(
  "prometheus       9090  /-/ready"
  "grafana          3000  /api/health"
  "alertmanager     9093  /-/ready"
  "loki             3100  /ready"
  "jaeger           16686 /api/services"
  "node-exporter    9100  /"
  "cadvisor         8080  /healthz"
  "promtail         9080  /ready"
  "cloudos-exporter ${CLOUDOS_METRICS_PORT:-9200} /-/healthy"
  "pushgateway      9091  /-/ready"
)

usage() {
  cat <<TEXT
Usage: scripts/start-monitoring.sh [command]

  (none), start        build what is missing, start everything, wait until it is healthy
  stop                 stop everything
  restart              stop, then start
  status               is it running, since when, with how much memory
  health               probe all ten services; fails if one is down
  logs [-f] [service]  the last log lines, of one service if named; -f follows them
  build                build the web app and the program
  build-program        build only the program, around the web app as it is
  help                 this text

Environment:
  CLOUDOS_DATA_DIR            where data, logs and the pid file live (default: data/)
  CLOUDOS_LOG_LEVEL           DEBUG, INFO, WARN or ERROR (default: INFO)
  CLOUDOS_METRICS_PORT        port of the CloudOS Exporter (default: 9200)
  CLOUDOS_SLACK_API_URL       written to alertmanager/secrets/ at start, see the README there
  CLOUDOS_SMTP_AUTH_PASSWORD  likewise
  CARGO_TARGET_DIR            where cargo builds (default: target/)
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# --- Building ---------------------------------------------------------------

# older_than FILE PATH...: is FILE missing, or older than anything in the paths?
older_than() {
  local file=$1 path present=()
  shift
  [[ -e $file ]] || return 0
  for path in "$@"; do [[ -e $path ]] && present+=("$path"); done
  [[ ${#present[@]} -gt 0 ]] || return 1
  [[ -n $(find "${present[@]}" -type f -newer "$file" -print -quit) ]]
}

need_tool() { # need_tool COMMAND WHAT-FOR HOW-TO-INSTALL
  command -v "$1" >/dev/null && return
  printf 'error: %s is needed to build %s and was not found. Install it with\n\n    %s\n\nthen run this command again.\n' "$1" "$2" "$3" >&2
  exit 1
}

# A toolchain that rustup has just installed is not yet on the PATH.
if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo ]]; then
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
fi

need_rust() {
  local curl_install='curl --proto "=https" --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y'
  local wanted have
  command -v curl >/dev/null || curl_install="sudo apt-get install -y curl && $curl_install"
  need_tool cargo "cloudos-monitor" "$curl_install"
  need_tool cc "cloudos-monitor" "sudo apt-get install -y build-essential"
  wanted=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
  have=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
  if [[ -n $wanted && -n $have && $have -lt $wanted ]]; then
    fail "Rust 1.$have is too old, 1.$wanted or newer is needed. Update it with: rustup update stable"
  fi
}

need_node() {
  local version major minor
  need_tool node "the web app" "sudo apt-get install -y nodejs npm"
  need_tool npm "the web app" "sudo apt-get install -y npm"
  version=$(node --version)
  IFS=. read -r major minor _ <<<"${version#v}"
  if [[ $major -lt 20 || ($major -eq 20 && $minor -lt 19) ]]; then
    fail "Node.js $version is too old for the web app, 20.19 or newer is needed. Install one with: sudo npm install -g n && sudo n lts"
  fi
}

build_ui() { # build_ui [force]
  local sources=() path
  [[ -e ui/package.json ]] || return 0
  for path in ui/*; do
    case ${path#ui/} in dist | node_modules | e2e | dev | README.md) ;; *) sources+=("$path") ;; esac
  done
  if [[ ${1:-} != force ]] && ! older_than ui/dist/index.html "${sources[@]}"; then return 0; fi
  need_node
  if older_than ui/node_modules/.package-lock.json ui/package-lock.json; then
    say "Fetching the web app's packages (npm ci) ..."
    (cd ui && npm ci --no-audit --no-fund) || fail "npm ci failed; its message is above"
  fi
  say "Building the web app (npm run build) ..."
  (cd ui && npm run build) || fail "the web app did not build; the message is above"
}

build_binary() { # build_binary [force]
  # The stamp remembers a build that cargo found nothing to do for, which leaves
  # the program itself older than the file that was touched.
  local stamp=$target_dir/release/.cloudos-monitor.built
  # The default configuration is compiled in as well, but here the files
  # themselves are read: editing one is no reason to build.
  local sources=(Cargo.toml Cargo.lock crates ui/dist)
  if [[ ${1:-} != force ]] && [[ -x $binary ]] &&
    { ! older_than "$binary" "${sources[@]}" || ! older_than "$stamp" "${sources[@]}"; }; then
    return 0
  fi
  need_rust
  say "Building cloudos-monitor (cargo build --release); the first time takes several minutes ..."
  cargo build --release --locked -p cloudos-monitor || fail "cargo build failed; its message is above"
  touch "$stamp"
}

build() {
  build_ui "${1:-}"
  build_binary "${1:-}"
}

# --- The process ------------------------------------------------------------

# Prints the pid if the recorded process lives and really is our program; a pid
# file that survived a reboot may name somebody else's process.
running_pid() {
  local pid exe
  read -r pid 2>/dev/null <"$pid_file" || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
  exe=${exe% (deleted)} # it was rebuilt while running
  [[ ${exe##*/} == cloudos-monitor ]] || return 1
  printf '%s' "$pid"
}

now_ms() {
  local now=${EPOCHREALTIME/[.,]/}
  printf '%s' "$((now / 1000))"
}

# Waits without starting a process: reads from a pipe in which nothing ever arrives.
exec {quiet_fd}<> <(:)
pause() { read -r -t "$1" -u "$quiet_fd"; }

# healthy PORT PATH: does it answer 200? `reply` says what it did.
reply=
healthy() {
  local fd line=
  reply="nothing listens on this port"
  { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  { printf 'GET %s HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&"$fd"; } 2>/dev/null
  IFS= read -r -t 3 -u "$fd" line
  # Hanging up on an unfinished answer would look like an error over there.
  read -r -t 1 -u "$fd" -d '' _
  exec {fd}>&-
  reply="GET $2 answers: ${line:-nothing within 3 s}"
  [[ $line == HTTP/1.[01]\ 200* ]]
}

# Prints "pid command" of whoever listens on a TCP port; nothing when it is free.
port_owner() {
  local hex inode link pid command
  printf -v hex ':%04X' "$1"
  # Fields of /proc/net/tcp: 2 local address, 4 state (0A = listening), 10 inode.
  inode=$(awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  [[ -n $inode ]] || return 1
  link=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\[$inode\]" -print -quit 2>/dev/null)
  pid=${link#/proc/}
  pid=${pid%%/*}
  if [[ -z $pid ]]; then
    printf 'a process of another user'
  else
    command=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)
    printf 'pid %s: %s' "$pid" "${command% }"
  fi
}

refuse_busy_ports() {
  local line name port path owner busy=0
  for line in "${services[@]}" "jaeger-otlp-grpc 4317 -" "jaeger-otlp-http 4318 -"; do
    read -r name port path <<<"$line"
    owner=$(port_owner "$port") || continue
    printf 'error: port %s, needed by %s, is in use by %s\n' "$port" "$name" "$owner" >&2
    busy=1
  done
  if [[ $busy == 1 ]]; then
    say "Stop these processes (kill <pid>) and start again." >&2
    exit 1
  fi
}

# secret_from_env VARIABLE FILE
secret_from_env() {
  [[ -n ${!1:-} ]] || return 0
  mkdir -p alertmanager/secrets
  (umask 077 && printf '%s\n' "${!1}" >"alertmanager/secrets/$2") || fail "cannot write alertmanager/secrets/$2"
  unset "$1"
}

start() {
  local pid began deadline line name port path pending left
  if pid=$(running_pid); then
    say "cloudos-monitor is already running (pid $pid)."
    health
    return
  fi
  build
  refuse_busy_ports
  mkdir -p "$data_dir"/{run,logs,prometheus_data,grafana_data,loki_data,alertmanager_data,jaeger_data} ||
    fail "cannot create the data directories in $data_dir"
  secret_from_env CLOUDOS_SLACK_API_URL slack_api_url
  secret_from_env CLOUDOS_SMTP_AUTH_PASSWORD smtp_auth_password
  if [[ -e $log_file && $(stat -c %s "$log_file") -gt $log_bytes_max ]]; then
    mv "$log_file" "$log_file.1"
  fi

  began=$(now_ms)
  # A session of its own: closing the terminal does not reach it, while SIGHUP
  # keeps its meaning (read the configuration again).
  setsid "$binary" up >>"$log_file" 2>&1 </dev/null {quiet_fd}>&- &
  pid=$!
  printf '%s\n' "$pid" >"$pid_file"

  deadline=$((began + start_timeout_s * 1000))
  pending=("${services[@]}")
  trap '' PIPE # a server that hangs up during a probe must not end this script
  while :; do
    left=()
    for line in "${pending[@]}"; do
      read -r name port path <<<"$line"
      healthy "$port" "$path" || left+=("$line")
    done
    [[ ${#left[@]} -gt 0 ]] || break
    pending=("${left[@]}")
    if ! kill -0 "$pid" 2>/dev/null; then
      rm -f "$pid_file"
      say "cloudos-monitor ended during its start. Its last words:" >&2
      tail -n 20 "$log_file" >&2
      exit 1
    fi
    if [[ $(now_ms) -gt $deadline ]]; then
      health
      say "Not everything was healthy within $start_timeout_s s. Look at: scripts/start-monitoring.sh logs ${pending[0]%% *}" >&2
      exit 1
    fi
    pause 0.05
  done
  trap - PIPE
  local took=$(($(now_ms) - began))

  health
  printf '\nAll services were healthy after %d.%02d s (pid %s, data in %s).\n' $((took / 1000)) $((took % 1000 / 10)) "$pid" "$data_dir"
  say "Open  http://localhost:3000  and log in as admin with the password cloudos123."
}

stop() {
  local pid deadline
  if ! pid=$(running_pid); then
    rm -f "$pid_file"
    say "cloudos-monitor is not running."
    return 0
  fi
  say "Stopping cloudos-monitor (pid $pid) ..."
  kill -TERM "$pid" || fail "cannot stop process $pid"
  deadline=$(($(now_ms) + stop_timeout_s * 1000))
  while [[ $(running_pid) == "$pid" ]]; do
    if [[ $(now_ms) -gt $deadline ]]; then
      fail "it has not ended after $stop_timeout_s s. Its log may say why; as a last resort: kill -9 $pid"
    fi
    pause 0.05
  done
  rm -f "$pid_file"
  say "Stopped."
}

# --- Looking ----------------------------------------------------------------

health() {
  local line name port path state down=0
  trap '' PIPE
  printf '%-18s %-7s %s\n' SERVICE PORT HEALTH
  for line in "${services[@]}"; do
    read -r name port path <<<"$line"
    state=healthy
    if ! healthy "$port" "$path"; then
      state="DOWN    ${reply%$'\r'}"
      down=$((down + 1))
    fi
    printf '%-18s %-7s %s\n' "$name" "$port" "$state"
  done
  trap - PIPE
  [[ $down == 0 ]] || say "$down of ${#services[@]} services are down."
  [[ $down == 0 ]]
}

status() {
  local pid
  if ! pid=$(running_pid); then
    say "cloudos-monitor is not running. Start it with: scripts/start-monitoring.sh"
    return 3
  fi
  say "cloudos-monitor is running (pid $pid)."
  say "  since   $(ps -o lstart= -p "$pid" 2>/dev/null || stat -c %y "/proc/$pid")"
  say "  memory  $(awk '/^VmRSS/ { printf "%.1f MiB", $2 / 1024 }' "/proc/$pid/status")"
  say "  data    $data_dir ($(du -sh "$data_dir" 2>/dev/null | cut -f1))"
  say "  log     $log_file"
  say ""
  health
}

logs() {
  local follow=0 service='' line known=''
  while [[ $# -gt 0 ]]; do
    case $1 in
      -f | --follow) follow=1 ;;
      -*) fail "unknown option $1; usage: logs [-f] [service]" ;;
      *) service=$1 ;;
    esac
    shift
  done
  [[ -e $log_file ]] || fail "there is no log yet: $log_file"
  if [[ -n $service ]]; then
    for line in "${services[@]}"; do known+=" ${line%% *}"; done
    known+=" monitor" # the program around the services
    [[ " $known " == *" $service "* ]] || fail "unknown service $service; there are:$known"
  fi
  # Both of our log formats: service=loki and "service":"loki".
  local pattern="service\"?[=:]\"?$service(\"| |,|}|\$)"
  [[ -n $service ]] || pattern=
  if [[ $follow == 1 ]]; then
    tail -n 100 -F "$log_file" 2>/dev/null | grep --line-buffered -E -- "$pattern"
  else
    grep -E -- "$pattern" "$log_file" | tail -n 200
  fi
  return 0
}

[[ $(uname -s) == Linux ]] || fail "this runs on Linux; here is $(uname -s)"
[[ ${BASH_VERSINFO[0]} -ge 5 ]] || fail "bash 5 or newer is needed; this is $BASH_VERSION"

command=${1:-start}
[[ $# -eq 0 ]] || shift
if [[ $command != logs && $# -gt 0 ]]; then
  usage >&2
  fail "$command takes no arguments: $*"
fi
case $command in
  start) start ;;
  stop) stop ;;
  restart) stop && start ;;
  status) status ;;
  health) health ;;
  logs) logs "$@" ;;
  build) build force ;;
  build-program) build_binary force ;;
  help | -h | --help) usage ;;
  *)
    usage >&2
    fail "unknown command: $command"
    ;;
esac
