"""Shared by the PyTorch benchmarks: arguments, repeated timing, and a report in the keys of `stepwise-bench --json`."""

import argparse
import json
import resource
import statistics
import time

import torch


def parser(description, **numbers):
    """An argument parser with --threads and --seed, and an integer option for each of `numbers`."""
    result = argparse.ArgumentParser(description=description)
    for name, default in {**numbers, "threads": 2, "seed": 0}.items():
        result.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    return result


def start(options):
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)


def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def both_seconds(work):
    """Seconds of wall time and of CPU time."""
    began = time.process_time()
    return seconds(work), time.process_time() - began


def peak_memory():
    """The peak memory of the process, in units of 10^9 bytes."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def name():
    import diffusers

    return f"diffusers {diffusers.__version__} on torch {torch.__version__}"


def report_runs(runs, work, **facts):
    """Runs the work once to warm up and then `runs` times, and prints the report."""
    work()
    began = time.process_time()
    times = [round(seconds(work), 4) for _ in range(runs)]
    processor = round((time.process_time() - began) / runs, 4)
    report(seconds=round(statistics.median(times), 4), all_seconds=times, cpu_seconds=processor, **facts)


def report(**facts):
    print(json.dumps({"peer": name(), **facts, "peak_memory_gb": peak_memory()}))
