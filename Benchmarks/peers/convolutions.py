#!/usr/bin/env python3
"""Times 3x3 convolutions of PyTorch on one thread: milliseconds of CPU time, the fastest of many runs.

usage: convolutions.py [BATCH IN OUT SIDE]...   (without arguments: the shapes in docs/benchmarks.md)
"""
import sys, time
import torch

shapes = [(1, 320, 320, 64), (1, 640, 640, 32), (1, 1280, 1280, 16), (1, 1280, 1280, 8), (1, 512, 512, 64),
          (1, 256, 256, 128), (1, 128, 128, 256), (1, 128, 3, 256), (8, 64, 64, 16), (8, 128, 128, 8),
          (8, 24, 24, 64), (8, 48, 48, 32)]
numbers = [int(n) for n in sys.argv[1:]]
if numbers:
    shapes = [tuple(numbers[i:i + 4]) for i in range(0, len(numbers), 4)]


def fastest(work, budget=0.4):
    best, runs, start = float("inf"), 0, time.process_time()
    while runs < 3 or (time.process_time() - start < budget and runs < 200):
        begin = time.process_time()
        work()
        best, runs = min(best, time.process_time() - begin), runs + 1
    return best * 1e3


torch.set_num_threads(1)
torch.manual_seed(0)
for batch, inputs, outputs, side in shapes:
    x, g = torch.randn(batch, inputs, side, side), torch.randn(batch, outputs, side, side)
    convolution = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
    weight = convolution.weight.detach()
    with torch.no_grad():
        forward = fastest(lambda: convolution(x))
        of_input = fastest(lambda: torch.nn.grad.conv2d_input(x.shape, weight, g, padding=1))
        of_weight = fastest(lambda: torch.nn.grad.conv2d_weight(x, weight.shape, g, padding=1))
    print(f"{batch} x {inputs} to {outputs} at {side}²: {forward:.2f} forward, {of_input:.2f} input gradient, "
          f"{of_weight:.2f} weight gradient", flush=True)
