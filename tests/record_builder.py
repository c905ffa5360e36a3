"""Writes a probe's record as `repcheck/inside/RECORD.md` says, for tests and benchmarks.

Events, steps and rows are told in the order in which they happened; `Script` plays a whole
training, so that a test says only what is special about it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STEP = struct.Struct("<dddffIIIIHHHHHHHH")
ROWS = struct.Struct("<BBHIIII")
INDICES = struct.Struct("<III")
TRAIN, EVAL, AUX, STORAGE, BATCH, FIT, PREDICT, UNSURE = range(1, 9)
FROM_LOADER = 1


@dataclass
class Process:
    """One process's record, written into its folder as it goes."""

    folder: Path
    pid: int = 100
    serial: int = 0xABCD
    step: int = 0
    t: float = 0.0
    hashed: int = 0
    files: dict[str, bytearray] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"{self.pid}-{self.serial:08x}"

    def path(self, ending: str) -> Path:
        return self.folder / f"{self.base}.{ending}"

    def append(self, ending: str, data: bytes) -> None:
        with self.path(ending).open("ab") as file:
            file.write(data)

    def event(self, kind: str, **fields: Any) -> None:
        self.t += 1e-5
        line = {"k": kind, "t": round(self.t, 6), "s": self.step} | fields
        self.append("jsonl", (json.dumps(line) + "\n").encode())

    def start(self, **fields: Any) -> None:
        about = {
            "v": 1, "pid": self.pid, "ppid": 1, "parent": "", "argv": ["python", "train.py"],
            "py": "3.11.7", "exe": "/usr/bin/python", "cwd": "/run/copy", "time": 1000.0, "env": {},
        }  # fmt: skip
        self.event("start", **(about | fields))

    def optimizer(
        self, i: int = 0, *, n: int = 1000, params: Any = ((0, 3),), **group: Any
    ) -> None:
        groups = [{"n": n, "tensors": 4, "lr": 0.1, "weight_decay": 0.0} | group]
        self.event(
            "optimizer", i=i, cls="torch.optim.sgd.SGD", mro=["SGD"], defaults={}, ngroups=1,
            groups=groups, params=[list(pair) for pair in params],
        )  # fmt: skip

    def root(
        self, id: int = 0, *, cls: str = "__main__.Net", params: int = 1000, **more: Any
    ) -> None:
        about = {
            "trainable": params, "buffers": 0, "modules": 4, "in_opt": 1.0, "device": "cpu",
            "dtype": "torch.float32",
        }  # fmt: skip
        self.event("root", id=id, cls=cls, params=params, **(about | more))

    def loader(self, i: int, *, ds: int, batch_size: int = 32, **more: Any) -> None:
        about = {
            "dataset": "torch.utils.data.dataset.TensorDataset", "n": 10, "workers": 0,
            "sampler": "RandomSampler", "batch_sampler": "BatchSampler", "drop_last": False,
            "collate": "default_collate",
        }  # fmt: skip
        self.event("loader", i=i, ds=ds, batch_size=batch_size, **(about | more))

    def add_step(self, **fields: Any) -> None:
        """Write one optimizer step; what is not given is that of a plain step of 32 rows."""
        self.step += 1
        self.t += 0.001
        one = {
            "t": self.t, "lr": 0.1, "lr_last": 0.1, "wait": 0.0, "loss": float("nan"),
            "step": self.step, "rows": 32, "rows_unsure": 0, "rows_off": 0, "opt": 0, "groups": 1,
            "fwd": 1, "again": 0, "bwd": 1, "fwd_off": 0, "batches": 1, "flags": 0,
        } | fields  # fmt: skip
        self.append("steps", STEP.pack(*one.values()))

    def rows(
        self, layer: int, hashes: Sequence[int], *, id: int = 0, pass_: int = 0, flags: int = 0,
        step: int | None = None,
    ) -> None:  # fmt: skip
        at = self.step if step is None else step
        self.hashed += len(hashes)
        head = ROWS.pack(layer, flags, 0, at, id, pass_, len(hashes))
        self.append("rows", head + struct.pack(f"<{len(hashes)}Q", *hashes))

    def indices(self, loader: int, it: int, values: Sequence[int]) -> None:
        head = INDICES.pack(loader, it, len(values))
        self.append("idx", head + struct.pack(f"<{len(values)}q", *values))

    def end(self, **fields: Any) -> None:
        about = {
            "reason": "exit", "wall": self.t, "cpu": self.t, "rss_kb": 204800, "steps": self.step,
            "hashed": self.hashed, "skipped": 0, "self_s": 0.01,
        }  # fmt: skip
        self.event("end", **(about | fields))

    def store(self, ds: int, hashes: Sequence[int]) -> None:
        """Write the hashes of a dataset's storage."""
        self.rows(STORAGE, hashes, id=ds, step=0)
        self.event(
            "storage", ds=ds, cls="TensorDataset", rows=len(hashes), hashed=len(hashes), d=64,
            dup=len(hashes) - len(set(hashes)),
        )  # fmt: skip

    def train_epoch(
        self, loader: int, it: int, parts: Iterable[Sequence[int]], content: Sequence[int],
        *, root: int = 0, **step: Any,
    ) -> None:  # fmt: skip
        """Play one round through a loader: each batch is drawn, hashed, and stepped on."""
        count = drawn = 0
        begin = self.step
        for batch in parts:
            self.indices(loader, it, batch)
            self.rows(TRAIN, [content[i] for i in batch], id=root, flags=FROM_LOADER)
            self.add_step(**({"rows": len(batch)} | step))
            count, drawn = count + 1, drawn + len(batch)
        self.event(
            "loader_end", i=loader, it=it, batches=count, drawn=drawn, done=True, begin=begin
        )

    def evaluate(
        self, n: int, loader: int, it: int, parts: Iterable[Sequence[int]],
        content: Sequence[int], *, root: int = 0, views: int = 1, **more: Any,
    ) -> None:  # fmt: skip
        """Play one evaluation pass through a loader, of so many views of each example."""
        count = drawn = 0
        for batch in parts:
            self.indices(loader, it, batch)
            hashes = [content[i] for i in batch]
            self.rows(EVAL, hashes, id=root, pass_=n, flags=FROM_LOADER)
            for view in range(1, views):
                self.rows(EVAL, [(h * 31 + view) % 2**64 for h in hashes], id=root, pass_=n)
            count, drawn = count + 1, drawn + len(batch)
        self.event(
            "loader_end", i=loader, it=it, batches=count, drawn=drawn, done=True, begin=self.step
        )
        about = {
            "at": self.step, "rows": drawn * views, "fwd": count * views,
            "roots": {str(root): count * views}, "batches": count, "drawn": drawn,
            "loaders": {str(loader): count}, "train_mode": False, "grad": False, "held": True,
            "swapped": False, "weights": f"w{self.step}", "wall": 0.0,
        }  # fmt: skip
        self.event("eval", n=n, **(about | more))


def batches(indices: Sequence[int], size: int) -> list[Sequence[int]]:
    """Cut indices into batches, the last one as long as it comes."""
    return [indices[at : at + size] for at in range(0, len(indices), size)]


def content(begin: int, count: int) -> list[int]:
    """Return hashes that nothing else has."""
    return [(begin + k) * 0x9E3779B97F4A7C15 % 2**64 or 1 for k in range(1, count + 1)]
