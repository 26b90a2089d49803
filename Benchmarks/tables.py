#!/usr/bin/env python3
"""Turns results of compare.sh or scaling.sh into a table in a Markdown file, between the comments that name it.

usage: tables.py compare|scaling RESULTS_FOLDER MARKDOWN_FILE      (the standard library is all it needs)
"""

import datetime
import json
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

kind, results, document = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])


def lines(name):
    file = results / name
    return [json.loads(line) for line in file.read_text().splitlines() if line] if file.exists() else []


def table(head, rows):
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(row) + " |" for row in rows]
    )


def machine():
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return (
        f"{model.group(1) if model else platform.machine()}, {system.group(1) if system else platform.system()}, "
        f"{datetime.date.today()}, commit {commit}"
    )


# Work, what of it, its key, whether the key is a rate, unit, the ratio aimed at, and the key of the processor's seconds.
COMPARED = [
    ("unet-forward", "SD-Turbo's UNet, forward, batch 1", "seconds", False, "s", 0.65, "cpu_seconds"),
    ("unet-forward", "the same, peak memory", "peak_memory_gb", False, "GB", None, None),
    ("unet-lora", "SD-Turbo's UNet, forward and backward, LoRA rank 4, batch 1", "seconds", False, "s", 0.60, "cpu_seconds"),
    ("unet-lora", "the same, peak memory", "peak_memory_gb", False, "GB", 0.65, None),
    ("vae-decode", "VAE, 64 x 64 latents to 512 x 512", "seconds", False, "s", 0.50, "cpu_seconds"),
    ("vae-decode", "the same, peak memory", "peak_memory_gb", False, "GB", 0.50, None),
    ("sdpo-emoji", "SDPO on Models/emoji-turbo, sampling a pair", "pairs_sampled_per_second", True, "ms", 0.40, "cpu_seconds_sampling"),
    ("sdpo-emoji", "training a pair-step", "pair_steps_trained_per_second", True, "ms", 0.40, "cpu_seconds_training"),
    ("sdpo-emoji", "peak memory", "peak_memory_gb", False, "GB", None, None),
    ("sdpo-sd2", "SDPO on Tests/Golden/models/sd2, sampling a pair", "pairs_sampled_per_second", True, "ms", 0.20, "cpu_seconds_sampling"),
    ("sdpo-sd2", "training a pair-step", "pair_steps_trained_per_second", True, "ms", 0.20, "cpu_seconds_training"),
]


def compare():
    rows, counts, names = [], [], set()
    for work, title, key, is_rate, unit, limit, processor in COMPARED:
        found = [lines(f"{work}.{side}.jsonl") for side in ("peer", "project")]
        if not all(found):
            continue
        names.update(run["peer"] + f", {run['threads']} threads" for side in found for run in side)
        counts.append(min(map(len, found)))
        values = [[1e3 / run[key] if is_rate else run[key] for run in side] for side in found]
        peer, project = map(statistics.median, values)
        # Runs side by side share the machine's mood: the ratio is of each round, then the median.
        ratio = statistics.median(b / a for a, b in zip(*values))
        worked = ""
        if processor:
            worked = f"{statistics.median(b[processor] / a[processor] for a, b in zip(*found)):.2f}"
        told = [title, f"{peer:.3g} {unit}", f"{project:.3g} {unit}", f"{ratio:.2f}", worked]
        rows.append(told + [f"{limit:.2f}" if limit else ""])
    head = ["work", "PyTorch", "Stepwise", "ratio", "ratio of processor time", "aim"]
    rounds = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return (
        table(head, rows)
        + f"\n\nMedians of {rounds} rounds, peer and project in turn; the ratio is the median of the rounds' ratios. "
        + "Processor time is of all threads, and depends less on what else the machine does. "
        + f"{machine()}. {'; '.join(sorted(names))}."
    )


def scaling():
    peaks = {run["threads"]: run["peak_gflop_per_second"] for run in lines("peak.jsonl")}
    rows = []
    for name in ("unet", "vae"):
        for run in lines(f"{name}.jsonl"):
            bound = run["gflop"] / peaks[run["threads"]]
            rows.append(
                [
                    f"{name} {run['mode']}" + (f", rank {run['rank']}" if run.get("rank") else ""),
                    *(str(run[key]) for key in ("batch", "latent", "threads")),
                    f"{run['gflop']:.0f}",
                    f"{run['seconds']:.2f}",
                    f"{bound:.2f}",
                    f"{run['seconds'] / bound:.2f}",
                    f"{run['peak_memory_gb']:.2f}",
                ]
            )
    head = ["work", "batch", "latents", "threads", "GFLOP", "s", "roofline s", "s / roofline", "peak GB"]
    told = ", ".join(f"{rate:.0f} GFLOP/s with {threads} thread{'s' if threads > 1 else ''}" for threads, rate in sorted(peaks.items()))
    return (
        table(head, rows)
        + f"\n\nThe roofline is what the operations of the direct method would take at the rate of a product of 2048 x 2048 "
        + f"matrices ({told}); Winograd convolutions may be below it. {machine()}."
    )


made = {"compare": compare, "scaling": scaling}[kind]()
text = document.read_text()
opening, closing = f"<!-- {kind} -->", f"<!-- end of {kind} -->"
if text.count(opening) != 1 or text.count(closing) != 1:
    sys.exit(f"{document}: expected the lines {opening} and {closing} once each")
before, rest = text.split(opening)
document.write_text(before + opening + "\n" + made + "\n" + closing + rest.split(closing)[1])
print(made)
