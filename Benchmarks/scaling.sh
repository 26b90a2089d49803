#!/usr/bin/env bash
# Measures how time and memory grow: the UNet of SD-Turbo with batch, latents, threads and LoRA rank, and the decoder
# with latents, each compared with the time of the multiplications alone at the measured rate of this machine. Writes
# the table into docs/benchmarks.md.
#
#   Benchmarks/scaling.sh
#
# Takes about an hour on two cores; POINTS=few measures only the smallest sizes. Other variables: RUNS, timed runs per
# point (2), BENCH (.build/release/stepwise-bench), and RESULTS (runs/benchmarks/scaling), a folder with one JSON line per
# point, which is emptied first.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-2}
results=${RESULTS:-runs/benchmarks/scaling}
all=$(nproc)
bench=${BENCH:-.build/release/stepwise-bench}
[ -x "$bench" ] || { echo "$bench is missing; run: swift build -c release --product stepwise-bench" >&2; exit 1; }
mkdir -p "$results"
rm -f "$results"/*.jsonl

if [ "${POINTS:-all}" = few ]; then
  batches="1 2" sides="32" ranks="4" decoded="32"
else
  batches="1 2 4 8" sides="32 48 64 96" ranks="4 16 64" decoded="32 48 64 96"
fi

unet() {
  "$bench" unet --config Benchmarks/sd-turbo/unet/config.json --runs "$runs" --json "$@" 2>/dev/null \
    >>"$results/unet.jsonl" || echo "could not measure: unet $*" >&2
}

for threads in 1 "$all"; do
  "$bench" kernels --only "sum" --threads "$threads" --json 2>/dev/null >>"$results/peak.jsonl"
  for side in $sides; do unet --latent "$side" --threads "$threads"; done
  for side in $sides; do unet --latent "$side" --threads "$threads" --mode lora; done
  for side in $decoded; do
    "$bench" vae --config Benchmarks/sd-turbo/vae/config.json --latent "$side" --runs "$runs" \
      --threads "$threads" --json 2>/dev/null >>"$results/vae.jsonl"
  done
done
for batch in $batches; do
  unet --latent 32 --batch "$batch" --threads "$all"
  unet --latent 32 --batch "$batch" --threads "$all" --mode lora
done
for rank in $ranks; do unet --latent 32 --rank "$rank" --threads "$all" --mode lora; done
python3 Benchmarks/tables.py scaling "$results" docs/benchmarks.md
