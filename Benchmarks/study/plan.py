"""What the study consists of: blocks of runs that are compared, as study.json and the presets describe them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: The built program, with the others beside it; STEPWISE may name another.
PROGRAM = Path(os.environ.get("STEPWISE", ROOT / ".build" / "release" / "stepwise"))
RESULTS = HERE / "results"
RUNS = ROOT / "runs" / "study"
MODEL = "Models/emoji-turbo"


@dataclass(frozen=True)
class Run:
    """One policy: a method's preset, trained with one seed until its queries are spent."""

    block: str
    method: str
    seed: int
    preset: Path
    epochs: int
    overrides: tuple[str, ...] = ()
    #: What its policy is measured on.
    evaluation: str = ""

    @cached_property
    def digest(self) -> str:
        """Names the settings, as they are when first asked for: a result of other settings is not this run's."""
        return short_hash(self.preset.read_text() + f"{self.epochs} {self.overrides}")

    @cached_property
    def settings(self) -> str:
        """Names what the result is of: training and measuring."""
        return f"{self.digest}-{short_hash(self.evaluation)}"

    @property
    def name(self) -> str:
        return f"{self.block}-{self.method}-{self.seed}"

    @property
    def folder(self) -> Path:
        return RUNS / f"{self.name}-{self.digest}"

    @property
    def result(self) -> Path:
        return RESULTS / f"{self.name}.json"

    def finished(self) -> bool:
        """Whether there is a result of these very settings."""
        return self.result.exists() and read_json(self.result)["settings"] == self.settings


@dataclass(frozen=True)
class Block:
    """Runs with one reward and one number of queries."""

    name: str
    reward: str
    steps: int
    queries: int
    methods: dict[str, dict[str, Any]]
    #: Sets of prompts and noise that its policies are measured on.
    evaluation: list[dict[str, Any]]

    def run(
        self, method: str, seed: int, overrides: tuple[str, ...] = (), queries: int | None = None,
        queries_per_epoch: int | None = None,
    ) -> Run:
        """A method's run; its epochs follow from the queries that each asks."""
        about = self.methods[method]
        epochs = (queries or self.queries) // (queries_per_epoch or int(about["queriesPerEpoch"]))
        evaluation = json.dumps(self.evaluation, sort_keys=True)
        return Run(self.name, method, seed, HERE / about["preset"], epochs, overrides, evaluation)


@dataclass(frozen=True)
class Plan:
    """The whole study."""

    seeds: list[int]
    #: Counts how often the presets have changed since tries were made; a try is only comparable within its round.
    round: int
    blocks: list[Block]
    #: What tries are measured on.
    trial: dict[str, Any]

    def runs(self) -> Iterator[Run]:
        """Seed by seed, so that what is there early compares all methods."""
        for seed in self.seeds:
            for block in self.blocks:
                for method in block.methods:
                    yield block.run(method, seed)

    @property
    def settings(self) -> str:
        """Names what the model before training is measured on."""
        return short_hash(json.dumps([block.evaluation for block in self.blocks], sort_keys=True))

    def block(self, name: str) -> Block:
        """The block of this name."""
        for block in self.blocks:
            if block.name == name:
                return block
        raise SystemExit(f"expected one of {', '.join(block.name for block in self.blocks)}, found {name}")


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_json(file: Path) -> Any:
    return json.loads(file.read_text())


def write_atomically(file: Path, value: Any) -> None:
    """Writes JSON so that a reader finds the whole file or none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    os.replace(draft, file)


def load() -> Plan:
    """Reads study.json."""
    text = read_json(HERE / "study.json")
    blocks = [Block(**block) for block in text["blocks"]]
    return Plan(text["seeds"], text["round"], blocks, text["trial"])
