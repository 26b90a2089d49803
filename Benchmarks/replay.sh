#!/usr/bin/env bash
# The replay beside Reverb and beside ZeroMQ alone: insertion and sampling, every round all of them in turn, and medians
# and ratios into docs/benchmarks.md. Only items that were found stored as they were made are counted.
#
#   Benchmarks/replay.sh [PYTHON]
#
# PYTHON has dm-reverb, which exists for Python up to 3.11 and wants the TensorFlow of its time:
#   python3.11 -m venv .venv-reverb && .venv-reverb/bin/pip install dm-reverb 'tensorflow-cpu~=2.14.0' 'numpy<2'
# ROUNDS (5), SECONDS_EACH measurement (3), FOLDER on a disk (runs/benchmarks), STEPWISE (.build/release/stepwise) and
# SYSTEM_PYTHON (/usr/bin/python3) may be set. The last has Debian's python3-zmq, which uses the libzmq and libsodium that
# Stepwise uses; PyPI's pyzmq brings newer ones, whose CURVE is a third faster. Results are kept in RESULTS
# (runs/benchmarks/replay), a JSON line a measurement, and a later call adds to them.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
rounds=${ROUNDS:-5}
length=${SECONDS_EACH:-3}
system_python=${SYSTEM_PYTHON:-/usr/bin/python3}
folder=${FOLDER:-runs/benchmarks}
results=${RESULTS:-runs/benchmarks/replay}
stepwise=${STEPWISE:-.build/release/stepwise}
[ -x "$stepwise" ] || { echo "expected $stepwise; run: swift build -c release" >&2; exit 1; }
"$python" -c 'import reverb' 2>/dev/null || { echo "$python: expected dm-reverb; see the head of $0" >&2; exit 1; }
"$system_python" -c 'import zmq' 2>/dev/null || {
  echo "$system_python: expected Debian's python3-zmq; see the head of $0" >&2
  exit 1
}
mkdir -p "$results" "$folder"

for round in $(seq "$rounds"); do
  echo "round $round of $rounds" >&2
  "$python" Benchmarks/peers/reverb_replay.py --seconds "$length" --load 1x25 2x25 2>/dev/null >>"$results/reverb.jsonl"
  "$stepwise" bench replay --seconds "$length" --folder "$folder" --json >>"$results/stepwise.jsonl"
  "$system_python" Benchmarks/peers/zeromq_ceiling.py --seconds "$length" >>"$results/zeromq.jsonl"
  "$system_python" Benchmarks/peers/zeromq_ceiling.py --seconds "$length" --load 1x16 1x64 --disk "$folder/ceiling.bin" \
    >>"$results/zeromq.jsonl"
done
python3 Benchmarks/tables.py replay "$results" docs/benchmarks.md
