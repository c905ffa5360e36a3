"""What was trained, of all ranks together: steps, samples, batches, rates, losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from repcheck.analysis import curves, samples
from repcheck.analysis.arrays import Any1D, Mask, among, digest
from repcheck.analysis.lineage import undone
from repcheck.analysis.loaders import TRAINING, Round
from repcheck.analysis.optimizers import MOST_OTHERS, Cluster, clusters_of, optimizer_seen
from repcheck.analysis.processes import Job, Process
from repcheck.analysis.samples import Drawn
from repcheck.observation import Gap, OptimizerSeen, Training
from repcheck.records import Blocks, Event, Ints, Table

NOT_FINITE = 2
AUTOCAST = 1
FEW_WITHOUT_ROWS = 0.02
HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One rank's steps, without the first `begin` that were taken back.

    `counted` are those of the main optimizer and of the ones that step beside it, `numbers` what
    the process counted up to each of the main optimizer's.
    """

    process: Process
    begin: int
    steps: Table
    clusters: tuple[Cluster, ...]
    main: Cluster
    counted: Mask
    numbers: Ints

    def between(self, name: str) -> Ints:
        """Return a column summed up from one main step to the next."""
        column = np.where(self.counted, self.steps[name], 0).astype(np.int64)
        total = np.concatenate([[0], np.cumsum(column)])
        found: Ints = np.diff(total[np.concatenate([[0], self.main.at + 1])])
        return found

    def total(self, name: str) -> int:
        """Return a column summed up over all that was counted."""
        return int(self.steps[name][self.counted].sum(dtype=np.int64))

    def used(self, one: Round) -> bool:
        """Tell whether a round through a loader was there for the steps that are counted."""
        numbers = self.steps["step"]
        first, last = np.searchsorted(numbers, [one.begin, one.end], side="right")
        return bool(last > first and self.counted[first:last].mean() > HALF)

    def trained(self) -> Blocks:
        """Return the hashes of the rows that the counted steps trained on."""
        blocks = samples.trained_blocks(self.process, self.begin, samples.step_offset(self.process))
        if self.counted.all():
            return blocks
        numbers = self.steps["step"][self.counted].astype(np.int64)
        return blocks.only(among(blocks.headers["step"].astype(np.int64), numbers))

    def ordinal(self, step: int) -> int:
        """Return how many main steps were done when the process had done so many of any kind."""
        return int(np.searchsorted(self.numbers, step, side="right"))

    def mine(self, name: str) -> Any1D:
        """Return a column of the main optimizer's steps."""
        return np.asarray(self.steps[name][self.main.at])


Shares = Mapping[int, Share]
"""Each training process's share, by the process's number."""


def share_of(process: Process) -> Share:
    """Return a rank's steps, without those at the beginning that were taken back."""
    begin = undone(process)
    steps = process.record.steps
    steps = steps[int(np.searchsorted(steps["step"], begin, side="right")) :]
    clusters = clusters_of(process.record, steps)
    main = clusters[0]
    counted = np.ones(len(steps), bool)
    for other in clusters[1:]:
        # One that steps beside the main one shares its forwards; another stage has its own.
        if not (other.first < main.last and main.first < other.last):
            counted[np.isin(steps["opt"], other.serials)] = False
    return Share(
        process=process,
        begin=begin,
        steps=steps,
        clusters=clusters,
        main=main,
        counted=counted,
        numbers=steps["step"][main.at].astype(np.int64),
    )


def main_job(jobs: tuple[Job, ...], shares: Shares) -> Job | None:
    """Return the training with the largest optimizer; of equal ones the longest, then the last."""

    def weight(job: Job) -> tuple[int, int, int]:
        main = shares[job.chief.number].main
        return main.elements, len(main.at), job.chief.number

    return max(jobs, key=weight, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training with the gaps found while it was counted."""

    training: Training
    share: Share
    gaps: tuple[Gap, ...]


def trained_by(
    job: Job,
    all_shares: Shares,
    rounds: Mapping[int, tuple[Round, ...]],
    blind: frozenset[str],
) -> Trained:
    """Return what a job trained; `blind` names the kinds of gaps that were found before."""
    shares = [all_shares[rank.number] for rank in job.ranks]
    chief = shares[0]
    rows, gaps = _rows(shares)
    if "samples" in blind:
        rows = None
    drawn = samples.drawn_in_training(
        [
            (share.process, one)
            for share in shares
            for one in rounds[share.process.number]
            if share.used(one)
        ]
    )
    total = sum(share.total("rows") for share in shares) if rows is not None else None
    unique, unique_by, most = _unique(shares, drawn, total)
    record = job.chief.record
    seen = np.cumsum(rows) if rows is not None else np.zeros(len(chief.main.at), np.int64)
    training = Training(
        steps=len(chief.main.at),
        samples=total,
        drawn=drawn.total if drawn and "samples" not in blind else None,
        unsure=sum(share.total("rows_unsure") for share in shares),
        rounds=_epochs(chief, rounds[chief.process.number]),
        unique=unique,
        unique_by=unique_by,
        most_draws=most,
        batch=float(np.median(rows)) if rows is not None and len(rows) else None,
        accumulation=_accumulation(chief),
        forwards=_forwards(chief),
        world=job.world,
        samplers=drawn.samplers if drawn else (),
        optimizer=optimizer_seen(record, chief.steps, chief.main, seen),
        others=_others(job, all_shares),
        compiled=next(record.of("compile"), None) is not None,
        never_got_gradient=_never(record.last("nograd")),
        wall_s=float(np.ptp(chief.steps["t"])) if len(chief.steps) else 0.0,
        wait_s=_wait(chief),
        **_settings(chief),
        **_losses(chief, seen),
        **_order(chief, rows),
    )
    return Trained(training=training, share=chief, gaps=tuple(gaps))


def _rows(shares: list[Share]) -> tuple[Ints | None, list[Gap]]:
    """Return the trained rows by main step over all ranks; None with a gap if they were unseen."""
    each = [share.between("rows") for share in shares]
    unsure = [share.between("rows_unsure") for share in shares]
    blank = sum(
        int(((own == 0) & (more == 0)).sum()) for own, more in zip(each, unsure, strict=True)
    )
    steps = sum(len(own) for own in each)
    if blank > FEW_WITHOUT_ROWS * steps or not any(own.any() for own in each):
        lacking = blank or steps
        why = f"{lacking} of {steps} optimizer steps had no forward pass that could be seen"
        return None, [Gap(what="rows", why=why), Gap(what="samples", why=why)]
    length = len(each[0])
    joined = np.zeros(length, np.int64)
    for own in each:
        joined[: len(own)] += own[:length]
    return joined, []


def _unique(
    shares: list[Share], drawn: Drawn | None, total: int | None
) -> tuple[int | None, Any, int]:
    blocks = [share.trained() for share in shares]
    if (
        drawn is not None
        and drawn.complete
        and (_from_loaders(shares[0], drawn, total) or samples.no_more_than(blocks, total, drawn))
    ):
        return drawn.unique, "indices", drawn.most
    if total is None or drawn is not None:
        return None, "", 0
    found = samples.by_content(blocks, total)
    return (None, "", 0) if found is None else (found, "content", -(-total // found))


def _from_loaders(share: Share, drawn: Drawn, total: int | None) -> bool:
    """Tell whether all that was trained on came out of loaders."""
    batches = share.between("batches")
    if not len(batches) or not batches[0]:
        return False
    fed = float((batches > 0).mean())
    return fed >= samples.WHOLE or total is None or drawn.total >= samples.WHOLE * total


def _epochs(share: Share, rounds: tuple[Round, ...]) -> int | None:
    """Return how often the training data were iterated over; None if no loader fed the training."""
    mine = [
        one.loader.data for one in rounds if one.use == TRAINING and one.batches and share.used(one)
    ]
    return max((mine.count(data) for data in set(mine)), default=None)


def _forwards(share: Share) -> float | None:
    forwards, passes = share.between("fwd"), share.between("bwd")
    seen = (forwards > 0) & (passes > 0)
    return float(np.median(forwards[seen] / passes[seen])) if seen.any() else None


def _accumulation(share: Share) -> float | None:
    for name in ("bwd", "batches"):
        found = share.between(name)
        if found.any():
            return float(np.median(found))
    return None


def _others(job: Job, shares: Shares) -> tuple[OptimizerSeen, ...]:
    """Return the other optimizers of the run, the largest first."""
    chief = shares[job.chief.number]
    ranks = {rank.number for rank in job.ranks}
    found = [(chief, cluster) for cluster in chief.clusters[1:]]
    for number, share in shares.items():
        if number not in ranks and not share.process.rank:
            found += [(share, cluster) for cluster in share.clusters]
    found.sort(key=lambda pair: (-pair[1].elements, -len(pair[1].at)))
    return tuple(_other(share, cluster) for share, cluster in found[:MOST_OTHERS])


def _other(share: Share, cluster: Cluster) -> OptimizerSeen:
    seen = np.cumsum(share.steps["rows"], dtype=np.int64)[cluster.at]
    return optimizer_seen(share.process.record, share.steps, cluster, seen)


def _never(event: Event | None) -> float:
    if event is None:
        return 0.0
    elements, every = event.count("elements") or 0, event.count("of") or 0
    return min(1.0, elements / every) if every else 0.0


def _wait(share: Share) -> float:
    wait = share.steps["wait"].astype(np.float64)
    return float(wait[np.isfinite(wait) & (wait > 0)].sum())


def _settings(share: Share) -> dict[str, Any]:
    """Return precision, clipping and what the first backward pass went through.

    A precision entered after some steps, and in no more of them than there are evaluations, is
    that of the evaluations.
    """
    record = share.process.record
    steps = int((share.mine("flags") & AUTOCAST > 0).sum())
    often = steps > sum(1 for _ in record.of("eval"))
    amp = [event.text("dtype") for event in record.of("autocast") if often or event.step == 0]
    amp += [event.text("cls") for event in record.of("scaler")]
    clips = [event for event in record.of("clip") if event.text("how") == "norm"]
    first = record.first("first")
    out = (size for size in first.items("out", 8) if isinstance(size, int) and abs(size) < 2**53)
    return {
        "amp": tuple(dict.fromkeys(filter(None, amp)))[:8],
        "clip_norm": clips[0].number("max") if clips else None,
        "first_loss_chain": first.texts("chain", 4),
        "first_output": tuple(out),
    }


def _losses(share: Share, seen: Ints) -> dict[str, Any]:
    """Return the sampled losses of the main optimizer's steps, and what they say."""
    loss = share.mine("loss")
    bad = (share.mine("flags") & NOT_FINITE > 0) | np.isinf(loss)
    place = np.flatnonzero(np.isfinite(loss))
    values = loss[place]
    first = share.process.record.first("first").number("loss")
    if first is None and len(values):
        first = float(values[0])
    return {
        "first_loss": first,
        "loss": curves.thinned(place + 1, seen[place], values),
        "loss_digest": digest(place, values) if len(values) else "",
        "loss_trend": curves.trend(values),
        "loss_not_finite": int(bad.sum()),
    }


def _order(share: Share, rows: Ints | None) -> dict[str, Any]:
    """Return what the trained rows' content says of their order and repetition."""
    if rows is None:
        return {}
    offset = samples.step_offset(share.process)
    blocks = share.trained()
    told = samples.Batches(
        step=share.steps["step"].astype(np.int64), rows=share.steps["rows"].astype(np.int64)
    )
    return {
        "order_digest": samples.order_digest(blocks, offset, told),
        "repeated_batches": samples.repeated(samples.batches_of(blocks, offset), told),
    }
