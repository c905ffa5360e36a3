"""Words of a claims file beside what was seen of a network: is this stated, and truly?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.claims.offer import canonical, plain
from repcheck.claims.stated import State, Stated
from repcheck.metric_names import letters

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.model_diff import Category, Difference, Position

NONE = "none"

_WORD = re.compile(r"[a-z]+\d*|\d+")
CATEGORY_WORDS: dict[Category, frozenset[str]] = {
    "activation": frozenset({"activation", "activations", "act", "nonlinearity"}),
    "attention": frozenset(
        {"attention", "se", "squeeze", "excitation", "eca", "cbam", "gate", "gates", "gating",
         "nonlocal", "transformer", "attentive", "recalibration"}
    ),
    "resampling": frozenset(
        {"resampling", "pooling", "pool", "downsampling", "upsampling", "downsample", "upsample",
         "upsampler", "gem", "pixelshuffle", "deconvolution", "strided"}
    ),
    "skips": frozenset(
        {"skip", "skips", "residual", "shortcut", "shortcuts", "dense", "fusion", "connections"}
    ),
    "norm": frozenset(
        {"norm", "norms", "normalization", "normalisation", "bn", "batchnorm", "layernorm",
         "groupnorm", "instancenorm"}
    ),
    "dropout": frozenset({"dropout"}),
}  # fmt: skip
_ANYTHING = frozenset(
    {"net", "network", "model", "layer", "layers", "block", "blocks", "module", "body", "conv"}
)
_SAME_KIND = {
    "swish": "silu", "lrelu": "leaky_relu", "leakyrelu": "leaky_relu", "bn": "batch_norm",
    "batchnorm": "batch_norm", "batchnorm1d": "batch_norm", "batchnorm2d": "batch_norm",
    "batchnorm3d": "batch_norm", "syncbn": "batch_norm", "syncbatchnorm": "batch_norm",
    "frozenbn": "batch_norm", "ln": "layer_norm", "layernorm": "layer_norm", "gn": "group_norm",
    "groupnorm": "group_norm", "in": "instance_norm", "instancenorm": "instance_norm",
    "instancenorm2d": "instance_norm", "rmsnorm": "rms_norm", "wn": "weight_norm",
    "weightnorm": "weight_norm", "sn": "spectral_norm", "spectralnorm": "spectral_norm",
    "hswish": "hardswish", "hsigmoid": "hardsigmoid", "lrn": "local_response_norm",
    "batch": "batch_norm", "layer": "layer_norm", "group": "group_norm",
    "instance": "instance_norm", "weight": "weight_norm", "spectral": "spectral_norm",
}  # fmt: skip
_LEARNT_WORDS = (
    "conv convolution convolutions strided stride transposed convtranspose convtranspose2d deconv "
    "deconvolution pixelshuffle shuffle gem learnt learned learnable carafe attention"
)
_LEARNT = frozenset(_LEARNT_WORDS.split())


def words_of(text: str) -> frozenset[str]:
    """Return the words of a name: `BatchNorm2d`, `my_se_block` and `squeeze-excitation` alike."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()
    plain = text.lower().replace("_", "").replace("-", "").replace(" ", "")
    return frozenset(_WORD.findall(spaced)) | {plain}


def names_it(comparison: Comparison, category: Category, kinds: Iterable[str]) -> bool:
    """Return whether the paper's offer names a category: by its key, its words, or a kind seen."""
    if comparison.contributes(category):
        return True
    wanted = CATEGORY_WORDS.get(category, frozenset()) | {kind.replace("_", "") for kind in kinds}
    return any(words_of(name) & wanted for name in offered(comparison))


def in_words(comparison: Comparison, part: str) -> bool:
    """Return whether the offer names a part of the network: `BatchNorm` is a norm."""
    names = (canonical(part), part.rpartition(".")[2])
    found = [
        category
        for category, words in CATEGORY_WORDS.items()
        if category in names or words & {plain(name) for name in names}
    ]
    return any(names_it(comparison, category, ()) for category in found)


def offered(comparison: Comparison) -> set[str]:
    """Return the names of what the paper offers: components, what they differ in, attributions."""
    found = {name for claim in comparison.claims for name in claim.attributed_to.get(())}
    for part in comparison.method.components or ():
        found |= {part.name.get(""), part.flag.get(""), *part.differs_in.get(())}
    return {name for name in found if name}


def belongs(position: Position, names: Iterable[str]) -> bool:
    """Return whether a place lies in a module whose path or class holds a component's name."""
    held = [letters(text) for text in (*position.path.split("."), *position.classes)]
    wanted = [name for name in map(letters, names) if len(name) > 2 and name not in _ANYTHING]
    return any(name in text for name in wanted for text in held)


def stated_of(method: Method, category: Category) -> Stated[Any] | None:
    """Return the leaf that states a category, or nothing where the format has none."""
    leaf = getattr(method, category, None)
    return leaf if isinstance(leaf, Stated) else None


def holds(leaf: Stated[Any], difference: Difference, *, ours: bool) -> bool:
    """Return whether what is stated of one side is what was seen of it."""
    count = difference.ours if ours else difference.theirs
    said = leaf.state is State.DECLARED and str(leaf).lower() not in {"0", "false", NONE, "0.0"}
    match difference.category:
        case "activation" | "norm":
            return _kinds_hold(leaf, difference, ours=ours)
        case "resampling":
            learnt = bool(words_of(str(leaf)) & _LEARNT)
            return learnt or not count
        case "dropout":
            seen = {one.ours if ours else one.theirs for one in difference.positions}
            rates = {kind.rpartition(" ")[2] for kind in seen if kind != NONE}
            return rates <= {f"{leaf.content:g}"} if leaf.known else not rates
        case _:
            return said == bool(count)


def _kinds_hold(leaf: Stated[Any], difference: Difference, *, ours: bool) -> bool:
    seen = {one.ours if ours else one.theirs for one in difference.positions} - {NONE}
    words = words_of(str(leaf)) if leaf.known else frozenset()
    named = {_SAME_KIND.get(word, word) for word in words} | {
        kind for kind in seen if kind.replace("_", "") in {word.replace("_", "") for word in words}
    }
    return seen <= named if seen else True
