#!/usr/bin/env bash
# Checks that checkpoints, adapters and tiny decoders of diffusers work in Stepwise and those of Stepwise in diffusers:
# both must make the same pictures from the same noise, to two grey levels.
#
#   scripts/check-interop.sh [PYTHON] [LORA]
#
# PYTHON needs torch, diffusers, transformers, peft, safetensors and pillow. LORA is an adapter of Models/emoji-turbo
# from `stepwise run` or `stepwise quickstart`; without it this comparison is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
lora=${2:-}
stepwise=.build/release/stepwise
[ -x "$stepwise" ] || { echo "$stepwise is missing; run: swift build -c release" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" scripts/make-diffusers-model.py --model Models/emoji-turbo --out "$folder" 2>"$folder/log" ||
  { cat "$folder/log" >&2; exit 1; }

# compare NAME MODEL OPTIONS...: both programs get the same options.
compare() {
  local name=$1 model=$2
  shift 2
  echo "$name"
  "$stepwise" generate --model "$model" --prompt fox owl --eta 0 --save-latents "$folder/noise.safetensors" \
    --out "$folder/ours" "$@" >/dev/null 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
  "$python" scripts/check-diffusers.py --model "$model" --prompt fox owl --latents "$folder/noise.safetensors" \
    --pictures "$folder/ours" "$@" 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
}

compare "a Stepwise checkpoint in diffusers" Models/emoji-turbo
compare "a diffusers checkpoint in Stepwise, float16 in shards" "$folder/model"
compare "a diffusers LoRA in Stepwise" Models/emoji-turbo --lora "$folder/lora/pytorch_lora_weights.safetensors"
compare "a diffusers AutoencoderTiny in Stepwise, float16 in shards" Models/emoji-turbo --tiny-decoder "$folder/tiny"
if [ -n "$lora" ]; then compare "a Stepwise LoRA in diffusers" Models/emoji-turbo --lora "$lora"; fi
