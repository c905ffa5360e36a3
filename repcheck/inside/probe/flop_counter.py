"""Counts the FLOPs of everything that runs within it, operation by operation.

Matrix operations (products, convolutions, attention, recurrent layers, decompositions, Fourier
transforms) have formulas; operations on each element are counted apart, one FLOP for each element
that comes out, and never added. What looks like a matrix operation and has no formula is named.
Nothing is computed otherwise than without a counter, no value is read, no tensor is kept.
"""

import importlib
import sys

from .flop_formulas import ELEMENTWISE, MATRIX, REAL, elements

PHASES = ("forward", "backward", "optimizer")
COMPLEX = 4
"""A product of complex numbers takes four of real ones."""

_DENSE = """
mm matmul bmm conv attention linear rnn lstm gru cell dot einsum bilinear linalg cholesky solve
qr svd eig inverse lu_ _lu ger fft cdist pdist corr cov kron gemm mha mlp deform
"""
"""Parts of names of operations that may cost more than they have elements."""
_LIGHT = """
_linalg_check_errors linalg_vector_norm linalg_cross lu_unpack fft_fftshift
_thnn_fused_lstm_cell _thnn_fused_lstm_cell_backward_impl _thnn_fused_lstm_cell_backward
_thnn_fused_gru_cell _thnn_fused_gru_cell_backward _cudnn_rnn_flatten_weight
_transform_bias_rescale_qkv _fill_mem_eff_dropout_mask_ mkldnn_reorder_conv2d_weight
mkldnn_reorder_conv3d_weight _convert_weight_to_int4pack _convert_weight_to_int4pack_for_cpu
_sparse_semi_structured_tile miopen_batch_norm log_sigmoid_forward
"""
"""Names that have such a part and cost no more than that."""
_ELSEWHERE = """
c10d _c10d_functional c10d_functional profiler prim inductor rngprims symm_mem debugprims _dtensor
fsdp streams
"""
"""Libraries of operations that move data and compute nothing."""
_ABOUT_TENSORS = """
sym_is_contiguous is_contiguous is_strides_like_format is_non_overlapping_and_dense size sym_size
stride sym_stride storage_offset sym_storage_offset numel sym_numel dim layout
"""
"""Questions that a tensor of another class answers by itself."""
_EASY = frozenset(("torchvision::nms", "torchvision::roi_align", "torchvision::roi_pool"))
_NO_ARITHMETIC = frozenset(("clone", "positive", "lift_fresh", "alias", "detach"))
_DENSE, _LIGHT, _ELSEWHERE, _ABOUT_TENSORS = (
    frozenset(words.split()) for words in (_DENSE, _LIGHT, _ELSEWHERE, _ABOUT_TENSORS)
)


class _Kind:
    """What one operation is to the counter: looked at once, used for every call."""

    __slots__ = ("composite", "each", "formula", "free", "matrix", "name", "real", "skipped")

    def __init__(self, torch, func):
        self.name = _name(func)
        library, _, short = self.name.partition("::")
        self.skipped = library in ("aten", "prim") and short in _ABOUT_TENSORS
        self.formula = MATRIX.get(self.name)
        self.real = self.name in REAL
        if self.formula is None:
            self.formula = _torchs_own(func)
        self.matrix = self.formula is not None
        self.each = None
        self.composite = self.free = False
        if not self.matrix:
            self.each = ELEMENTWISE.get(self.name)
            if self.each is None and _is_pointwise(torch, func, library, short):
                self.each = _one_each
            self.composite = self.each is None and _is_composite(torch, func)
            self.free = self.each is None and bool(getattr(func, "is_view", False))
            self.matrix = self.each is None and _may_be_dense(self.name, library, short)


def _name(func):
    schema = getattr(func, "_schema", None)
    return schema.name if schema is not None else str(getattr(func, "__name__", func))


def _torchs_own(func):
    """Return torch's own formula, or the artifact's, where one was registered."""
    home = sys.modules.get("torch.utils.flop_counter")
    own = getattr(home, "flop_registry", None) or {}
    formula = own.get(getattr(func, "_overloadpacket", func))
    if formula is None:
        return None
    return lambda args, kwargs, out: formula(*args, **kwargs, out_val=out)


def _one_each(_args, _kwargs, out):
    return elements(out)


_KNOWN = """
abs add addcdiv addcmul bitwise_and bitwise_not bitwise_or ceil clamp clamp_max clamp_min cos div
elu eq erf exp expm1 floor ge gelu gelu_backward gt hardtanh le leaky_relu lerp log log1p
logical_and logical_not logical_or lt masked_fill maximum minimum mul ne neg pow reciprocal relu
round rsqrt rsub sigmoid sigmoid_backward sign silu silu_backward sin softplus sqrt sub tanh
tanh_backward threshold_backward where
"""
_KNOWN = frozenset(_KNOWN.split())


def _is_pointwise(torch, func, library, short):
    if library not in ("aten", "prims") or short in _NO_ARITHMETIC:
        return False
    if short.startswith("_foreach_"):
        return short.strip("_") not in ("foreach_copy", "foreach_zero", "foreach_norm")
    tag = getattr(getattr(torch, "Tag", None), "pointwise", None)
    if tag is not None and tag in getattr(func, "tags", ()):
        return True
    return short.rstrip("_") in _KNOWN


def _is_composite(torch, func):
    """Return whether an operation is only made of others, which then are what is counted."""
    has = getattr(torch._C, "_dispatch_has_kernel_for_dispatch_key", None)
    if has is None or not hasattr(func, "decompose") or not hasattr(func, "name"):
        return False
    try:
        return bool(has(func.name(), "CompositeImplicitAutograd"))
    except RuntimeError:
        return False


def _may_be_dense(name, library, short):
    if library in _ELSEWHERE or name in _EASY:
        return False
    if library not in ("aten", "prims"):
        return True
    if short in _LIGHT or short.startswith(("_foreach_", "_fused_")):
        return False
    return any(part in short for part in _DENSE)


def new(torch, where=None):
    """Return a counter to be used as `with counter:`, as often as one likes, never within itself.

    `counter.phase` says what is running: "forward", "backward" (forward-like matrix operations in
    it, which run with gradients enabled as those of a checkpoint do, are "recompute") or
    "optimizer"; `counter.twice` that a backward is differentiated itself, so that nothing in it
    can be told to be a recomputation; `counter.paused` that nothing is counted.

    `counter.take()` returns what was counted since the last time: forward, backward, recompute,
    optimizer (FLOPs of matrix operations), elementwise, counted and matrix (calls that have a
    formula, of how many), uncounted {name: [calls, output elements]} of those that have none,
    light (the same of everything else without a formula: norms, pooling, copies), errors (the
    first of the counter's own) and, if `where` is given, by_module {what `where()` said: forward
    FLOPs}.
    """
    return _class_of(torch)(where)


_classes = {}


def _class_of(torch):
    made = _classes.get(id(torch))
    if made is None:
        base = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
        made = _classes[id(torch)] = _make(torch, base)
    return made


def _make(torch, base):
    kinds = {}
    unseen = torch._C.DisableTorchFunction
    plain = (torch.Tensor, torch.nn.Parameter)

    class Counter(base):
        supports_higher_order_operators = True

        @classmethod
        def _should_skip_dynamo(cls):
            # Else the first operation would import a compiler, for a second or two.
            return False

        @classmethod
        def ignore_compile_internals(cls):
            # What the artifact compiles is compiled as it would be without a counter.
            return True

        def __init__(self, where=None):
            super().__init__()
            self.where = where
            self.phase = "forward"
            self.twice = self.paused = False
            self._clear()

        def _clear(self):
            self.flops = {"forward": 0, "backward": 0, "recompute": 0, "optimizer": 0}
            self.each = self.counted = self.matrix = 0
            self.uncounted, self.light, self.by_module, self.errors = {}, {}, {}, []

        def take(self):
            """Return what was counted since the last time, and begin anew."""
            took = dict(self.flops)
            took.update(
                elementwise=self.each,
                counted=self.counted,
                matrix=self.matrix,
                uncounted=self.uncounted,
                light=self.light,
                errors=self.errors,
            )
            if self.where is not None:
                took["by_module"] = self.by_module
            self._clear()
            return took

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            kind = kinds.get(func)
            if kind is None:
                kind = kinds[func] = _Kind(torch, func)
            if kind.skipped:
                return NotImplemented
            if kind.composite and _all_plain(args, plain):
                with self:
                    out = func.decompose(*args, **kwargs)
                if out is not NotImplemented:
                    return out
            out = func(*args, **kwargs)
            if kind.free or self.paused:
                return out
            try:
                with unseen():
                    self._count(kind, args, kwargs, out)
            except Exception as error:
                if len(self.errors) < 5:
                    self.errors.append("%s: %s: %s" % (kind.name, type(error).__name__, error))
            return out

        def _count(self, kind, args, kwargs, out):
            if kind.each is not None:
                self.each += kind.each(args, kwargs, out)
                return
            if not kind.matrix:
                _note(self.light, kind.name, out)
                return
            self.matrix += 1
            if kind.formula is None:
                _note(self.uncounted, kind.name, out)
                return
            try:
                flops = kind.formula(args, kwargs, out)
            except Exception:
                _note(self.uncounted, kind.name, out)
                raise
            self.counted += 1
            again = 0
            if isinstance(flops, tuple):
                flops, again = flops
            if not kind.real and _is_complex(args):
                flops, again = COMPLEX * flops, COMPLEX * again
            self._add(flops, again)

        def _add(self, flops, again):
            phase = self.phase
            if phase == "backward" and not self.twice and torch.is_grad_enabled():
                phase = "recompute"
            self.flops[phase] += flops
            self.flops["recompute" if phase == "backward" else phase] += again
            if self.where is not None and phase == "forward":
                at = self.where()
                self.by_module[at] = self.by_module.get(at, 0) + flops

    return Counter


def _all_plain(args, plain):
    """Return whether no tensor is nested or of a class that has ways of its own."""
    for arg in args:
        if isinstance(arg, (list, tuple)):
            if not _all_plain(arg, plain):
                return False
        elif hasattr(arg, "is_nested") and (type(arg) not in plain or arg.is_nested):
            return False
    return True


def _is_complex(args):
    for arg in args:
        dtype = getattr(arg, "dtype", None)
        if dtype is not None:
            return dtype.is_complex
    return False


def _note(table, name, out):
    known = table.get(name)
    if known is None:
        known = table[name] = [0, 0]
    known[0] += 1
    known[1] += elements(out)
