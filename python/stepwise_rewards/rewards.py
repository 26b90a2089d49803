"""Rewards and their calls: one finite score or None per image, whatever the function returns or raises."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Scores = Union[Sequence[Optional[float]], npt.NDArray[Any], Any]

#: Maps images uint8 ``[n, height, width, 3]`` and n prompts to n scores; None or NaN if an image cannot be scored.
ScoreFunction = Callable[[npt.NDArray[np.uint8], Sequence[str]], Scores]

#: Maps pixels float32 ``[n, height, width, 3]`` in 0...1 and n prompts to n scores and d score / d pixels, with the
#: shape of the pixels. Each score must depend on its own image only.
GradientFunction = Callable[[Pixels, Sequence[str]], Tuple[Scores, npt.NDArray[Any]]]

logger = logging.getLogger("stepwise_rewards")


@dataclass
class Result:
    """The result of one batch: a score or None per image, the gradient if it was requested, and the errors."""

    scores: list[Optional[float]]
    gradient: Optional[Pixels] = None
    error: str = ""


@dataclass
class Reward:
    """A named function that scores images.

    Attributes:
        name: As in ``reward.weights`` of the configuration.
        function: See ``ScoreFunction``.
        version: Stored with every score. Change it whenever the same image could get another score.
        gradient: See ``GradientFunction``; None for a reward without a gradient. ``torch_gradient`` creates one.
        batch_size: Largest number of images per call of either function.
    """

    name: str
    function: ScoreFunction
    version: str = "1"
    gradient: Optional[GradientFunction] = None
    batch_size: int = 32

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("expected a name for the reward, found an empty one")
        if self.batch_size < 1:
            raise ValueError(f"{self.name}: expected a batch_size of at least 1, found {self.batch_size}")

    def scores(self, images: npt.NDArray[np.uint8], prompts: Sequence[str]) -> Result:
        """Scores images, ``batch_size`` at a time. Never raises: problems are in ``error`` of the result."""
        return self._collect(images, prompts, lambda part, texts: (self.function(part, texts), None))

    def scores_and_gradient(self, pixels: Pixels, prompts: Sequence[str]) -> Result:
        """Scores images and differentiates the scores. Never raises, like ``scores``."""
        gradient = self.gradient
        if gradient is None:
            error = f"the reward {self.name} has no gradient"
            return Result([None] * len(prompts), error=error)
        return self._collect(pixels, prompts, gradient)

    def _collect(
        self,
        images: npt.NDArray[Any],
        prompts: Sequence[str],
        call: Callable[[Any, Sequence[str]], Tuple[Scores, Optional[npt.NDArray[Any]]]],
    ) -> Result:
        wants_gradient = images.dtype == np.float32
        collected = Result([], np.zeros(images.shape, np.float32) if wants_gradient else None)
        for start in range(0, len(prompts), self.batch_size):
            part = images[start : start + self.batch_size]
            texts = list(prompts[start : start + self.batch_size])
            try:
                scores, gradient = call(part, texts)
                values = _numbers(scores)
                if values.shape != (len(texts),):
                    raise ValueError(f"expected {len(texts)} scores, found an array of shape {values.shape}")
                if wants_gradient:
                    slopes = _numbers(gradient)
                    if slopes.shape != part.shape:
                        raise ValueError(f"expected a gradient of shape {part.shape}, found {slopes.shape}")
            except Exception as error:  # a scorer may raise any error, and the server must continue
                logger.exception("reward %s failed on %d images", self.name, len(texts))
                return Result([None] * len(prompts), error=f"{self.name}: {type(error).__name__}: {error}")
            for index, value in enumerate(values.tolist()):
                is_good = math.isfinite(value)
                if is_good and collected.gradient is not None:
                    is_good = bool(np.isfinite(slopes[index]).all())
                    if is_good:
                        collected.gradient[start + index] = slopes[index]
                collected.scores.append(value if is_good else None)
        missing = [str(index) for index, score in enumerate(collected.scores) if score is None]
        if missing:
            collected.error = f"{self.name}: expected finite numbers, found others for image {', '.join(missing)}"
        return collected


def _numbers(values: Any) -> npt.NDArray[np.float32]:
    """Converts a list with Nones, an array, or a tensor of PyTorch to float32."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().float().numpy()
    return np.asarray(values, dtype=np.float32)


def torch_gradient(function: Callable[[Any, Sequence[str]], Any], device: str = "cpu") -> GradientFunction:
    """Creates a ``GradientFunction`` from a function in PyTorch.

    Args:
        function: Maps a float tensor ``[n, height, width, 3]`` in 0...1 on ``device`` and n prompts to a tensor of n
            scores, by differentiable operations. Each score must depend on its own image only.
        device: The device of the tensor.
    """
    import torch

    def gradient(pixels: Pixels, prompts: Sequence[str]) -> Tuple[Scores, npt.NDArray[Any]]:
        leaf = torch.from_numpy(np.array(pixels)).to(device).requires_grad_(True)
        with torch.enable_grad():
            scores = function(leaf, prompts)
            (slopes,) = torch.autograd.grad(scores.sum(), leaf)
        return scores, slopes.detach().cpu().numpy()

    return gradient
