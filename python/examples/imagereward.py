#!/usr/bin/env python3
"""ImageReward (Xu et al., arXiv 2304.05977) as a reward server, with gradients.

    pip install image-reward stepwise-rewards[torch]
    python3 imagereward.py tcp://127.0.0.1:5804 --device cuda

The weights (1.7 GB) are downloaded by the image-reward package at the first start. This example has not been run by this
project's tests, which have neither the weights nor a network.
"""

import argparse

import ImageReward
import torch
import torch.nn.functional as F
from PIL import Image

from stepwise_rewards import serve, torch_gradient

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint", nargs="+", help="network.routerBackends of the run's configuration")
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
        deviation = torch.tensor(DEVIATION, device=pixels.device).reshape(3, 1, 1)
        text = tokens(prompts)
        # The package's own name of the differentiable path.
        return model.score_gard(text.input_ids, text.attention_mask, (planes - mean) / deviation).reshape(-1)

    serve(
        score, name="image-reward", version="ImageReward-v1.0", endpoint=options.endpoint,
        gradient=torch_gradient(differentiable_score, options.device), batch_size=options.batch_size,
    )


if __name__ == "__main__":
    main()
