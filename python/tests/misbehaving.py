"""Rewards that fail in different ways, for tests of the router. Their scores must be missing, with a reason."""

import sys
import threading

import numpy as np

from stepwise_rewards import Reward, RewardServer


def broken(images, prompts):
    raise RuntimeError("out of memory")


def not_a_number(images, prompts):
    return np.full(len(prompts), np.nan)


def too_few(images, prompts):
    return [1.0] * (len(prompts) - 1)


def nothing(images, prompts):
    return None


def silent(images, prompts):
    threading.Event().wait()


if __name__ == "__main__":
    functions = [broken, not_a_number, too_few, nothing, silent]
    rewards = [Reward(function.__name__, function) for function in functions]
    RewardServer(rewards, sys.argv[1], heartbeat_interval=0.2, credits=8).run()
