#!/usr/bin/env bash
# Mutated messages for as long as one likes: ROUNDS (10 million) with SEED (the time). The tests do 100,000.
set -euo pipefail
cd "$(dirname "$0")/.."
export STEPWISE_FUZZ_ROUNDS="${1:-10000000}" STEPWISE_FUZZ_SEED="${2:-$(date +%s)}"
echo "seed $STEPWISE_FUZZ_SEED, $STEPWISE_FUZZ_ROUNDS messages"
swift build --configuration release --build-tests
swift test --configuration release --skip-build --filter MutationTests 2>&1 | grep -E "mutated|✘|Test run"
