#!/usr/bin/env python3
"""Checks that diffusers makes the same pictures from a model folder, an exported LoRA and saved noise.

    stepwise generate --model Models/emoji-turbo --lora LORA --prompt fox owl --eta 0 \
        --save-latents noise.safetensors --out ours
    python3 scripts/check-diffusers.py --model Models/emoji-turbo --lora LORA --prompt fox owl \
        --latents noise.safetensors --pictures ours

Requires: pip install torch diffusers transformers peft safetensors pillow. Exits with status 1 when a pixel of a
picture differs by more than two grey levels.
"""
import argparse
import sys
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--lora", type=Path)
parser.add_argument("--tiny-decoder", help="an AutoencoderTiny folder to decode with, as with stepwise generate")
parser.add_argument("--prompt", nargs="+", required=True)
parser.add_argument("--latents", required=True)
parser.add_argument("--pictures", type=Path, required=True)
parser.add_argument("--steps", type=int, default=4)
options = parser.parse_args()

halved = any(Path(options.model, "unet").glob("*fp16*"))
pipeline = StableDiffusionPipeline.from_pretrained(
    options.model, torch_dtype=torch.float32, variant="fp16" if halved else None
)
if options.tiny_decoder:
    pipeline.vae = AutoencoderTiny.from_pretrained(options.tiny_decoder, torch_dtype=torch.float32)
pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
pipeline.set_progress_bar_config(disable=True)
if options.lora:
    pipeline.load_lora_weights(options.lora.parent, weight_name=options.lora.name)
latents = load_file(options.latents)["latents"]
theirs = pipeline(
    options.prompt, num_inference_steps=options.steps, guidance_scale=1.0, eta=0.0, latents=latents, output_type="np"
).images

worst = 0
for number, (prompt, picture) in enumerate(zip(options.prompt, theirs)):
    ours = numpy.asarray(Image.open(options.pictures / f"{number:04d}.png").convert("RGB")).astype(int)
    difference = numpy.abs(ours - numpy.round(picture * 255).astype(int))
    worst = max(worst, int(difference.max()))
    print(f"{prompt}: largest difference {difference.max()}, mean {difference.mean():.4f} of 255 grey levels")
sys.exit(worst > 2)
