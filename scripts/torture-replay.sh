#!/usr/bin/env bash
# Long tests of storage faults: crashes at every system call, fuzzed journals and segments, and a learner that is killed
# while actors insert and during training. These are the tests of scripts/test.sh with other seeds and more rounds.
# Prints their accounts.
#
#   scripts/torture-replay.sh [FACTOR [SEED]]     FACTOR 25 gives 500 kills under inserts, 250 kills with resume,
#                                                 2,500,000 fuzzed inputs
set -euo pipefail
cd "$(dirname "$0")/.."

export STEPWISE_FAULT_SCALE="${1:-25}" STEPWISE_FUZZ_SCALE="${1:-25}"
export STEPWISE_FAULT_SEED="${2:-1}" STEPWISE_FUZZ_SEED="${2:-1}"
swift build --configuration release --build-tests
swift test --configuration release --skip-build --filter "FaultTests|ReplayTests" 2>&1 |
  grep -E "killed|✔ Test|✘|Test run"
