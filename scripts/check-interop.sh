#!/usr/bin/env bash
# Whole checkpoints, adapters and tiny decoders of diffusers here, and ours in diffusers: the same pictures from the same
# noise, to two grey levels.
#
#   scripts/check-interop.sh [PYTHON] [LORA]
#
# PYTHON has torch, diffusers, transformers, peft, safetensors and pillow. LORA is an adapter of Models/emoji-turbo that
# `stepwise run` or `quickstart` has made; without it that one comparison is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
lora=${2:-}
stepwise=.build/release/stepwise
[ -x "$stepwise" ] || { echo "expected $stepwise; run: swift build -c release" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" scripts/make-diffusers-model.py --model Models/emoji-turbo --out "$folder" 2>"$folder/log" ||
  { cat "$folder/log" >&2; exit 1; }

# compare NAME MODEL OPTIONS...: options are the same for both sides.
compare() {
  local name=$1 model=$2
  shift 2
  echo "$name"
  "$stepwise" generate --model "$model" --prompt fox owl --eta 0 --save-latents "$folder/noise.safetensors" \
    --out "$folder/ours" "$@" >/dev/null 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
  "$python" scripts/check-diffusers.py --model "$model" --prompt fox owl --latents "$folder/noise.safetensors" \
    --pictures "$folder/ours" "$@" 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
}

compare "our checkpoint in diffusers" Models/emoji-turbo
compare "diffusers' checkpoint here, float16 in shards" "$folder/model"
compare "diffusers' LoRA here" Models/emoji-turbo --lora "$folder/lora/pytorch_lora_weights.safetensors"
compare "diffusers' AutoencoderTiny here, float16 in shards" Models/emoji-turbo --tiny-decoder "$folder/tiny"
if [ -n "$lora" ]; then compare "our LoRA in diffusers" Models/emoji-turbo --lora "$lora"; fi
