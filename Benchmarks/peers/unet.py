#!/usr/bin/env python3
"""UNet2DConditionModel of diffusers with random weights: one evaluation, or one forward and backward pass with frozen
weights and a LoRA on to_q, to_k, to_v and to_out.0."""

import json

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig

import measure

parser = measure.parser(__doc__, batch=1, latent=0, tokens=77, rank=4, runs=3)
parser.add_argument("--config", required=True)
parser.add_argument("--mode", choices=["forward", "lora"], default="forward")
options = parser.parse_args()
measure.start(options)

with open(options.config) as file:
    config = json.load(file)
side = options.latent or config["sample_size"]
unet = UNet2DConditionModel.from_config(config)
latents = torch.randn(options.batch, config["in_channels"], side, side)
timesteps = torch.full((options.batch,), 999)
text = torch.randn(options.batch, options.tokens, config["cross_attention_dim"])

if options.mode == "lora":
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=options.rank, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    unet.train()
else:
    unet.eval()


def forward():
    with torch.no_grad():
        unet(latents, timesteps, text)


def lora():
    unet(latents, timesteps, text).sample.square().mean().backward()
    unet.zero_grad()


facts = {key: getattr(options, key) for key in ("mode", "batch", "tokens", "threads")}
measure.report_runs(options.runs, lora if options.mode == "lora" else forward, latent=side, **facts)
