#!/usr/bin/env python3
"""A reward in PyTorch, with the gradient of PyTorch: the warmth of the middle of a picture, red minus blue.

    pip install stepwise-rewards[torch]
    python3 warmth.py tcp://127.0.0.1:5804

and in the configuration of the run, with a method that uses gradients:

    reward: {weights: {warmth: 1}, external: [warmth]}
    training: {algorithm: sqdf}
"""

from __future__ import annotations

import argparse
from typing import Sequence

import numpy as np
import numpy.typing as npt
import torch

from stepwise_rewards import add_arguments, serve, torch_gradient


def warmth(pixels: torch.Tensor, prompts: Sequence[str]) -> torch.Tensor:
    """Maps pixels ``[n, height, width, 3]`` to n scores: red minus blue, weighted by a Hann window."""
    height, width = pixels.shape[1:3]
    rows = torch.hann_window(height, periodic=False, device=pixels.device)
    columns = torch.hann_window(width, periodic=False, device=pixels.device)
    window = rows[:, None] * columns[None, :]
    return ((pixels[..., 0] - pixels[..., 2]) * window).sum(dim=(1, 2)) / window.sum()


@torch.no_grad()
def score(images: npt.NDArray[np.uint8], prompts: Sequence[str]) -> torch.Tensor:
    """Scores 8-bit pictures with the same function of their values in 0...1."""
    return warmth(torch.from_numpy(np.array(images)).float() / 255, prompts)


if __name__ == "__main__":
    options = add_arguments(argparse.ArgumentParser()).parse_args()
    serve(score, name="warmth", gradient=torch_gradient(warmth), heartbeat_interval=0.2, **vars(options))
