#!/usr/bin/env bash
# The long column of the fault table: `stepwise torture` for MINUTES (10) with three seeds, one after the other, each
# with its account in FOLDER (torture-results). Ends with 1 when any promise was broken.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes="${1:-10}"
folder="${2:-torture-results}"
mkdir -p "$folder"
swift build --configuration release --product stepwise
bad=0
for seed in 1 2 3; do
  .build/release/stepwise torture --minutes "$minutes" --seed "$seed" --json "$folder/seed-$seed.json" || bad=1
done
exit "$bad"
