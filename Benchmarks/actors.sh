#!/usr/bin/env bash
# Trajectories a second of the whole pipeline with 1, 4, 16, 64 and 256 actors that take a second for a group, into
# docs/benchmarks.md: learner, routers, reward servers and actors are the programs' own, only sampling is simulated.
#
#   Benchmarks/actors.sh [ACTORS...]
#
# MINUTES a measurement (0.5) and STEPWISE (.build/release/stepwise) may be set. Results are kept in RESULTS
# (runs/benchmarks/actors).
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${MINUTES:-0.5}
results=${RESULTS:-runs/benchmarks/actors}
stepwise=${STEPWISE:-.build/release/stepwise}
[ -x "$stepwise" ] || { echo "expected $stepwise; run: swift build -c release" >&2; exit 1; }
mkdir -p "$results"
for actors in ${@:-1 4 16 64 256}; do
  "$stepwise" torture --calm --actors "$actors" --batch 1 --pace 1000 --minutes "$minutes" \
    --json "$results/$actors.json"
done
python3 Benchmarks/tables.py actors "$results" docs/benchmarks.md
