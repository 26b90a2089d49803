#!/usr/bin/env python3
"""Writes the tables of docs/study.md from results/, and draws its charts with `stepwise plot`.

    Benchmarks/study/report.py

A table is between `<!-- table: NAME -->` and `<!-- end -->`; the text around the tables is written by hand.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Callable

import plan as study

DOCUMENT = study.ROOT / "docs" / "study.md"
CHARTS = study.ROOT / "docs" / "study"
#: The number of epochs over which each point of a chart is averaged.
WINDOW = 3

Result = dict[str, Any]


def results(block: study.Block, method: str) -> list[Result]:
    """The results of the finished runs of a method, by seed."""
    files = sorted(study.RESULTS.glob(f"{block.name}-{method}-[0-9]*.json"))
    return [study.read_json(file) for file in files]


def spread(values: list[float], form: str = ".4f") -> str:
    """The mean over seeds with its standard error."""
    if not values:
        return ""
    error = f" ± {stdev(values) / len(values) ** 0.5:{form}}" if len(values) > 1 else ""
    return f"{mean(values):{form}}{error}"


def rewarded(name: str, prompts: str, steps: int) -> Callable[[Result], float]:
    return lambda result: result["evaluation"][prompts][str(steps)]["rewards"][name]["mean"]


def diversity(steps: int) -> Callable[[Result], float]:
    return lambda result: result["evaluation"]["held-out"][str(steps)]["diversity"]


def divergence(steps: int, without_last: bool = False) -> Callable[[Result], float]:
    """The divergence summed over the steps of a trajectory. The noise of the last step is so small that its divergence
    is larger than that of all others, so it can be left out."""
    return lambda result: sum(result["evaluation"]["held-out"][str(steps)]["divergence"][: steps - without_last])


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def of_methods(block: study.Block, columns: list[tuple[str, Callable[[Result], float], str]], with_model: bool) -> str:
    """A table with one row for the model before training (if `with_model`) and one row per method."""
    rows = []
    if with_model:
        model = {"evaluation": study.read_json(study.RESULTS / "model.json")[block.name]}
        rows.append(["before training", *(f"{value(model):{form}}" for _, value, form in columns)])
    for method in block.methods:
        found = results(block, method)
        if found:
            cells = [spread([value(result) for result in found], form) for _, value, form in columns]
            rows.append([f"`{method}`", *cells])
    return table([f"{block.name}, {block.queries} queries", *(name for name, _, _ in columns)], rows)


def tried() -> str:
    """The runs that were made once to choose settings."""
    notes = [json.loads(line) for line in (study.HERE / "tried.jsonl").read_text().splitlines()]
    notes.sort(key=lambda note: (note["round"], note["block"], note["method"]))
    rows = [
        [
            str(note["round"]), note["block"], f"`{note['method']}`", ", ".join(f"`{each}`" for each in note["set"]),
            f"{note['queries']:.0f}", *(f"{note['gain'][steps]:+.4f}" for steps in ("1", "2", "4")),
            f"{note['divergence']['4']:.2f}", f"{note['diversity']['4']:+.4f}",
        ]
        for note in notes
    ]
    head = [
        "round", "block", "method", "other settings", "queries", "gain at 1 step", "2", "4", "divergence", "diversity",
    ]
    return table(head, rows)


def state(plan: study.Plan) -> str:
    """How many runs of the study are finished."""
    runs = list(plan.runs())
    done = [run for run in runs if run.finished()]
    seeds = ", ".join(
        f"{sum(run.finished() for run in runs if run.seed == seed)} with seed {seed}" for seed in plan.seeds
    )
    return f"**{len(done)} of {len(runs)} runs are finished** ({seeds})."


def tables(plan: study.Plan) -> dict[str, str]:
    """All tables of the document, by name."""
    found = {"tried": tried(), "state": state(plan)}
    for block in plan.blocks:
        def reward(prompts: str, steps: list[int], name: str = block.reward) -> list[Any]:
            return [(f"{steps} step{'s' * (steps > 1)}", rewarded(name, prompts, steps), ".4f") for steps in steps]

        for prompts in block.evaluation:
            columns = reward(prompts["name"], prompts["steps"])
            found[f"{block.name} {prompts['name']}"] = of_methods(block, columns, True)
        other = "alignment" if block.reward != "alignment" else "jpeg-compressibility"
        kept: list[Any] = [
            (f"diversity, {steps} step{'s' * (steps > 1)}", diversity(steps), ".4f") for steps in (1, 2, 4, 8)
        ]
        kept.append((f"{other}, {block.steps} steps", rewarded(other, "held-out", block.steps), ".4f"))
        found[f"{block.name} diversity"] = of_methods(block, kept, True)
        cost: list[Any] = [
            ("divergence", divergence(block.steps), ".3f"),
            ("without the last step", divergence(block.steps, without_last=True), ".4f"),
            ("queries", lambda result: result["queries"], ".0f"), ("policies", lambda result: result["epochs"], ".0f"),
            ("seconds", lambda result: result["seconds"], ".0f"),
        ]
        found[f"{block.name} cost"] = of_methods(block, cost, False)
    return found


def mean_curve(found: list[Result]) -> list[list[float]]:
    """The mean over seeds, and then over a window of epochs that ends at each point."""
    epochs = list(zip(*(result["curve"] for result in found)))
    queries = [mean(point[0] for point in points) for points in epochs]
    rewards = [mean(point[1] for point in points) for points in epochs]
    return [
        [queries[end - 1], mean(rewards[end - WINDOW : end])] for end in range(WINDOW, len(rewards) + 1)
    ]


def draw(block: study.Block) -> None:
    """Reward against queries, as PNG and as SVG."""
    lines = [{"name": method, "points": mean_curve(results(block, method))} for method in block.methods]
    chart = {
        "title": f"{block.reward}, {block.steps} steps: reward of training pictures, "
        f"mean over seeds and {WINDOW} epochs",
        "horizontalTitle": "reward queries", "lines": [line for line in lines if line["points"]],
    }
    CHARTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "chart.json"
        source.write_text(json.dumps(chart))
        for ending in ("png", "svg"):
            out = CHARTS / f"{block.name}.{ending}"
            subprocess.run([str(study.PROGRAM), "plot", str(source), "--out", str(out)], check=True)


def main() -> None:
    plan = study.load()
    text = DOCUMENT.read_text()
    for name, body in tables(plan).items():
        pattern = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            print(f"{DOCUMENT}: there is no <!-- table: {name} -->, so this table is not written")
        text = pattern.sub(rf"\g<1>{body.replace(chr(92), chr(92) * 2)}\n\g<2>", text)
    DOCUMENT.write_text(text)
    for block in plan.blocks:
        draw(block)


if __name__ == "__main__":
    main()
