#!/usr/bin/env bash
# What is left of what was acknowledged when a server is killed (SIGKILL), or told to end (SIGTERM) in order: Reverb with
# a checkpoint a second, and the learner with its journal. Prints both columns as a table.
#
#   Benchmarks/account.sh [PYTHON]                 PYTHON as for Benchmarks/replay.sh
#
# ROUNDS (10) of Reverb's and MINUTES (1) of the learner's, with as many ends as fit, and STEPWISE may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
rounds=${ROUNDS:-10}
minutes=${MINUTES:-1}
stepwise=${STEPWISE:-.build/release/stepwise}
[ -x "$stepwise" ] || { echo "expected $stepwise; run: swift build -c release" >&2; exit 1; }
"$python" -c 'import reverb' 2>/dev/null || {
  echo "$python: expected dm-reverb; see the head of Benchmarks/replay.sh" >&2
  exit 1
}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for end in kill stop; do
  "$python" Benchmarks/peers/reverb_account.py --rounds "$rounds" --end "$end" 2>/dev/null >"$results/reverb-$end.json"
done
# The account is printed when it is bad, and the script ends.
"$stepwise" torture --minutes "$minutes" --pause 2 --only "kill learner" --json "$results/stepwise-kill.json" >&2
"$stepwise" torture --minutes "$minutes" --pause 2 --only "terminate learner" --json "$results/stepwise-stop.json" >&2
python3 Benchmarks/tables.py account "$results" docs/faults.md
