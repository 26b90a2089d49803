"""What a reward is, and how one is called: it promises one finite score an image or None, whatever the function does."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Scores = Union[Sequence[Optional[float]], npt.NDArray[Any], Any]

#: Images uint8 ``[n, height, width, 3]`` and n prompts to n scores; None or NaN where an image cannot be scored.
ScoreFunction = Callable[[npt.NDArray[np.uint8], Sequence[str]], Scores]

#: Pixels float32 ``[n, height, width, 3]`` in 0...1 and n prompts to n scores and d score / d pixels, shaped like the
#: pixels. Each score must depend on its own image only.
GradientFunction = Callable[[Pixels, Sequence[str]], Tuple[Scores, npt.NDArray[Any]]]

logger = logging.getLogger("stepwise_rewards")


@dataclass
class Result:
    """What became of one batch: a score an image or None, the gradient where one was asked for, and what was wrong."""

    scores: list[Optional[float]]
    gradient: Optional[Pixels] = None
    error: str = ""


@dataclass
class Reward:
    """A named function that scores images.

    Attributes:
        name: As in the run's ``reward.weights``.
        function: See ``ScoreFunction``.
        version: Change it whenever the same image could get another score; it is stored with every score.
        gradient: See ``GradientFunction``; None for a reward without a gradient. ``torch_gradient`` makes one.
        batch_size: Most images to a call of either function.
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
        """Scores images, ``batch_size`` at a time. Never raises: what went wrong is in the result's ``error``."""
        return self._collect(images, prompts, lambda part, texts: (self.function(part, texts), None))

    def scores_and_gradient(self, pixels: Pixels, prompts: Sequence[str]) -> Result:
        """Scores images and differentiates the scores. Never raises, as ``scores``."""
        gradient = self.gradient
        if gradient is None:
            error = f"expected a reward with a gradient, found that {self.name} has none"
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
                    raise ValueError(f"{len(values)} scores of shape {values.shape} for {len(texts)} images")
                if wants_gradient:
                    slopes = _numbers(gradient)
                    if slopes.shape != part.shape:
                        raise ValueError(f"expected a gradient of shape {part.shape}, found {slopes.shape}")
            except Exception as error:  # a scorer may raise anything, and the server must outlive it
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
    """A list with Nones, an array, or a tensor of torch as float32."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().float().numpy()
    return np.asarray(values, dtype=np.float32)


def torch_gradient(function: Callable[[Any, Sequence[str]], Any], device: str = "cpu") -> GradientFunction:
    """Makes a ``GradientFunction`` of a function in PyTorch.

    Args:
        function: Takes a float tensor ``[n, height, width, 3]`` in 0...1 on ``device``, and n prompts; returns a tensor
            of n scores, computed by differentiable operations, each from its own image alone.
        device: Where the tensor is put.
    """
    import torch

    def gradient(pixels: Pixels, prompts: Sequence[str]) -> Tuple[Scores, npt.NDArray[Any]]:
        leaf = torch.from_numpy(np.array(pixels)).to(device).requires_grad_(True)
        with torch.enable_grad():
            scores = function(leaf, prompts)
            (slopes,) = torch.autograd.grad(scores.sum(), leaf)
        return scores, slopes.detach().cpu().numpy()

    return gradient
