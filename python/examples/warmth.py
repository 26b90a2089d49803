#!/usr/bin/env python3
"""A reward in PyTorch with the gradient that PyTorch gives: how warm the middle of a picture is, red above blue.

    pip install stepwise-rewards[torch]
    python3 warmth.py tcp://127.0.0.1:5804

and in the run's configuration, with a method that follows gradients:

    reward: {weights: {warmth: 1}, external: [warmth]}
    training: {algorithm: sqdf}
"""

from __future__ import annotations

import sys
from typing import Sequence

import numpy as np
import numpy.typing as npt
import torch

from stepwise_rewards import serve, torch_gradient


def warmth(pixels: torch.Tensor, prompts: Sequence[str]) -> torch.Tensor:
    """Red less blue under a window that falls off from the middle: pixels ``[n, height, width, 3]`` to n scores."""
    height, width = pixels.shape[1:3]
    rows = torch.hann_window(height, periodic=False, device=pixels.device)
    columns = torch.hann_window(width, periodic=False, device=pixels.device)
    window = rows[:, None] * columns[None, :]
    return ((pixels[..., 0] - pixels[..., 2]) * window).sum(dim=(1, 2)) / window.sum()


@torch.no_grad()
def score(images: npt.NDArray[np.uint8], prompts: Sequence[str]) -> torch.Tensor:
    """Scores of 8-bit pictures: the same function of their values in 0...1."""
    return warmth(torch.from_numpy(np.array(images)).float() / 255, prompts)


if __name__ == "__main__":
    serve(score, name="warmth", endpoint=sys.argv[1:], gradient=torch_gradient(warmth), beat=0.2)
