#!/usr/bin/env bash
# Runs the same work with PyTorch and with Stepwise, alternating for several rounds, and writes medians and ratios into
# docs/benchmarks.md. On a machine with other load, the ratio within a round is more reliable than the times.
#
#   Benchmarks/compare.sh [PYTHON]
#
# PYTHON needs the packages of Benchmarks/peers/requirements.txt:
#   python3 -m venv .venv-peers && .venv-peers/bin/pip install -r Benchmarks/peers/requirements.txt
# Variables: ROUNDS (3), RUNS per round (3), THREADS (all cores), WORKS (unet-forward unet-lora vae-decode sdpo-emoji
# sdpo-sd2), BENCH (.build/release/stepwise-bench) and RESULTS (runs/benchmarks/compare), a folder with one JSON line per
# run, to which later calls append.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
rounds=${ROUNDS:-3}
runs=${RUNS:-3}
threads=${THREADS:-$(nproc)}
results=${RESULTS:-runs/benchmarks/compare}
works=${WORKS:-unet-forward unet-lora vae-decode sdpo-emoji sdpo-sd2}
bench=${BENCH:-.build/release/stepwise-bench}
[ -x "$bench" ] || { echo "$bench is missing; run: swift build -c release --product stepwise-bench" >&2; exit 1; }
"$python" -c 'import torch, diffusers, peft' || {
  echo "$python has no torch, diffusers or peft; the comment at the top of $0 says how to install them" >&2
  exit 1
}
mkdir -p "$results"

# The benchmark and its arguments, which are the same for PyTorch and Stepwise.
arguments() {
  case $1 in
    unet-forward) echo unet --config Benchmarks/sd-turbo/unet/config.json --mode forward --runs "$runs" ;;
    unet-lora) echo unet --config Benchmarks/sd-turbo/unet/config.json --mode lora --runs "$runs" ;;
    vae-decode) echo vae --config Benchmarks/sd-turbo/vae/config.json --latent 64 --runs "$runs" ;;
    sdpo-emoji) echo sdpo --model Models/emoji-turbo --pairs 32 --batch 8 --train-batch 4 --steps 4 --epochs "$runs" ;;
    sdpo-sd2) echo sdpo --model Tests/Golden/models/sd2 --pairs 32 --batch 8 --train-batch 4 --steps 4 --epochs "$runs" ;;
    *) echo "unknown work $1" >&2; exit 1 ;;
  esac
}

for round in $(seq "$rounds"); do
  for work in $works; do
    read -r -a words <<<"$(arguments "$work")"
    echo "round $round of $rounds: $work" >&2
    "$python" "Benchmarks/peers/${words[0]}.py" "${words[@]:1}" --threads "$threads" 2>/dev/null |
      tail -n 1 >>"$results/$work.peer.jsonl"
    "$bench" "${words[@]}" --threads "$threads" --json 2>/dev/null >>"$results/$work.project.jsonl"
  done
done
python3 Benchmarks/tables.py compare "$results" docs/benchmarks.md
