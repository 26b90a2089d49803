#!/usr/bin/env python3
"""Writes the results of the scripts in this folder as a table into a Markdown file, between two comments with its name.

usage: tables.py compare|scaling|replay|actors|account RESULTS_FOLDER MARKDOWN_FILE

Requires only the standard library.
"""

import datetime
import json
import os
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


# Work, title, key, whether the key is a rate, unit, target of the ratio, and the key of the CPU seconds.
COMPARED = [
    ("unet-forward", "SD-Turbo's UNet, forward, batch 1", "seconds", False, "s", 0.65, "cpu_seconds"),
    ("unet-forward", "the same, peak memory", "peak_memory_gb", False, "GB", None, None),
    ("unet-lora", "SD-Turbo's UNet, forward and backward, LoRA rank 4, batch 1", "seconds", False, "s", 0.60,
     "cpu_seconds"),
    ("unet-lora", "the same, peak memory", "peak_memory_gb", False, "GB", 0.65, None),
    ("vae-decode", "VAE, 64 x 64 latents to 512 x 512", "seconds", False, "s", 0.50, "cpu_seconds"),
    ("vae-decode", "the same, peak memory", "peak_memory_gb", False, "GB", 0.50, None),
    ("sdpo-emoji", "SDPO on Models/emoji-turbo, sampling a pair", "pairs_sampled_per_second", True, "ms", 0.40,
     "cpu_seconds_sampling"),
    ("sdpo-emoji", "training a pair-step", "pair_steps_trained_per_second", True, "ms", 0.40,
     "cpu_seconds_training"),
    ("sdpo-emoji", "peak memory", "peak_memory_gb", False, "GB", None, None),
    ("sdpo-sd2", "SDPO on Tests/Golden/models/sd2, sampling a pair", "pairs_sampled_per_second", True, "ms", 0.20,
     "cpu_seconds_sampling"),
    ("sdpo-sd2", "training a pair-step", "pair_steps_trained_per_second", True, "ms", 0.20,
     "cpu_seconds_training"),
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
        # The two runs of a round see the same load of the machine, so the ratio is per round, and then the median.
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
        + "Processor time is of all threads, and depends less on other work on the machine. "
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
    told = ", ".join(
        f"{rate:.0f} GFLOP/s with {threads} thread{'s' if threads > 1 else ''}"
        for threads, rate in sorted(peaks.items())
    )
    return (
        table(head, rows)
        + "\n\nThe roofline is the time of the direct method's operations at the rate of a product of 2048 x 2048 "
        + f"matrices ({told}); Winograd convolutions may be faster. {machine()}."
    )


def rates(found, **wanted):
    """Items per second of the measurements of this kind, one per round."""
    return [run["items_per_second"] for run in found if all(run.get(key) == value for key, value in wanted.items())]


def compared(ours, other, share=False):
    """The median of the other, and the median of the ratios per round; blank where it was not measured."""
    if not other:
        return ["", ""]
    ratio = statistics.median(a / b for a, b in zip(ours, other))
    return [f"{statistics.median(other):,.0f}", f"{ratio:.0%}" if share else f"{ratio:.1f}"]


def replay():
    ours, reverb, zeromq = (lines(f"{name}.jsonl") for name in ("stepwise", "reverb", "zeromq"))
    kinds = []
    for run in ours:
        keys = ("operation", "bytes", "writers", "in_flight", "connection", "acknowledged", "source")
        kind = {key: run[key] for key in keys if key in run}
        if kind not in kinds:
            kinds.append(kind)
    rows, counts = [], []
    for kind in sorted(kinds, key=lambda kind: (kind["operation"], kind["bytes"])):
        found = rates(ours, **kind)
        counts.append(len(found))
        told = f"{statistics.median(found):,.0f}"
        size = f"{kind['bytes'] >> 10} KiB"
        if kind["operation"] == "sample":
            peer = rates(reverb, operation="sample", bytes=kind["bytes"], samplers=1)
            rows.append(["sample", size, f"from {kind['source']}", "", told, *compared(found, peer), "", ""])
            continue
        if kind["operation"] == "recover":
            seconds = statistics.median(run["seconds"] for run in ours if all(run.get(k) == v for k, v in kind.items()))
            rows.append(["recover", size, f"256 MiB of journal in {seconds:.2f} s", "", told, "", "", "", ""])
            continue
        load = {key: kind[key] for key in ("operation", "bytes", "writers", "in_flight")}
        isolated = kind["connection"] == "plain" and kind["acknowledged"] == "memory"
        peer = rates(reverb, **load) if isolated else []
        behind = "disk" if kind["acknowledged"] == "disk" else "memory"
        ceiling = rates(zeromq, **load, connection=kind["connection"], acknowledged=behind)
        rows.append(
            ["insert", size, f"{kind['connection']}, {kind['acknowledged']}"]
            + [f"{kind['writers']} x {kind['in_flight']}", told]
            + [*compared(found, peer), *compared(found, ceiling, share=True)]
        )
    head = [
        "work", "item", "how", "writers x in flight", "Stepwise /s", "Reverb /s", "times", "ZeroMQ alone /s", "of it",
    ]
    rounds = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return (
        table(head, rows)
        + f"\n\nMedians of {rounds} rounds in turn; only items that were stored as they were made count; ratios are "
        + f"medians of the rounds' ratios. `Benchmarks/replay.sh`. {machine()}, {os.cpu_count()} cores."
    )


def actors():
    found = sorted((int(file.stem), json.loads(file.read_text())) for file in results.glob("*.json"))
    if not found:
        sys.exit(f"{results}: there are no results; run Benchmarks/actors.sh")
    rows = []
    for count, run in found:
        rate = 2 * run["groupsPerSecond"]
        spread = f"{run['fewestOfAnActor']} to {run['mostOfAnActor']}, mean {run['meanOfAnActor']:.1f}"
        memory = run["mostMemory"]["learner"]
        share = f"{rate / (2 * count):.0%}"
        rows.append([str(count), f"{rate:.1f}", share, spread, str(len(run["lost"])), f"{memory} MiB"])
    head = ["actors", "trajectories per second", "of linear scaling", "groups per actor", "lost", "learner's memory"]
    return (
        table(head, rows)
        + "\n\nGroups of two; each actor takes one second per group, so linear scaling is two trajectories per second "
        + "and actor. More than 16 actors share four processes. `Benchmarks/actors.sh`. "
        + f"{machine()}, {os.cpu_count()} cores."
    )


def account():
    rows = []
    for end, title, fault in (
        ("kill", "SIGKILL", "kill learner"),
        ("stop", "orderly stop", "terminate learner"),
    ):
        reverb = json.loads((results / f"reverb-{end}.json").read_text())
        ours = json.loads((results / f"stepwise-{end}.json").read_text())
        rows.append([
            title,
            f"{reverb['acknowledged']:,} acknowledged in {reverb['rounds']} ends, {reverb['lost']:,} lost "
            + f"(in {reverb['rounds_with_loss']} of {reverb['rounds']})",
            f"{ours['acknowledged']:,} acknowledged in {ours['faults'].get(fault, 0)} ends, {len(ours['lost'])} lost, "
            + f"{len(ours['storedTwice'])} stored twice",
        ])
    head = ["end", "Reverb, one checkpoint per second", "Stepwise"]
    return table(head, rows) + f"\n\n`Benchmarks/account.sh`. {machine()}."


made = {"compare": compare, "scaling": scaling, "replay": replay, "actors": actors, "account": account}[kind]()
text = document.read_text()
opening, closing = f"<!-- {kind} -->", f"<!-- end of {kind} -->"
if text.count(opening) != 1 or text.count(closing) != 1:
    sys.exit(f"{document}: the lines {opening} and {closing} must occur once each")
before, rest = text.split(opening)
document.write_text(before + opening + "\n" + made + "\n" + closing + rest.split(closing)[1])
print(made)
