#!/usr/bin/env python3
"""HPSv3 (Ma et al., arXiv 2508.03789) as a reward server, without gradients.

    pip install hpsv3 stepwise-rewards
    python3 hpsv3.py tcp://127.0.0.1:5804 --device cuda

The score is the mean of the distribution that the model predicts. Its weights (a 7-billion-parameter model) are
downloaded by the hpsv3 package at the first start. This example has not been run by this project's tests, which have
neither the weights nor a network.
"""

import argparse

import torch
from hpsv3 import HPSv3RewardInferencer
from PIL import Image

from stepwise_rewards import serve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint", nargs="+", help="network.routerBackends of the run's configuration")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    model = HPSv3RewardInferencer(device=options.device)

    @torch.no_grad()
    def score(images, prompts):
        pictures = [Image.fromarray(image) for image in images]
        # Mean and deviation an image: the mean is the score.
        return [float(reward[0]) for reward in model.reward(prompts=list(prompts), image_paths=pictures)]

    serve(score, name="hpsv3", version="HPSv3", endpoint=options.endpoint, batch_size=options.batch_size)


if __name__ == "__main__":
    main()
