#!/usr/bin/env bash
# Counts how many acknowledged items are lost when a server is killed (SIGKILL) or stopped in order (SIGTERM): Reverb
# with one checkpoint per second, and the learner with its journal. Writes the table into docs/faults.md.
#
#   Benchmarks/account.sh [PYTHON]                 PYTHON as for Benchmarks/replay.sh
#
# Variables: ROUNDS of Reverb (10), MINUTES of the learner (1), which is ended as often as the time allows, and TORTURE
# (.build/release/stepwise-torture).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
rounds=${ROUNDS:-10}
minutes=${MINUTES:-1}
torture=${TORTURE:-.build/release/stepwise-torture}
[ -x "$torture" ] || { echo "$torture is missing; run: swift build -c release --product stepwise-torture" >&2; exit 1; }
"$python" -c 'import reverb' 2>/dev/null || {
  echo "$python has no dm-reverb; the comment at the top of Benchmarks/replay.sh says how to install it" >&2
  exit 1
}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for end in kill stop; do
  "$python" Benchmarks/peers/reverb_account.py --rounds "$rounds" --end "$end" 2>/dev/null >"$results/reverb-$end.json"
done
# When a guarantee was broken, the account is printed and the script ends.
"$torture" --minutes "$minutes" --pause 2 --only "kill learner" --json "$results/stepwise-kill.json" >&2
"$torture" --minutes "$minutes" --pause 2 --only "terminate learner" --json "$results/stepwise-stop.json" >&2
python3 Benchmarks/tables.py account "$results" docs/faults.md
