#!/bin/sh
# Compares the recorded regular-expression cases with what Go's own regexp package makes of them.
#
#   scripts/re2-oracle.sh           check
#   scripts/re2-oracle.sh --write   record Go's results (after adding cases)
#
# Needs a Go compiler: $GO, or go on the path. Without one it says so and succeeds.
set -eu
cd "$(dirname "$0")/../crates/re2/tests/oracle"
go=${GO:-go}
if ! "$go" version >/dev/null 2>&1; then
    echo "skipped: no Go compiler ($go); set GO to its path"
    exit 0
fi
export GOPROXY=off GOTOOLCHAIN=local
case "${1:-}" in
--write) exec "$go" run . -write ../cases/*.jsonl ;;
"") exec "$go" run . ../cases/*.jsonl ;;
*) echo "usage: $0 [--write]" >&2 && exit 2 ;;
esac
