#!/usr/bin/env bash
# A whole cluster under load for MINUTES (5; 60 and more for the long column) without a fault: prints its account, and how
# much memory, descriptors and threads of each kind of part grew from the first half to the second.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build --configuration release --product stepwise
exec .build/release/stepwise torture --calm --minutes "${1:-5}" --pace 20 --kept 20000 --json "${2:-soak.json}"
