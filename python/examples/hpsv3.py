#!/usr/bin/env python3
"""HPSv3 (Ma et al., arXiv 2508.03789) as a reward server, without gradients.

    pip install hpsv3 stepwise-rewards
    python3 hpsv3.py tcp://127.0.0.1:5804 --device cuda

The score is the mean of the distribution that the model predicts. The hpsv3 package downloads the weights (7 billion
parameters) at the first start. The tests of this project do not run this example, because they have no weights.
"""

import argparse

import torch
from hpsv3 import HPSv3RewardInferencer
from PIL import Image

from stepwise_rewards import add_arguments, serve


def main() -> None:
    parser = add_arguments(argparse.ArgumentParser())
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    model = HPSv3RewardInferencer(device=options.device)

    @torch.no_grad()
    def score(images, prompts):
        pictures = [Image.fromarray(image) for image in images]
        # The model returns mean and standard deviation per image. The mean is the score.
        return [float(reward[0]) for reward in model.reward(prompts=list(prompts), image_paths=pictures)]

    serve(
        score, name="hpsv3", version="HPSv3", batch_size=options.batch_size, endpoint=options.endpoint,
        keys=options.keys, key_file=options.key_file, insecure=options.insecure,
    )


if __name__ == "__main__":
    main()
