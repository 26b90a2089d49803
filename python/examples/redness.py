#!/usr/bin/env python3
"""A reward with a gradient, in NumPy: the mean of red squared.

    python3 redness.py tcp://127.0.0.1:5804

and in the configuration of the run:

    reward: {weights: {redness: 1}, external: [redness]}
"""

import argparse

from stepwise_rewards import add_arguments, serve


def redness(images, prompts):
    return ((images[..., 0] / 255) ** 2).mean(axis=(1, 2))


def redness_and_gradient(pixels, prompts):
    gradient = 0 * pixels
    gradient[..., 0] = 2 * pixels[..., 0] / (pixels.shape[1] * pixels.shape[2])
    return (pixels[..., 0] ** 2).mean(axis=(1, 2)), gradient


if __name__ == "__main__":
    options = add_arguments(argparse.ArgumentParser()).parse_args()
    serve(redness, name="redness", gradient=redness_and_gradient, heartbeat_interval=0.2, **vars(options))
