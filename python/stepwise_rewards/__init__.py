"""Reward servers in Python: a function from pictures and prompts to scores becomes a server that joins a Stepwise run.

    from stepwise_rewards import serve

    def brightness(images, prompts):            # uint8 [n, height, width, 3], n texts
        return images.mean(axis=(1, 2, 3)) / 255

    serve(brightness, name="brightness", endpoint="tcp://127.0.0.1:5804")
"""

from .rewards import GradientFunction, Reward, ScoreFunction, torch_gradient
from .server import RewardServer, RouterRefusal, serve

__all__ = ["GradientFunction", "Reward", "RewardServer", "RouterRefusal", "ScoreFunction", "serve", "torch_gradient"]
