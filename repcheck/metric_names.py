"""What the name of a number says: a standard metric with its direction, a diagnostic, or nothing.

Only names that the field agrees on have a direction. `accuracy` and `macro avg.f1-score` do;
`ema_accuracy` and `class_3_accuracy` are of something else than the whole test set, and what they
mean is left to whoever wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["metric", "half", "diagnostic", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a name means.

    `kind` is `metric`, `half` (one side of a trade-off, such as recall), `diagnostic` (of training,
    of cost, of another split) or `unknown`; `up` says whether more is better, and `family` which
    question it answers, for a metric and a half. `split` is `train` or `val` where the name says
    so, else nothing.
    """

    kind: Kind
    up: bool | None = None
    family: str = ""
    split: str = ""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_UP = {
    "classification": "acc accuracy f1 fscore fmeasure auc auroc rocauc prauc auprc mcc kappa top"
    " em exactmatch matthews",
    "regression": "r2 spearman pearson ccc",
    "restoration": "psnr ssim msssim",
    "overlap": "iou miou dice jaccard",
    "detection": "map ap averageprecision",
    "text": "bleu rouge rouge1 rouge2 rougel rougelsum meteor chrf cider spice bertscore",
    "ranking": "ndcg mrr hits hit",
}
_DOWN = {
    "classification": "error err errorrate",
    "calibration": "nll ece brier negativeloglikelihood expectedcalibrationerror",
    "regression": "mae mse rmse mape smape rmsle meansquarederror meanabsoluteerror"
    " rootmeansquarederror",
    "restoration": "lpips",
    "generation": "fid kid",
    "language model": "perplexity ppl bpc bpb",
    "speech": "wer cer worderrorrate charactererrorrate",
}
_HALVES = {
    True: "precision recall sensitivity specificity tpr tnr ppv npv",
    False: "fpr fnr",
}
_BASES = {
    word: Meaning(kind="metric", up=up, family=family)
    for up, table in ((True, _UP), (False, _DOWN))
    for family, words in table.items()
    for word in words.split()
} | {
    word: Meaning(kind="half", up=up, family="trade-off")
    for up, words in _HALVES.items()
    for word in words.split()
}
_MODIFIERS = _set(
    "macro micro weighted balanced mean avg average rgb y score rate roc pr squared sq"
    " coefficient index similarity"
)
_NEUTRAL = _set(
    "metric metrics result results summary overall final last pct percent percentage test eval"
    " evaluation heldout holdout the of"
)
_SPLITS = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
}
# Of training, of cost, of the run, of spread, and of the best of several: nothing that a table of
# results would show in their place.
_DIAGNOSTICS = _set(
    "loss losses objective lr learning grad grads gradient norm gnorm epoch epochs"
    " step steps iter iters iteration iterations time times elapsed second seconds sec secs"
    " minutes min max hour hours duration runtime wall walltime timestamp date seed seeds memory"
    " mem rss mb gb mib gib bytes count counts num number n nb size len length total param params"
    " parameter parameters trainable weights flops macs gflops gmacs throughput fps latency speed"
    " ms sample samples token tokens example examples rows images batch batches batchsize version"
    " schema threshold temperature momentum decay weightdecay wd std stderr sd sem var variance ci"
    " ci95 low high lower upper best device devices gpu gpus cpu cpus rank world worker workers id"
    " job pid year scale beta beta1 beta2 eps epsilon alpha gamma lambda dropout hidden"
    " width depth layers dim dims k classes patience warmup"
)
# Beside the name of a metric these make it a number of its spread, its course or its training; any
# other word of the above is what the metric is of, as in `token accuracy` and `depth rmse`.
_OF_A_METRIC = _set(
    "loss losses objective lr grad grads norm std stderr sd sem var variance ci ci95 low high lower"
    " upper best min max epoch epochs step steps iter iters iteration iterations seed seeds"
)
_NUMBERED = frozenset({"at", "top", "hits", "hit", "ndcg", "bleu", "rouge", "ap", "map"})
_OF_CLASSES = {
    frozenset({*of, "accuracy"})
    for of in (("worst", "class"), ("worst", "group"), ("mean", "class"))
}
_NOT_WHAT = _NEUTRAL | {*_SPLITS} | _set("mean avg average score")
_ACCURACY = _set("acc accuracy top1 top1acc top1accuracy acc1")
_SAME = {"acc": "accuracy", "err": "error", "errorrate": "error", "ppl": "perplexity"}
_SEGMENT = re.compile(r"[^0-9a-z]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def meaning(name: str) -> Meaning:
    """Return what a name, or a dotted path, says."""
    words = _words(name)
    split = next((_SPLITS[word] for word in words if word in _SPLITS), "")
    bare = [word for word in words if word not in _SPLITS and word not in _NEUTRAL]
    said = _phrase(bare)
    if said is not None:
        return Meaning(kind=said.kind, up=said.up, family=said.family, split=split)
    others = [word for word in bare if not _is_base(word)]
    known = _DIAGNOSTICS
    if len(others) < len(bare):
        known = _OF_A_METRIC
        others = [word for word in others if word not in _MODIFIERS and not word.isdigit()]
        diagnostic = bool(others) and all(word in known for word in others)
    else:
        diagnostic = any(word in known for word in others)
    return Meaning(kind="diagnostic" if diagnostic else "unknown", split=split)


def question(name: str) -> frozenset[str]:
    """Return the words that say what is measured: those of `final_test_acc` are of `accuracy`."""
    bare = [word for word in _words(name) if word not in _NOT_WHAT]
    whole = "".join(bare)
    if whole in _ACCURACY or {*bare} in ({"top", "1"}, {"acc", "at", "1"}):
        return frozenset({"accuracy"})
    return frozenset({_SAME.get(word, word) for word in bare})


def letters(name: str) -> str:
    """Return a name's letters and digits alone: `BatchNorm2d` and `batch_norm2d` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def part_of_data(name: str) -> str:
    """Return `test` or `eval` where a name says so: the latter is validation as often as not."""
    words = _words(name)
    if {"test", "heldout", "holdout"} & {*words}:
        return "test"
    return "eval" if {"eval", "evaluation"} & {*words} else ""


def is_standard(name: str) -> bool:
    """Return whether a name is that of a metric with a known direction."""
    return meaning(name).kind == "metric"


def _words(name: str) -> list[str]:
    found: list[str] = []
    for segment in _SEGMENT.split(name.replace("@", "_at_").replace("R^2", "r2")[:200].lower()):
        found += [segment] if segment else []
    if any(_known(word) for word in found):
        return found
    return [word for word in _SEGMENT.split(_CAMEL.sub("_", name[:200]).lower()) if word]


def _is_base(word: str) -> bool:
    return word in _BASES or _numbered(word) is not None


def _known(word: str) -> bool:
    return word in _DIAGNOSTICS or _is_base(word)


def _numbered(word: str) -> Meaning | None:
    """Return what `top5`, `map50` and `bleu4` are."""
    bare = word.rstrip("0123456789")
    return _BASES.get(bare) if bare in _NUMBERED else None


def _phrase(words: Sequence[str]) -> Meaning | None:
    """Return the one metric that these words name with nothing but modifiers, if they do."""
    whole = "".join(words)
    if whole in _BASES:
        return _BASES[whole]
    if frozenset(words) in _OF_CLASSES:
        return _BASES["accuracy"]
    found: Meaning | None = None
    for before, word in zip(("", *words), words, strict=False):
        base = _BASES.get(word) or _numbered(word)
        if base is not None and found in (None, base):
            found = base
        elif base is not None or not _modifies(before, word):
            return None
    if found is not None and found.kind == "half" and "at" in words:
        return Meaning(kind="metric", up=True, family="ranking")
    return found


def _modifies(before: str, word: str) -> bool:
    return before in _NUMBERED if word.isdigit() else word in _MODIFIERS or word == "at"
