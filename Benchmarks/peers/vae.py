#!/usr/bin/env python3
"""AutoencoderKL or AutoencoderTiny of diffusers with random weights: decodes latents, or encodes pictures."""

import json

import diffusers
import torch

import measure

parser = measure.parser(__doc__, batch=1, latent=64, runs=3)
parser.add_argument("--config", required=True)
parser.add_argument("--mode", choices=["decode", "encode"], default="decode")
options = parser.parse_args()
measure.start(options)

with open(options.config) as file:
    config = json.load(file)
vae = getattr(diffusers, config["_class_name"]).from_config(config).eval()
reduction = 2 ** (len(config["block_out_channels"]) - 1)
shape = (
    (config["latent_channels"], options.latent, options.latent)
    if options.mode == "decode"
    else (3, options.latent * reduction, options.latent * reduction)
)
values = torch.randn(options.batch, *shape)


def work():
    with torch.no_grad():
        getattr(vae, options.mode)(values)


facts = {key: getattr(options, key) for key in ("mode", "batch", "latent", "threads")}
measure.report_runs(options.runs, work, **facts)
