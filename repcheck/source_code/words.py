"""Names in source code that say what a number is for."""

from __future__ import annotations

import ast
import re

LOSS = re.compile(r"loss(?:es)?|objective|criterion|penalty|regulari[sz]er|nll|mse|bce|kl|ce|aux")
PROGRESS = re.compile(
    r"epochs?|steps?|iters?|iterations?|it|ep|rounds?|score|acc|accuracy|auc|f1|patience|progress"
)
KNOB = re.compile(
    r"temp|temperature|tau|clip|clipping|clipnorm|threshold|thresh|thres|margin|alpha|gamma|lambda"
    r"|lambd|lam|decay|wd|dropout|drop|smoothing|momentum|coef|coeff|coefficient|weights?|lr"
    r"|warmup|noise|sigma|strength|epochs|patience|beta|factor|boost|bonus|bias|scale|gain|rate"
)
_KNOBS = re.compile(r"batch_?size|learning_rate|max_norm|weight_decay|clip_norm|drop_path")
_NO_KNOB = re.compile(
    r"class(?:es)?|nums?|n|size|shape|chans?|channels?|dims?|width|height|len|length|means?|stds?"
    r"|seeds?|pad|padding|crop|resolution|img|image|images|path|vocab|input|inputs|output|outputs"
    r"|workers?|port|stride|kernel|offset|index|idx|folds?|counts?|features|nodes|range|min|max"
    r"|figsize|dpi|fontsize|linewidth|init|loader"
)
DATASET = re.compile(r"data|data_?sets?|data_?set_?(?:name|id)|ds|ds_name|task|task_name|benchmark")
NAME = re.compile(r"name|id|which|kind|key|source|corpus|domain|env|env_id|split")
SAMPLE = re.compile(r"(?:sample|image|img|example|item|row|record)_?(?:id|idx|index|no|number)")
OPTIMIZER = re.compile(
    r"SGD|ASGD|Adam\w*|NAdam|RAdam|Adagrad|Adadelta|Adafactor|RMSprop|Rprop|LBFGS|Lion|LAMB|Lamb"
    r"|SparseAdam|Muon|Lookahead|SAM|\w*LR|\w*Restarts|ReduceLROnPlateau|LambdaLR"
)
DROPOUT = re.compile(r"(?:Alpha|Feature)?Dropout(?:[123]d)?|DropPath|StochasticDepth|dropout")
CLIP = re.compile(r"clip_grad_(?:norm|value)_?|clip_by_(?:global_)?norm")
PLOTS = re.compile(r"plots?|viz|visuali[sz]e?|visuali[sz]ation|figures?|fig|draw|plt|ax|sns|axes")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def parts(name: str) -> list[str]:
    """Return the words of an identifier, in lower case: `auxWeight` and `aux_weight` have two."""
    return [word.lower() for word in _PARTS.findall(name)]


def has(pattern: re.Pattern[str], name: str) -> bool:
    """Return whether one word of an identifier is what is looked for."""
    return any(pattern.fullmatch(word) for word in parts(name))


def is_knob(name: str) -> bool:
    """Return whether a number of this name is a setting of a training: `aux_weight`, `lr`."""
    if _KNOBS.search(name.lower()):
        return True
    return has(KNOB, name) and not has(_NO_KNOB, name)


def may_be_setting(name: str) -> bool:
    """Return whether a number of this name may be a setting: not one of a size or of a mean."""
    return _KNOBS.search(name.lower()) is not None or not has(_NO_KNOB, name)


def name_of(node: ast.AST | None) -> str:
    """Return the last name of what stands at a place: `lr` of `self.lr`, of `group["lr"]`."""
    for _ in range(8):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str() as name):
                return name
            case ast.Subscript(slice=ast.Constant(value=str() as name)):
                return name
            case ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.Call(func=inner):
                node = inner
            case _:
                return ""
    return ""


def text_of(node: ast.AST | None) -> str:
    """Return the text that a literal is, "" for anything else."""
    found = node.value if isinstance(node, ast.Constant) else ""
    return found if isinstance(found, str) else ""
