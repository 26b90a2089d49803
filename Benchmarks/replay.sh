#!/usr/bin/env bash
# Compares the replay with Reverb and with ZeroMQ alone: insertion and sampling, alternating for several rounds. Writes
# medians and ratios into docs/benchmarks.md. Counts only items whose content was verified.
#
#   Benchmarks/replay.sh [PYTHON]
#
# PYTHON needs dm-reverb, which exists for Python up to 3.11 and needs the TensorFlow of its release:
#   python3.11 -m venv .venv-reverb && .venv-reverb/bin/pip install dm-reverb 'tensorflow-cpu~=2.14.0' 'numpy<2'
# Variables: ROUNDS (5), SECONDS_EACH, seconds per measurement (3), FOLDER, on the disk to measure (runs/benchmarks),
# BENCH (.build/release/stepwise-bench), SYSTEM_PYTHON (/usr/bin/python3), and RESULTS (runs/benchmarks/replay), a folder
# with one JSON line per measurement, to which later calls append. SYSTEM_PYTHON needs the Debian package python3-zmq,
# which uses the same libzmq and libsodium as Stepwise; pyzmq from PyPI has newer versions, whose CURVE is a third
# faster.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
rounds=${ROUNDS:-5}
length=${SECONDS_EACH:-3}
system_python=${SYSTEM_PYTHON:-/usr/bin/python3}
folder=${FOLDER:-runs/benchmarks}
results=${RESULTS:-runs/benchmarks/replay}
bench=${BENCH:-.build/release/stepwise-bench}
[ -x "$bench" ] || { echo "$bench is missing; run: swift build -c release --product stepwise-bench" >&2; exit 1; }
"$python" -c 'import reverb' 2>/dev/null || {
  echo "$python has no dm-reverb; the comment at the top of $0 says how to install it" >&2
  exit 1
}
"$system_python" -c 'import zmq' 2>/dev/null || {
  echo "$system_python has no zmq; install the Debian package python3-zmq" >&2
  exit 1
}
mkdir -p "$results" "$folder"

for round in $(seq "$rounds"); do
  echo "round $round of $rounds" >&2
  "$python" Benchmarks/peers/reverb_replay.py --seconds "$length" --load 1x25 2x25 2>/dev/null >>"$results/reverb.jsonl"
  "$bench" replay --seconds "$length" --folder "$folder" --json >>"$results/stepwise.jsonl"
  "$system_python" Benchmarks/peers/zeromq_ceiling.py --seconds "$length" >>"$results/zeromq.jsonl"
  "$system_python" Benchmarks/peers/zeromq_ceiling.py --seconds "$length" --load 1x16 1x64 --disk "$folder/ceiling.bin" \
    >>"$results/zeromq.jsonl"
done
python3 Benchmarks/tables.py replay "$results" docs/benchmarks.md
