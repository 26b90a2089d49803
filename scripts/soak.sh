#!/usr/bin/env bash
# Runs a cluster under load for MINUTES (default 5; for a long run 60 or more) without faults. Prints its account, and
# how much the memory, descriptors and threads of each role grew from the first half to the second.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build --configuration release --product stepwise-torture
exec .build/release/stepwise-torture --calm --minutes "${1:-5}" --pace 20 --kept 20000 --json "${2:-soak.json}"
