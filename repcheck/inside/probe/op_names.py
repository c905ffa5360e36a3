"""Plain names of torch's functions, and the numbers that tell variants of one apart.

A name comes without underscores (`add_` and `__iadd__` are `add`); several names of one thing are
one. Nothing here asks a tensor anything but its shape.
"""

MOST_NAMES = 12

_ONE_NAME = {
    "iadd": "add", "radd": "add", "isub": "sub", "subtract": "sub", "imul": "mul", "rmul": "mul",
    "multiply": "mul", "divide": "div", "true_divide": "div", "truediv": "div", "itruediv": "div",
    "rtruediv": "rdiv", "rdiv": "rdiv", "rpow": "rpow", "ipow": "pow", "negative": "neg",
    "concat": "cat", "concatenate": "cat", "hstack": "cat", "vstack": "cat", "dstack": "cat",
    "column_stack": "cat", "row_stack": "cat", "mm": "matmul", "bmm": "matmul", "rmatmul": "matmul",
    "addmm": "linear", "baddbmm": "matmul", "swish": "silu", "special_expit": "sigmoid",
    "expit": "sigmoid", "special_softmax": "softmax", "special_erf": "erf", "clip": "clamp",
    "upsample": "interpolate", "upsample_nearest": "interpolate",
    "upsample_bilinear": "interpolate", "scaled_dot_product_attention": "attention",
    "multi_head_attention_forward": "attention", "setitem": "set", "channel_shuffle": "shuffle",
    "max_pool1d_with_indices": "max_pool1d", "max_pool2d_with_indices": "max_pool2d",
    "max_pool3d_with_indices": "max_pool3d", "greater": "gt", "less": "lt",
    "adaptive_max_pool1d_with_indices": "adaptive_max_pool1d",
    "adaptive_max_pool2d_with_indices": "adaptive_max_pool2d",
}  # fmt: skip

_SAME_WORDS = (
    "view reshape flatten unflatten ravel squeeze unsqueeze transpose permute swapaxes swapdims "
    "movedim moveaxis t contiguous to type float half double bfloat16 cpu cuda clone detach expand "
    "expand_as view_as reshape_as type_as chunk split split_with_sizes tensor_split unbind narrow "
    "select getitem index_select requires_grad alias as_strided broadcast_to repeat tile "
    "atleast_2d atleast_3d get diagonal unfold roll flip positive real pin_memory apply "
    "resolve_conj resolve_neg broadcast_tensors pad "
    "pack_padded_sequence pad_packed_sequence"
)
SAME = frozenset(_SAME_WORDS.split())
"""Functions whose output holds the values of their input: they are seen through."""

_MADE_WORDS = (
    "zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros "
    "new_ones new_empty new_full new_tensor bernoulli"
)
MADE = frozenset(_MADE_WORDS.split())
"""Functions that take a tensor for its shape alone."""

_CHANCE_WORDS = (
    "rand randn rand_like randn_like bernoulli uniform normal randint randint_like randperm "
    "exponential"
)
CHANCE = frozenset(_CHANCE_WORDS.split())

_POOL = ("kernel", "stride", "padding")
_CONV = (None, None, "stride", "padding", "dilation", "groups")
_CONV_T = (None, None, "stride", "padding", "output_padding", "groups", "dilation")
_CLAMP = ("min", "max")
_PARTS = {
    "avg_pool1d": _POOL, "avg_pool2d": _POOL, "avg_pool3d": _POOL,
    "max_pool1d": _POOL, "max_pool2d": _POOL, "max_pool3d": _POOL,
    "lp_pool1d": ("p", "kernel", "stride"), "lp_pool2d": ("p", "kernel", "stride"),
    "conv1d": _CONV, "conv2d": _CONV, "conv3d": _CONV,
    "conv_transpose1d": _CONV_T, "conv_transpose2d": _CONV_T, "conv_transpose3d": _CONV_T,
    "interpolate": ("size", "scale_factor", "mode"),
    "leaky_relu": ("negative_slope",), "elu": ("alpha",), "celu": ("alpha",),
    "gelu": ("approximate",), "softplus": ("beta",), "hardtanh": ("min", "max"),
    "threshold": ("threshold", "value"), "glu": ("dim",),
    "dropout": ("p", "training"), "dropout1d": ("p", "training"), "dropout2d": ("p", "training"),
    "dropout3d": ("p", "training"), "alpha_dropout": ("p", "training"),
    "feature_alpha_dropout": ("p", "training"), "feature_dropout": ("p", "training"),
    "group_norm": ("groups",), "softmax": ("dim",), "log_softmax": ("dim",),
    "clamp": _CLAMP, "clamp_min": ("min",), "clamp_max": ("max",), "pixel_shuffle": ("factor",),
    "pixel_unshuffle": ("factor",), "pow": ("exponent",), "add": ("other",), "mul": ("other",),
    "div": ("other",), "sub": ("other",), "rsub": ("other",), "rdiv": ("other",),
    "maximum": ("other",), "max": ("other",), "gt": ("other",), "ge": ("other",),
    "mean": ("dim",), "sum": ("dim",), "amax": ("dim",), "std": ("dim",), "var": ("dim",),
    "batch_norm": ("mean", None, None, None, "training", "momentum", "eps"),
    "instance_norm": ("mean", None, None, None, "training", "momentum", "eps"),
    "layer_norm": ("over", None, None, "eps"), "rms_norm": ("over", None, "eps"),
}  # fmt: skip
_KEYWORDS = {
    "kernel_size": "kernel", "num_groups": "groups", "norm_type": "p", "running_mean": "mean",
    "upscale_factor": "factor", "downscale_factor": "factor", "normalized_shape": "over",
    "use_input_stats": "training", "min_val": "min", "max_val": "max",
}  # fmt: skip


def plain(function):
    """Return the plain name of a function of torch's; "" if it has none."""
    name = getattr(function, "__name__", "") or ""
    name = name.strip("_") if isinstance(name, str) else ""
    return _ONE_NAME.get(name, name)


def parts_of(name, args, kwargs, is_tensor):
    """Return the numbers by which this call differs from others of its name."""
    found = {}
    for part, value in zip(_PARTS.get(name, ()), args[1:]):  # noqa: B905
        if part is not None:
            found[part] = value
    for key, value in kwargs.items():
        part = _KEYWORDS.get(key, key)
        if part in _PARTS.get(name, ()):
            found[part] = value
    if name in ("batch_norm", "instance_norm"):
        found["running"] = found.pop("mean", None) is not None
    kept = {}
    for part, value in found.items():
        number = _number(value)
        if number is not None and not is_tensor(value):
            kept[part] = number
    return kept


def _number(value):
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (tuple, list)) and value and len(value) <= 8:
        numbers = [part for part in value if isinstance(part, (int, float))]
        return tuple(numbers) if len(numbers) == len(value) else None
    return None


def weight_of(made):
    """Return how a weight was made of parameters, by the names of what was done to them."""
    if "weight_norm" in made:
        return "weight_norm"
    if made & {"mv", "vdot", "dot"} and made & {"div", "rdiv"}:
        return "spectral_norm"
    if made & {"batch_norm", "layer_norm", "std", "var", "var_mean", "std_mean"}:
        return "weight_standardized"
    if made & {"norm", "vector_norm", "linalg_norm", "linalg_vector_norm"} and "div" in made:
        return "weight_norm"
    return "made" if made else ""
