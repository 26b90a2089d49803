"""The reward `colourfulness` in Python, for runs in which a Swift server and a Python server offer the same reward."""

import sys

import numpy as np

from stepwise_rewards import serve


def colourfulness(images, prompts):
    red, green, blue = (images[..., channel].astype(np.float64) for channel in range(3))
    first, second = red - green, (red + green) / 2 - blue
    axes = (1, 2)
    spread = np.sqrt(first.var(axes) + second.var(axes))
    return spread + 0.3 * np.hypot(first.mean(axes), second.mean(axes))


if __name__ == "__main__":
    serve(
        colourfulness, name="colourfulness", version="python", endpoint=sys.argv[1:], heartbeat_interval=0.2, credits=4
    )
