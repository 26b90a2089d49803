#!/usr/bin/env bash
# How cost grows: SD-Turbo's UNet by batch, latents, threads and LoRA rank, and the decoder by latents, each beside what
# the multiplications alone would take at this machine's measured rate. Writes the table into docs/benchmarks.md.
#
#   Benchmarks/scaling.sh
#
# Takes about an hour on two cores. POINTS=few makes the smallest of each; RUNS (2), timed runs a point, and STEPWISE
# (.build/release/stepwise) may be set.
# Results are kept in RESULTS (runs/benchmarks/scaling), a JSON line a point, which is emptied first.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-2}
results=${RESULTS:-runs/benchmarks/scaling}
all=$(nproc)
stepwise=${STEPWISE:-.build/release/stepwise}
[ -x "$stepwise" ] || { echo "expected $stepwise; run: swift build -c release" >&2; exit 1; }
mkdir -p "$results"
rm -f "$results"/*.jsonl

if [ "${POINTS:-all}" = few ]; then
  batches="1 2" sides="32" ranks="4" decoded="32"
else
  batches="1 2 4 8" sides="32 48 64 96" ranks="4 16 64" decoded="32 48 64 96"
fi

unet() {
  "$stepwise" bench unet --config Benchmarks/sd-turbo/unet/config.json --runs "$runs" --json "$@" 2>/dev/null \
    >>"$results/unet.jsonl" || echo "not measured: unet $*" >&2
}

for threads in 1 "$all"; do
  "$stepwise" bench kernels --only "sum" --threads "$threads" --json 2>/dev/null >>"$results/peak.jsonl"
  for side in $sides; do unet --latent "$side" --threads "$threads"; done
  for side in $sides; do unet --latent "$side" --threads "$threads" --mode lora; done
  for side in $decoded; do
    "$stepwise" bench vae --config Benchmarks/sd-turbo/vae/config.json --latent "$side" --runs "$runs" \
      --threads "$threads" --json 2>/dev/null >>"$results/vae.jsonl"
  done
done
for batch in $batches; do
  unet --latent 32 --batch "$batch" --threads "$all"
  unet --latent 32 --batch "$batch" --threads "$all" --mode lora
done
for rank in $ranks; do unet --latent 32 --rank "$rank" --threads "$all" --mode lora; done
python3 Benchmarks/tables.py scaling "$results" docs/benchmarks.md
