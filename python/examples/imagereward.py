#!/usr/bin/env python3
"""ImageReward (Xu et al., arXiv 2304.05977) as a reward server, with gradients.

    pip install image-reward stepwise-rewards[torch]
    python3 imagereward.py tcp://127.0.0.1:5804 --device cuda

The image-reward package downloads the weights (1.7 GB) at the first start. The tests of this project do not run this
example, because they have no weights.
"""

import argparse

import ImageReward
import torch
import torch.nn.functional as F
from PIL import Image

from stepwise_rewards import add_arguments, serve, torch_gradient

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    model = ImageReward.load("ImageReward-v1.0", device=options.device).eval().requires_grad_(False)

    def tokens(prompts):
        return model.blip.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=35, return_tensors="pt"
        ).to(options.device)

    @torch.no_grad()
    def score(images, prompts):
        pixels = torch.stack([model.preprocess(Image.fromarray(image)) for image in images]).to(options.device)
        text = tokens(prompts)
        return model.score_gard(text.input_ids, text.attention_mask, pixels).reshape(-1)

    def differentiable_score(pixels, prompts):
        planes = F.interpolate(pixels.permute(0, 3, 1, 2), (224, 224), mode="bicubic", antialias=True)
        mean = torch.tensor(MEAN, device=pixels.device).reshape(3, 1, 1)
        std = torch.tensor(STD, device=pixels.device).reshape(3, 1, 1)
        text = tokens(prompts)
        # score_gard is the differentiable method of the package (its own spelling).
        return model.score_gard(text.input_ids, text.attention_mask, (planes - mean) / std).reshape(-1)

    serve(
        score, name="image-reward", version="ImageReward-v1.0", batch_size=options.batch_size,
        gradient=torch_gradient(differentiable_score, options.device), endpoint=options.endpoint,
        keys=options.keys, key_file=options.key_file, insecure=options.insecure,
    )


if __name__ == "__main__":
    main()
