#!/usr/bin/env python3
"""Writes Tests/Golden/models/clip-rewards: small random CLIP models in the formats of transformers and open_clip, with
the scores and pixel gradients that these libraries compute. Requires torch, transformers, open_clip_torch, safetensors,
Pillow and numpy; the tests do not."""

import json
import pathlib
import sys

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "Tests/Golden/models/clip-rewards"
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711])
PROMPTS = ["a green frog", "a slice of pizza", "rose"]
SIDE, PICTURE = 32, 48


def shake(model: torch.nn.Module) -> None:
    """Makes the weights so large that each of them affects the scores."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in sorted(model.named_parameters()):
            if name == "logit_scale":
                value.fill_(3.1)
            elif value.ndim < 2:
                value.add_(0.1 * torch.randn(value.shape, generator=generator))
            else:
                value.copy_(torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5)


def pictures() -> np.ndarray:
    rows, columns = np.mgrid[0:PICTURE, 0:PICTURE]
    waves = [
        127 + 120 * np.sin((rows * (channel + 1) + columns * (picture + 2)) * 0.11 + channel)
        for picture in range(len(PROMPTS))
        for channel in range(3)
    ]
    stacked = np.stack(waves).reshape(len(PROMPTS), 3, PICTURE, PICTURE).transpose(0, 2, 3, 1)
    return stacked.round().astype(np.uint8)


def normalized(pixels: torch.Tensor) -> torch.Tensor:
    """[n, H, W, 3] in 0...1 to [n, 3, H, W]."""
    return ((pixels - MEAN) / DEVIATION).permute(0, 3, 1, 2)


def from_bytes(images: np.ndarray) -> torch.Tensor:
    small = [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.BICUBIC)) for image in images]
    return normalized(torch.from_numpy(np.stack(small)).float() / 255)


def from_pixels(pixels: torch.Tensor) -> torch.Tensor:
    planes = pixels.permute(0, 3, 1, 2)
    small = F.interpolate(planes, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return normalized(small.permute(0, 2, 3, 1))


def main() -> int:
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "Models/emoji-clip")
    ids = tokenizer(PROMPTS, padding="max_length", max_length=16, truncation=True, return_tensors="pt").input_ids
    sizes = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, hidden_act="quick_gelu")
    config = CLIPConfig(
        text_config=dict(sizes, vocab_size=1024, max_position_embeddings=16, eos_token_id=1023, bos_token_id=1022,
                         pad_token_id=1023, projection_dim=24),
        vision_config=dict(sizes, image_size=SIDE, patch_size=8, projection_dim=24),
        projection_dim=24,
    )
    theirs = CLIPModel(config).eval()
    shake(theirs)
    theirs.save_pretrained(TARGET / "transformers")
    model_config = dict(
        embed_dim=24,
        vision_cfg=dict(image_size=SIDE, layers=2, width=32, head_width=16, patch_size=8),
        text_cfg=dict(context_length=16, vocab_size=1024, width=32, heads=2, layers=2),
    )
    opened = open_clip.model.CLIP(**model_config).eval()
    shake(opened)
    folder = TARGET / "open_clip"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in opened.state_dict().items()},
              folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(dict(model_cfg=model_config), indent=2) + "\n")

    def their_cosines(pixels):
        output = theirs(input_ids=ids, pixel_values=pixels)
        return (output.image_embeds * output.text_embeds).sum(-1)

    def opened_cosines(pixels):
        return (opened.encode_image(pixels, normalize=True) * opened.encode_text(ids, normalize=True)).sum(-1)

    images = pictures()
    scaled = lambda cosines: cosines * theirs.logit_scale.exp()
    percent = lambda cosines: (100 * cosines).clamp_min(0)
    cases = {
        "alignment": lambda pixels: their_cosines(pixels),
        "clip-score": lambda pixels: percent(their_cosines(pixels)),
        "pick-score": lambda pixels: scaled(their_cosines(pixels)),
        "hpsv2": lambda pixels: opened_cosines(pixels),
    }
    tensors = {"images": torch.from_numpy(images).float()}
    for name, score in cases.items():
        leaf = (torch.from_numpy(images).float() / 255).requires_grad_(True)
        smooth = score(from_pixels(leaf))
        (gradient,) = torch.autograd.grad(smooth.sum(), leaf)
        tensors[f"{name}.bytes"] = score(from_bytes(images)).detach()
        tensors[f"{name}.pixels"] = smooth.detach()
        tensors[f"{name}.gradient"] = gradient
        print(name, tensors[f"{name}.bytes"].tolist(), tensors[f"{name}.pixels"].tolist())
    save_file({name: value.contiguous() for name, value in tensors.items()}, TARGET / "scores.safetensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
