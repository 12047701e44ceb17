#!/bin/sh
# Compares the recorded template cases with what Go's own packages make of them.
#
#   scripts/template-oracle.sh           check
#   scripts/template-oracle.sh --write   record Go's outputs (after adding cases)
#
# Needs a Go compiler: $GO, or go on the path. Without one it says so and succeeds.
set -eu
cd "$(dirname "$0")/../crates/template/tests/oracle"
go=${GO:-go}
if ! "$go" version >/dev/null 2>&1; then
    echo "skipped: no Go compiler ($go); set GO to its path"
    exit 0
fi
export GOPROXY=off GOTOOLCHAIN=local
case "${1:-}" in
--write) exec "$go" run . -write ../cases/*.cases ;;
"") exec "$go" run . ../cases/*.cases ;;
*) echo "usage: $0 [--write]" >&2 && exit 2 ;;
esac
