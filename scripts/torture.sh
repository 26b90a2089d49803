#!/usr/bin/env bash
# The long test of the fault table: `stepwise-torture` for MINUTES (default 10) with each of three seeds, with one
# account per seed in FOLDER (default torture-results). Exits with status 1 when a guarantee was broken.
#
#   scripts/torture.sh [MINUTES [FOLDER]]
set -euo pipefail
cd "$(dirname "$0")/.."
minutes="${1:-10}"
folder="${2:-torture-results}"
mkdir -p "$folder"
swift build --configuration release --product stepwise-torture
bad=0
for seed in 1 2 3; do
  .build/release/stepwise-torture --minutes "$minutes" --seed "$seed" --json "$folder/seed-$seed.json" || bad=1
done
exit "$bad"
