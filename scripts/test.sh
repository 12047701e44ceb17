#!/usr/bin/env bash
# Runs every check of the repository, from formatting to a browser on the
# running stack, and says at the end what passed and what failed.
#
# On a fresh Debian machine it first installs what the tests need (as root or
# with sudo). A failing step fails the whole run, but later steps still run, so
# that one run shows everything that is wrong.
#
#   scripts/test.sh               all steps
#   scripts/test.sh lint rust     only these: packages web lint rust release
#                                 clients black-box browser

set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit 1

target_dir=${CARGO_TARGET_DIR:-$root/target}
venv=$target_dir/test-venv
log_dir=$target_dir/test-logs
mkdir -p "$log_dir"

debian_packages=(build-essential chromium curl python3 python3-venv nodejs npm)
python_packages=(
  prometheus-client
  opentelemetry-sdk
  opentelemetry-exporter-otlp-proto-grpc
  opentelemetry-exporter-otlp-proto-http
  aiosmtpd
)

# Plain text: the output is read by the counters below and by build servers.
export NO_COLOR=1 CARGO_TERM_COLOR=never
unset FORCE_COLOR
if ! command -v cargo >/dev/null && [[ -x ${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo ]]; then
  PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
fi

# --- Steps and their counts ---------------------------------------------------

total_passed=0
total_failed=0
report=()

# number PATTERN FILE: sums the numbers in front of a word, such as "12 passed".
number() { grep -oE "[0-9]+ $1" "$2" | awk '{ n += $1 } END { print n + 0 }'; }

# count KIND LOG EXIT-CODE: sets `passed` and `failed`.
count() {
  local closing
  passed=0
  failed=0
  closing=$(mktemp)
  case $1 in
    one) [[ $3 == 0 ]] && passed=1 || failed=1 ;;
    # "Summary [ 1.2s] 30 tests run: 29 passed, 1 failed, 2 skipped"
    nextest) grep -E '^ *Summary \[' "$2" >"$closing" ;;
    # "test result: ok. 3 passed; 0 failed; ...", one for each test binary
    cargo-test) grep -E '^test result:' "$2" >"$closing" ;;
    # "      Tests  1 failed | 41 passed (42)"
    vitest) sed 's/\x1b\[[0-9;]*m//g' "$2" | grep -E '^ *Tests ' >"$closing" ;;
    # "41 passed, 1 failed"
    summary) grep -E '^[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1 >"$closing" ;;
    # "Ran 7 tests in 0.1s" and perhaps "FAILED (failures=1, errors=1)"
    unittest)
      failed=$(grep -E '^FAILED \(' "$2" | grep -oE '(failures|errors)=[0-9]+' | awk -F= '{ n += $2 } END { print n + 0 }')
      passed=$(($(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$2" | tail -n 1) - failed))
      ;;
  esac
  if [[ -s $closing ]]; then
    passed=$(number passed "$closing")
    failed=$(($(number failed "$closing") + $(number 'timed out' "$closing")))
  fi
  rm -f "$closing"
  # A suite that broke before it could count, or that counted nothing, failed.
  if [[ $failed == 0 && ($3 != 0 || $passed == 0) ]]; then failed=1; fi
}

# step KIND NAME COMMAND...
step() {
  local kind=$1 name=$2 log code began=$SECONDS passed failed mark=ok
  shift 2
  log=$log_dir/${name//[^a-z0-9]/-}.log
  printf '\n=== %s\n' "$name"
  "$@" 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  count "$kind" "$log" "$code"
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  [[ $failed == 0 ]] || mark=FAILED
  local line
  printf -v line '%-7s %-34s %5d s   %d passed, %d failed' "$mark" "$name" $((SECONDS - began)) "$passed" "$failed"
  report+=("$line")
  printf -- '--- %s\n' "$line"
  [[ $failed == 0 ]]
}

skip() { # skip NAME WHY
  printf '\n=== %s\nskipped: %s\n' "$1" "$2"
  report+=("$(printf '%-7s %-34s %s' skipped "$1" "$2")")
}

# --- What the steps do ----------------------------------------------------------

install_debian_packages() {
  local missing=() package sudo=
  for package in "${debian_packages[@]}"; do
    # A tool that came from somewhere else is as good as the package.
    case $package in
      build-essential) command -v cc >/dev/null && command -v make >/dev/null && continue ;;
      python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null && continue ;;
      nodejs) command -v node >/dev/null && continue ;;
      *) command -v "$package" >/dev/null && continue ;;
    esac
    missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || { echo "nothing to install"; return 0; }
  [[ $(id -u) == 0 ]] || sudo=sudo
  echo "installing: ${missing[*]}"
  if ! command -v apt-get >/dev/null || { [[ -n $sudo ]] && ! command -v sudo >/dev/null; }; then
    echo "error: install these with your package manager: ${missing[*]}"
    return 1
  fi
  $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

install_python_packages() {
  [[ -x $venv/bin/python ]] || python3 -m venv "$venv" || return 1
  local extra=()
  [[ -e tests/requirements.txt ]] && extra=(-r tests/requirements.txt)
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${python_packages[@]}" "${extra[@]}" &&
    "$venv/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -iE 'prometheus|opentelemetry-sdk|aiosmtpd'
}

check_toolchain() {
  if ! command -v cargo >/dev/null; then
    echo "error: cargo was not found. Install Rust with"
    echo
    echo '    curl --proto "=https" --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y'
    return 1
  fi
  cargo --version && rustc --version
}

in_ui() { (cd ui && "$@"); }

# rate() needs two scrapes; panels are only worth looking at afterwards.
wait_for_rates() {
  local query='count(rate(node_cpu_seconds_total[1m])) and count(rate(container_cpu_usage_seconds_total[1m]))' i
  for ((i = 0; i < 240; i++)); do
    if curl -fsS --get --data-urlencode "query=$query" http://localhost:9090/api/v1/query 2>/dev/null | grep -q '"value"'; then
      return 0
    fi
    sleep 0.5
  done
  echo "error: there were no rates of node and container metrics after two minutes"
  return 1
}

look_at_pages() {
  GRAFANA_URL=http://localhost:3000 PROMETHEUS_URL=http://localhost:9090 \
    ALERTMANAGER_URL=http://localhost:9093 JAEGER_URL=http://localhost:16686 \
    CHROMIUM=${CHROMIUM:-$(command -v chromium)} \
    timeout --kill-after=10 600 node ui/e2e/run.mjs
}

browser_tests() {
  local code
  CLOUDOS_DATA_DIR=$(mktemp -d) || return 1
  export CLOUDOS_DATA_DIR
  if scripts/start-monitoring.sh start && wait_for_rates; then
    look_at_pages
    code=$?
    # A second look tells a page that was late from one that is broken.
    if [[ $code != 0 ]]; then
      echo "=== looking at the pages once more"
      look_at_pages
      code=$?
    fi
  else
    code=1
  fi
  if [[ $code != 0 ]]; then scripts/start-monitoring.sh logs | tail -n 50 || true; fi
  scripts/start-monitoring.sh stop || code=1
  rm -rf "$CLOUDOS_DATA_DIR"
  unset CLOUDOS_DATA_DIR
  return "$code"
}

black_box_tests() {
  CLOUDOS_BINARY=$target_dir/release/cloudos-monitor timeout --kill-after=10 1800 "$venv/bin/python" tests/run.py
}

# --- The run ----------------------------------------------------------------------

wanted=" $* "
want() { [[ $wanted == "  " || $wanted == *" $1 "* ]]; }
for name in "$@"; do
  case $name in
    packages | web | lint | rust | release | clients | black-box | browser) ;;
    *)
      sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      echo "error: unknown step $name" >&2
      exit 2
      ;;
  esac
done

if want packages; then
  step one "debian packages" install_debian_packages
  step one "rust toolchain" check_toolchain
  step one "python packages" install_python_packages
fi

# The web app comes first: the program carries it.
if want web; then
  if [[ -e ui/package.json ]]; then
    step one "web app: packages" in_ui npm ci --no-audit --no-fund
    step one "web app: types" in_ui npm run check
    step vitest "web app: tests" in_ui npm test
    step one "web app: build" in_ui npm run build
  else
    skip "web app" "there is no ui/package.json"
  fi
fi

if want lint; then
  step one "rust: format" cargo fmt --all --check
  step one "rust: lints" cargo clippy --locked --workspace --all-targets -- -D warnings
fi

if want rust; then
  if cargo nextest --version >/dev/null 2>&1; then
    step nextest "rust: tests" cargo nextest run --locked --workspace --no-fail-fast
  else
    step cargo-test "rust: tests" cargo test --locked --workspace --no-fail-fast
  fi
fi

if want release; then
  step one "rust: release build" scripts/start-monitoring.sh build-program
fi

if want clients; then
  if [[ -d clients/python ]]; then
    step unittest "python client" env PYTHONPATH=clients/python "$venv/bin/python" -m unittest discover -s clients/python/tests -t clients/python
  fi
  if [[ -d clients/c ]]; then
    step summary "c client" make -s -C clients/c BUILD="$target_dir/test-c" test
  fi
fi

if want black-box; then
  if [[ -e tests/run.py ]]; then
    step summary "black-box tests" black_box_tests
  else
    skip "black-box tests" "there is no tests/run.py"
  fi
fi

if want browser; then
  if [[ -e ui/e2e/run.mjs ]]; then
    step summary "browser tests" browser_tests
  else
    skip "browser tests" "there is no ui/e2e/run.mjs"
  fi
fi

printf '\n=== Summary after %d min %02d s\n' $((SECONDS / 60)) $((SECONDS % 60))
printf '%s\n' "${report[@]}"
printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
[[ $total_failed == 0 ]]
