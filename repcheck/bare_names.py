"""What the header above a number says that it is, as far as a bare table says it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from repcheck.bare_table import Entry

_WORD = re.compile(r"[a-z]+|\d+")
_COUNTS = frozenset({"accuracy", "acc", "top", "em", "exact"})
_NO_COUNTS = frozenset(
    {"balanced", "macro", "weighted", "mean", "class", "average", "avg", "soft", "map", "robust"}
)
_SHARES = _COUNTS | {
    "precision", "recall", "auc", "auroc", "iou", "miou", "dice", "map", "ap", "f", "ndcg", "mrr",
    "hits", "hit", "jaccard",
}  # fmt: skip
_HIGHER = _SHARES | {"bleu", "rouge", "psnr", "ssim", "meteor", "cider", "reward", "throughput"}
_LOWER = frozenset(
    {
        "error", "err", "loss", "ppl", "perplexity", "rmse", "mae", "mse", "fid", "wer", "cer",
        "nll", "ece", "eer", "time", "latency", "params", "parameters", "param", "flops", "macs",
        "gflops", "memory", "rank", "lpips", "cost", "bpc", "bits", "epoch", "epochs", "ms",
        "seconds", "year",
    }
)  # fmt: skip
_CHANGES = frozenset(
    {"delta", "gain", "gains", "drop", "diff", "difference", "improvement", "change", "relative"}
)
_RANKS = frozenset({"rank", "ranking"})


class What(StrEnum):
    """What a column shows."""

    COUNT = "a share of right answers"
    SHARE = "a share"
    OTHER = "no share"
    UNKNOWN = "unknown"


def words_of(header: str) -> frozenset[str]:
    """Return the words and numbers of a header."""
    return frozenset(_WORD.findall(header.lower()))


def what_is(entry: Entry) -> What:
    """Return what an entry is by its header; a unit that no share has decides first."""
    header = entry.metric or entry.header
    words = words_of(header)
    if words & _CHANGES or "δ" in header.lower():
        return What.OTHER
    if entry.cell.unit not in {"", "%"} or words & _LOWER:
        return What.OTHER
    if words & _COUNTS and not words & _NO_COUNTS:
        return What.COUNT
    if words & _SHARES:
        return What.SHARE
    return What.OTHER if words & _HIGHER else What.UNKNOWN


def higher_is_better(header: str) -> bool | None:
    """Return the direction that an arrow or a word of the header says, or None."""
    if "↑" in header or "uparrow" in header:
        return True
    if "↓" in header or "downarrow" in header:
        return False
    words = words_of(header)
    if words & _CHANGES or "δ" in header.lower():
        return None
    if words & _LOWER:
        return False
    return True if words & _HIGHER else None


def in_percent(header: str) -> bool:
    """Return whether a header says that its numbers are in percent."""
    return "%" in header or "percent" in words_of(header)


def is_rank(header: str) -> bool:
    """Return whether a column shows ranks."""
    return bool(words_of(header) & _RANKS)


def top_of(entries: Sequence[Entry]) -> int:
    """Return what a perfect score prints in a column: 1 where no value is above one, else 100."""
    values = [entry.value.value for entry in entries if entry.value is not None]
    percent = any(entry.cell.unit == "%" for entry in entries)
    fractions = bool(values) and max(values) <= 1 and not percent
    return 1 if fractions else 100
