"""Reward servers in Python: a function from pictures and prompts to scores becomes a server of a Stepwise run.

    from stepwise_rewards import serve

    def brightness(images, prompts):            # uint8 [n, height, width, 3] and n prompts
        return images.mean(axis=(1, 2, 3)) / 255

    serve(brightness, name="brightness", endpoint="tcp://127.0.0.1:5804")
"""

from .connections import RouterRefusal
from .keys import KeyFileError
from .rewards import GradientFunction, Reward, ScoreFunction, torch_gradient
from .server import RewardServer, add_arguments, serve

__all__ = [
    "GradientFunction",
    "KeyFileError",
    "Reward",
    "RewardServer",
    "RouterRefusal",
    "ScoreFunction",
    "add_arguments",
    "serve",
    "torch_gradient",
]
