#!/usr/bin/env bash
# Measures the trajectories per second of the whole pipeline with 1, 4, 16, 64 and 256 actors that take one second per
# group, and writes the table into docs/benchmarks.md. Learner, routers, reward servers and actors are the real ones;
# only sampling is simulated.
#
#   Benchmarks/actors.sh [ACTORS...]
#
# Variables: MINUTES per measurement (1), TORTURE (.build/release/stepwise-torture), RESULTS (runs/benchmarks/actors), the
# folder of the results.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${MINUTES:-1}
results=${RESULTS:-runs/benchmarks/actors}
torture=${TORTURE:-.build/release/stepwise-torture}
[ -x "$torture" ] || { echo "$torture is missing; run: swift build -c release --product stepwise-torture" >&2; exit 1; }
mkdir -p "$results"
for actors in ${@:-1 4 16 64 256}; do
  "$torture" --calm --actors "$actors" --batch 1 --pace 1000 --minutes "$minutes" \
    --json "$results/$actors.json"
done
python3 Benchmarks/tables.py actors "$results" docs/benchmarks.md
