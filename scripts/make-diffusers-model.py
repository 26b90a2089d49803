#!/usr/bin/env python3
"""Writes files with diffusers that `stepwise` must be able to read: a model folder in float16 and in shards, a LoRA
that changes the pictures, and an AutoencoderTiny with random weights.

    python3 scripts/make-diffusers-model.py --model Models/emoji-turbo --out theirs

writes theirs/model, theirs/lora/pytorch_lora_weights.safetensors and theirs/tiny. Requires: pip install torch diffusers
transformers peft safetensors.
"""
import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()
torch.manual_seed(0)

pipeline = StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32)
pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)

half = StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float16)
# The shards are much smaller than the networks, so that each network has several.
half.save_pretrained(options.out / "model", variant="fp16", max_shard_size="2MB")

pipeline.unet.requires_grad_(False)
pipeline.unet.add_adapter(LoraConfig(r=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
for name, parameter in pipeline.unet.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(parameter, std=0.02)
layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipeline.unet))
StableDiffusionPipeline.save_lora_weights(options.out / "lora", unet_lora_layers=layers)

stages = len(pipeline.vae.config.block_out_channels)
tiny = AutoencoderTiny(
    latent_channels=pipeline.vae.config.latent_channels,
    encoder_block_out_channels=(32,) * stages,
    decoder_block_out_channels=(32,) * stages,
    num_encoder_blocks=(1,) * stages,
    num_decoder_blocks=(1,) * stages,
)
tiny.half().save_pretrained(options.out / "tiny", max_shard_size="100KB")
print(f"wrote {options.out}/model, {options.out}/lora and {options.out}/tiny")
