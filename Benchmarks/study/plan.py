"""The plan of the study: blocks of runs that are compared, from study.json and the presets."""

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
#: The program, in one folder with the other programs; the variable STEPWISE overrides it.
PROGRAM = Path(os.environ.get("STEPWISE", ROOT / ".build" / "release" / "stepwise"))
RESULTS = HERE / "results"
RUNS = ROOT / "runs" / "study"
MODEL = "Models/emoji-turbo"


@dataclass(frozen=True)
class Run:
    """One training run: the preset of a method and one seed, trained until the queries are spent."""

    block: str
    method: str
    seed: int
    preset: Path
    epochs: int
    overrides: tuple[str, ...] = ()
    #: The prompts and noise on which its policy is measured.
    evaluation: str = ""

    @cached_property
    def digest(self) -> str:
        """A hash of the settings, computed once. It includes the text of the preset with its comments, so that every
        edit of a preset makes earlier results invalid."""
        return short_hash(self.preset.read_text() + f"{self.epochs} {self.overrides}")

    @cached_property
    def settings(self) -> str:
        """A hash of the settings of training and evaluation."""
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
        """Whether there is a result with these settings."""
        return self.result.exists() and read_json(self.result)["settings"] == self.settings


@dataclass(frozen=True)
class Block:
    """Runs with one reward and one number of queries."""

    name: str
    reward: str
    steps: int
    queries: int
    methods: dict[str, dict[str, Any]]
    #: Sets of prompts and noise on which the policies are measured.
    evaluation: list[dict[str, Any]]

    def run(
        self, method: str, seed: int, overrides: tuple[str, ...] = (), queries: int | None = None,
        queries_per_epoch: int | None = None,
    ) -> Run:
        """The run of a method. The number of epochs is the number of queries divided by the queries per epoch."""
        about = self.methods[method]
        epochs = (queries or self.queries) // (queries_per_epoch or int(about["queriesPerEpoch"]))
        evaluation = json.dumps(self.evaluation, sort_keys=True)
        return Run(self.name, method, seed, HERE / about["preset"], epochs, overrides, evaluation)


@dataclass(frozen=True)
class Plan:
    """The whole study."""

    seeds: list[int]
    #: Increases when the presets change; tries are comparable only within one round.
    round: int
    blocks: list[Block]
    #: The prompts and noise on which tries are measured.
    trial: dict[str, Any]

    def runs(self) -> Iterator[Run]:
        """All runs, ordered by seed, so that early results already compare all methods."""
        for seed in self.seeds:
            for block in self.blocks:
                for method in block.methods:
                    yield block.run(method, seed)

    @property
    def settings(self) -> str:
        """A hash of the prompts and noise on which the model before training is measured."""
        return short_hash(json.dumps([block.evaluation for block in self.blocks], sort_keys=True))

    def block(self, name: str) -> Block:
        for block in self.blocks:
            if block.name == name:
                return block
        raise SystemExit(f"expected a block ({', '.join(block.name for block in self.blocks)}), found {name}")


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_json(file: Path) -> Any:
    return json.loads(file.read_text())


def write_atomically(file: Path, value: Any) -> None:
    """Writes JSON so that a reader finds either the whole file or no file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    os.replace(draft, file)


def load() -> Plan:
    """Reads study.json."""
    text = read_json(HERE / "study.json")
    blocks = [Block(**block) for block in text["blocks"]]
    return Plan(text["seeds"], text["round"], blocks, text["trial"])
