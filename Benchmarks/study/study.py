#!/usr/bin/env python3
"""Trains and measures the runs of the study.

    Benchmarks/study/study.py run              # all unfinished runs; Ctrl-C stops, the same command continues
    Benchmarks/study/study.py run --most 2     # the next two runs
    Benchmarks/study/study.py status
    Benchmarks/study/study.py try alignment-4 ddpo --set training.learningRate=2e-3
    Benchmarks/study/report.py                 # tables and charts of docs/study.md

A finished run, which has a result in results/, is not repeated. An interrupted run continues from its last checkpoint.
Requires only `swift build -c release` and Python 3.9.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import plan as study

Record = dict[str, Any]
stopping = threading.Event()
children: set["subprocess.Popen[str]"] = set()


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """Handles a termination request like Ctrl-C."""
    raise KeyboardInterrupt


def call(arguments: list[str], log: Path) -> None:
    """Runs the program with its output in a file; raises an error with the end of the file when it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        # In its own session the program does not receive Ctrl-C; this script forwards it once, because a second request
        # ends a run without a checkpoint.
        child = subprocess.Popen(
            [str(study.PROGRAM), *arguments], cwd=study.ROOT, stdout=out, stderr=out, text=True, start_new_session=True
        )
        children.add(child)
        try:
            status = child.wait()
        finally:
            children.discard(child)
    if stopping.is_set():
        raise KeyboardInterrupt
    if status != 0:
        raise RuntimeError(
            f"{' '.join(arguments[:2])} failed with status {status}; the end of {log}:\n{log.read_text()[-2000:]}")


def free_ports(count: int) -> list[int]:
    """Returns unused ports."""
    sockets = [socket.socket() for _ in range(count)]
    for taken in sockets:
        taken.bind(("127.0.0.1", 0))
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def records(run: study.Run) -> list[Record]:
    """The metrics of a run, one record per epoch."""
    file = run.folder / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def train(run: study.Run) -> list[Record]:
    """Trains to the last epoch, from the last checkpoint if there is one."""
    if len(records(run)) < run.epochs:
        learner, notices, router, backend = (f"tcp://127.0.0.1:{port}" for port in free_ports(4))
        settings = [
            f"run.seed={run.seed}", f"run.folder={run.folder}", f"training.epochs={run.epochs}",
            f"network.learner={learner}", f"network.notices={notices}", f"network.routers=[{router}]",
            f"network.routerBackends=[{backend}]", *run.overrides,
        ]
        arguments = ["run", "--config", str(run.preset)]
        arguments += [part for setting in settings for part in ("--set", setting)]
        arguments += ["--resume"] if (run.folder / "run-id").exists() else []
        call(arguments, study.RUNS / "logs" / f"{run.folder.name}-training.txt")
    found = records(run)
    if len(found) != run.epochs:
        raise RuntimeError(f"{run.folder}: expected {run.epochs} epochs, found {len(found)}; run the command again")
    return found


def measure(folder: Path, prompts: dict[str, Any], steps: int, lora: Path | None) -> Record:
    """The result of `stepwise evaluate` for a policy and a number of steps, without the single prompts."""
    file = folder / f"{prompts['name']}-{prompts['seeds']}-{steps}.json"
    if not file.exists():
        arguments = [
            "evaluate", "--model", study.MODEL, "--prompts", prompts["file"], "--reward", "alignment",
            "jpeg-compressibility", "--seeds", str(prompts["seeds"]), "--first-seed", str(prompts["firstSeed"]),
            "--steps", str(steps), "--json", str(file),
        ]
        arguments += ["--lora", str(lora)] if lora else []
        arguments += ["--divergence"] if lora and steps in prompts["divergence"] else []
        call(arguments, file.with_suffix(".txt"))
    found = study.read_json(file)
    rewards = {name: value["all"] for name, value in found["rewards"].items()}
    return {"rewards": rewards, "diversity": found.get("diversity"), "divergence": found.get("divergence", [])}


def measured(sets: list[Any], folder: Path, lora: Path | None) -> Record:
    """Measures a policy on all sets of prompts with all numbers of steps."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        prompts["name"]: {str(steps): measure(folder, prompts, steps, lora) for steps in prompts["steps"]}
        for prompts in sets
    }


def adapter(run: study.Run) -> Path:
    """The path of the trained LoRA weights."""
    return run.folder / "checkpoints" / "latest" / "pytorch_lora_weights.safetensors"


def curve(found: list[Record]) -> list[list[float]]:
    """The mean reward of the training pictures of each epoch, with the number of queries up to and including it."""
    points, spent = [], 0.0
    for record in found:
        spent += record["reward/queries"]
        if "reward/mean" in record:
            points.append([spent, round(record["reward/mean"], 5)])
    return points


def summary(run: study.Run, found: list[Record]) -> Record:
    """A summary of the metrics of a run."""
    return {
        "block": run.block, "method": run.method, "seed": run.seed, "settings": run.settings, "epochs": run.epochs,
        "queries": sum(record["reward/queries"] for record in found),
        "seconds": round(sum(record["time/wait"] + record["time/train"] for record in found), 1),
        "curve": curve(found),
    }


def complete(plan: study.Plan, run: study.Run) -> str:
    """Trains and measures one run, and writes its result."""
    found = train(run)
    evaluation = measured(plan.block(run.block).evaluation, run.folder / "evaluation", adapter(run))
    study.write_atomically(run.result, {**summary(run, found), "evaluation": evaluation})
    return run.name


def baseline(plan: study.Plan) -> str:
    """Measures the model before training."""
    found = {block.name: measured(block.evaluation, study.RUNS / "model" / block.name, None) for block in plan.blocks}
    study.write_atomically(study.RESULTS / "model.json", {**found, "settings": plan.settings})
    return "model"


def attempt(plan: study.Plan, options: argparse.Namespace) -> None:
    """Trains once with other settings, and appends to tried.jsonl how the rewards of training prompts changed."""
    overrides = tuple(options.set)
    block = plan.block(options.block)
    run = block.run(options.method, options.seed, overrides, options.queries, options.queries_per_epoch)
    found = summary(run, train(run))
    sets = [plan.trial]
    before = measured(sets, study.RUNS / "model" / "trial", None)["trial"]
    after = measured(sets, run.folder / "evaluation", adapter(run))["trial"]
    note = {
        "round": plan.round, "block": run.block, "method": run.method, "seed": run.seed, "set": list(overrides),
        "settings": run.digest, "epochs": run.epochs, "queries": found["queries"], "seconds": found["seconds"],
        "gain": {
            steps: round(after[steps]["rewards"][block.reward]["mean"] - reward["rewards"][block.reward]["mean"], 4)
            for steps, reward in before.items()
        },
        "divergence": {
            steps: round(sum(value["divergence"]), 4) for steps, value in after.items() if value["divergence"]
        },
        "diversity": {
            steps: round(value["diversity"] - before[steps]["diversity"], 4) for steps, value in after.items()
        },
    }
    with (study.HERE / "tried.jsonl").open("a") as file:
        file.write(json.dumps(note) + "\n")
    print(json.dumps(note))


def work(plan: study.Plan, options: argparse.Namespace) -> None:
    """Trains and measures unfinished runs, several at the same time."""
    model = study.RESULTS / "model.json"
    is_measured = model.exists() and study.read_json(model).get("settings") == plan.settings
    jobs: list[Any] = [] if is_measured else [lambda: baseline(plan)]
    pending = [run for run in plan.runs() if not run.finished() and options.only in run.name]
    pending = [run for run in pending if run.block not in options.skip]
    jobs += [lambda run=run: complete(plan, run) for run in pending]
    began = time.monotonic()
    with ThreadPoolExecutor(options.side_by_side) as pool:
        waiting = [pool.submit(job) for job in jobs[: options.most]]
        try:
            for future in waiting:
                print(f"{future.result()}: done, {time.monotonic() - began:.0f} s", flush=True)
        except BaseException:
            # Every child ends with a checkpoint, from which the next call continues.
            stopping.set()
            for future in waiting:
                future.cancel()
            for child in list(children):
                child.terminate()
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train and measure the unfinished runs")
    run.add_argument("--most", type=int, help="the largest number of runs")
    run.add_argument("--side-by-side", type=int, default=1, help="runs at the same time; they share the cores")
    run.add_argument("--only", default="", help="only runs whose name contains this text")
    run.add_argument("--skip", action="append", default=[], help="a block to skip")
    commands.add_parser("status", help="list finished and unfinished runs")
    attempted = commands.add_parser("try", help="train once with other settings")
    attempted.add_argument("block")
    attempted.add_argument("method")
    attempted.add_argument("--set", action="append", default=[], help="SECTION.KEY=VALUE, overrides the preset")
    attempted.add_argument("--seed", type=int, default=100)
    attempted.add_argument("--queries", type=int, help="the number of queries, instead of that of the block")
    attempted.add_argument(
        "--queries-per-epoch", type=int, help="instead of that of the method, if --set changes it")
    options = parser.parse_args()
    plan = study.load()
    if not study.PROGRAM.exists():
        sys.exit(f"{study.PROGRAM} is missing; run `swift build -c release`")
    signal.signal(signal.SIGTERM, stop)
    if options.command == "run":
        work(plan, options)
    elif options.command == "try":
        attempt(plan, options)
    for state in (True, False) if options.command != "try" else ():
        names = [run.name for run in plan.runs() if run.finished() == state]
        print(f"{len(names)} {'finished' if state else 'to do'}: {' '.join(names)}")


if __name__ == "__main__":
    main()
