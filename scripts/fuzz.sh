#!/usr/bin/env bash
# Decodes mutated messages: ROUNDS of them (default 10 million), with SEED (default: the time). The tests decode
# 100,000.
#
#   scripts/fuzz.sh [ROUNDS [SEED]]
set -euo pipefail
cd "$(dirname "$0")/.."
export STEPWISE_FUZZ_ROUNDS="${1:-10000000}" STEPWISE_FUZZ_SEED="${2:-$(date +%s)}"
echo "seed $STEPWISE_FUZZ_SEED, $STEPWISE_FUZZ_ROUNDS messages"
swift build --configuration release --build-tests
swift test --configuration release --skip-build --filter MutationTests 2>&1 | grep -E "mutated|✘|Test run"
