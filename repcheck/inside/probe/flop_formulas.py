"""What one call of a torch operation costs, by the name of its schema.

A formula takes the positional and keyword arguments of the call and what came out. It returns
FLOPs, two for each multiply-accumulate, or two numbers where a backward computes a part of its
forward anew: its own FLOPs and those of the recomputation. It reads shapes and never values, so no
device has to wait. Bias, scale and activation within a matrix operation are not counted; a mask
and a causal flag save nothing, as in the dense formula that papers count.

Formulas of this file are 2 x M x N x K with the sizes at hand; those of decompositions, Fourier
transforms and distances, with their sources, are in flop_linalg.py.
"""

from math import prod

from .flop_linalg import FOURIER, LINALG

_ATTENTION = "aten::_scaled_dot_product_"


def _mm(a, b, times=1):
    """Return the cost of (.. x M x K) @ (.. x K x N); of a sparse one, that of what it holds."""
    rows = _stored(a)
    return 2 * rows * b.shape[-1] * times if rows is not None else _dense(a, b) * times


def _dense(a, b):
    columns = _stored(b)
    if columns is not None:
        return 2 * columns * (a.numel() // max(1, a.shape[-1]))
    return 2 * a.numel() * b.shape[-1]


def _stored(tensor):
    """Return how many elements a sparse tensor holds, None of a dense one."""
    layout = str(tensor.layout)
    if layout == "torch.sparse_coo":
        return tensor._nnz() * prod(tensor.shape[tensor.sparse_dim() :])
    if layout.startswith("torch.sparse_"):
        return tensor.values().numel()
    return None


def _product(at):
    """Return the formula of a matrix product whose two factors stand at `at` and after it."""

    def formula(args, _kwargs, _out):
        return _mm(args[at], args[at + 1])

    return formula


def _inner(args, _kwargs, out):
    """Return the cost where the second factor is packed: its other size is the output's."""
    return 2 * _first(out).numel() * args[0].shape[-1]


def _dot(at):
    def formula(args, _kwargs, _out):
        return 2 * args[at].numel()

    return formula


def _mv(at):
    def formula(args, _kwargs, _out):
        stored = _stored(args[at])
        return 2 * (args[at].numel() if stored is None else stored)

    return formula


def _addr(args, _kwargs, _out):
    return 2 * args[1].numel() * args[2].numel()


def _sparse_sparse(args, _kwargs, _out):
    """Return what a product of two sparse matrices costs if their elements are spread evenly."""
    a, b = args[0], args[1]
    return 2 * _stored(a) * _stored(b) / max(1, b.shape[0])


def _sampled(args, _kwargs, _out):
    return 2 * _stored(args[0]) * args[1].shape[-1]


def _grouped_mm(args, _kwargs, _out):
    """Return the cost of products of row groups: each row meets one matrix of the other side."""
    a, b = args[0], args[1]
    if len(a.shape) == 2 and len(b.shape) == 3:
        return 2 * a.shape[0] * a.shape[1] * b.shape[2]
    if len(a.shape) == 3 and len(b.shape) == 2:
        return 2 * a.shape[1] * a.shape[2] * b.shape[1]
    return 2 * a.numel() * b.shape[-1]


def _linear(args, _kwargs, _out):
    return 2 * args[0].numel() * args[1].shape[0]


def _linear_backward(args, _kwargs, _out):
    x, weight, mask = args[0], args[2], args[3]
    return 2 * x.numel() * weight.shape[0] * (bool(mask[0]) + bool(mask[1]))


def _trilinear(args, kwargs, _out):
    """Return the cost of sum(i1 * i2 * i3) as it is done: i1 with i2 first, the rest with i3."""
    sizes = {}
    for tensor, expand in zip(args[:3], args[3:6]):  # noqa: B905
        shape = list(tensor.shape)
        for dim in sorted(expand):
            shape.insert(dim, 1)
        for dim, size in enumerate(shape):
            sizes[dim] = max(sizes.get(dim, 1), size)
    unrolled = args[7] if len(args) > 7 else kwargs.get("unroll_dim", 1)
    third = [dim for dim in args[3] if dim in args[4]]
    summed = [dim for dim in args[6] if dim in args[5] and dim != unrolled]
    whole = prod(sizes.values())
    first, second = (whole // prod([sizes[dim] for dim in dims]) for dims in (third, summed))
    return 2 * (first + second)


# Convolutions


def _taps(weight):
    """Return the multiplications for each element: a kernel's, of one output or input channel."""
    return weight.numel() // max(1, weight.shape[0])


def _conv(x, weight, out, transposed):
    return 2 * (x if transposed else out).numel() * _taps(weight)


def _convolution(args, _kwargs, out):
    return _conv(args[0], args[1], out, args[6])


def _forward_conv(args, _kwargs, out):
    return _conv(args[0], args[1], _first(out), False)


def _transposed_conv(args, _kwargs, out):
    return _conv(args[0], args[1], _first(out), True)


def _convolution_backward(args, _kwargs, _out):
    """Return as many forward costs as there are gradients; groups stay apart in both.

    That of the weight costs in all groups together what the forward did, not a group's share
    times the groups as `torch.utils.flop_counter` has it in torch 2.13.
    """
    gradient, x, weight, transposed, mask = args[0], args[1], args[2], args[7], args[10]
    return _conv(x, weight, gradient, transposed) * (bool(mask[0]) + bool(mask[1]))


def _conv_tbc(args, _kwargs, out):
    return 2 * out.numel() * prod(args[1].shape[:2])


def _conv_tbc_backward(args, _kwargs, _out):
    return 4 * args[0].numel() * prod(args[2].shape[:2])


def _deformed_backward(args, _kwargs, _out):
    return 4 * args[0].numel() * _taps(args[2])


# Attention


def _scores_and_values(q, k, v, heads_last=False):
    """Return the costs of Q K^T and of the product with V, by the heads of the query."""
    at = -3 if heads_last else -2
    length, many = q.shape[at], k.shape[at]
    pairs = q.numel() // max(1, length * q.shape[-1]) * length * many
    return 2 * pairs * q.shape[-1], 2 * pairs * v.shape[-1]


def _attention(args, _kwargs, _out):
    return sum(_scores_and_values(*args[:3]))


def _attention_backward(args, _kwargs, _out):
    """Return two forward costs, and the scores once more: a fused kernel does not keep them."""
    scores, values = _scores_and_values(*args[1:4])
    return 2 * (scores + values), scores


def _packed(args, at):
    # How long the sequences are stands on the device, and asking would wait for it.
    if args[at] is not None:
        raise ValueError("sequences of lengths that only the device knows")


def _flash(cumulated):
    def formula(args, _kwargs, _out):
        _packed(args, cumulated)
        return sum(_scores_and_values(*args[:3], heads_last=True))

    return formula


def _flash_backward(cumulated):
    def formula(args, _kwargs, _out):
        _packed(args, cumulated)
        scores, values = _scores_and_values(*args[1:4], heads_last=True)
        return 2 * (scores + values), scores

    return formula


def _lengths(tensor):
    """Return the length of each sequence of a (batch x length x width) or nested tensor."""
    if tensor.is_nested:
        return [row[0] for row in tensor._nested_tensor_size().tolist()]
    return [tensor.shape[1]] * tensor.shape[0]


def _heads(queries, keys, width):
    """Return the cost of multi-head attention with its four projections."""
    rows = 2 * sum(queries) + 2 * sum(keys)
    pairs = sum(q * k for q, k in zip(queries, keys))  # noqa: B905
    return 2 * rows * width * width + 4 * pairs * width


def _native_attention(args, _kwargs, _out):
    return _heads(_lengths(args[0]), _lengths(args[1]), args[3])


def _encoder_layer(args, _kwargs, _out):
    lengths = _lengths(args[0])
    feed_forward = 2 * sum(lengths) * (args[14].numel() + args[16].numel())
    return _heads(lengths, lengths, args[1]) + feed_forward


# Recurrent layers: each row of time and batch meets each matrix once


def _rows(x):
    return x.numel() // max(1, x.shape[-1])


def _mkldnn_rnn(args, _kwargs, _out):
    return 2 * _rows(args[0]) * (args[1].numel() + args[2].numel())


def _mkldnn_rnn_backward(args, kwargs, out):
    return 2 * _mkldnn_rnn(args, kwargs, out)


def _matrices(weights):
    return sum(weight.numel() for weight in weights if len(weight.shape) == 2)


def _fused_rnn(at):
    def formula(args, _kwargs, _out):
        return 2 * _rows(args[0]) * _matrices(args[at])

    return formula


def _fused_rnn_backward(args, _kwargs, out):
    """Return the cost for the inputs, and once more if the weights get gradients."""
    weights = out[3] if isinstance(out, (list, tuple)) and len(out) > 3 else ()
    learns = any(getattr(one, "numel", int)() for one in weights or ())
    return 2 * _rows(args[0]) * _matrices(args[1]) * (1 + learns)


def _first(out):
    return out[0] if isinstance(out, (list, tuple)) else out


def _named(formula, names, before="aten::"):
    return {before + name: formula for name in names.split()}


MATRIX = {
    **_named(_product(0), "mm bmm _int_mm _scaled_mm _scaled_mm_v2 _sparse_mm hspmm"),
    **_named(_product(1), "addmm _addmm_activation baddbmm addbmm _sparse_addmm sspaddmm"),
    **_named(_inner, "_weight_int8pack_mm _weight_int4pack_mm _weight_int4pack_mm_for_cpu"),
    **_named(_inner, "_dyn_quant_matmul_4bit _sparse_semi_structured_linear"),
    **_named(_inner, "linear linear_relu linear_dynamic linear_relu_dynamic", "quantized::"),
    **_named(_dot(0), "dot vdot"),
    **_named(_mv(0), "mv"),
    **_named(_mv(1), "addmv addmv_"),
    **_named(_addr, "addr addr_"),
    **_named(_sparse_sparse, "_sparse_sparse_matmul"),
    **_named(_sampled, "sparse_sampled_addmm"),
    **_named(_product(0), "_sparse_mm_reduce_impl"),
    **_named(_grouped_mm, "_grouped_mm _scaled_grouped_mm _scaled_grouped_mm_v2"),
    **_named(_linear, "linear mkldnn_linear"),
    **_named(_linear_backward, "linear_backward mkldnn_linear_backward"),
    **_named(_trilinear, "_trilinear"),
    **_named(_convolution, "convolution _convolution convolution_overrideable"),
    **_named(_forward_conv, "cudnn_convolution miopen_convolution mkldnn_convolution"),
    **_named(_forward_conv, "_mps_convolution cudnn_convolution_relu miopen_convolution_relu"),
    **_named(_forward_conv, "cudnn_convolution_add_relu miopen_depthwise_convolution"),
    **_named(_forward_conv, "_slow_conv2d_forward slow_conv3d_forward _conv_depthwise2d"),
    **_named(_forward_conv, "conv_depthwise3d slow_conv_dilated2d slow_conv_dilated3d"),
    **_named(_forward_conv, "deform_conv2d", "torchvision::"),
    **_named(_transposed_conv, "cudnn_convolution_transpose miopen_convolution_transpose"),
    **_named(_transposed_conv, "_mps_convolution_transpose slow_conv_transpose2d"),
    **_named(_transposed_conv, "slow_conv_transpose3d"),
    **_named(_convolution_backward, "convolution_backward"),
    **_named(_conv_tbc, "conv_tbc"),
    **_named(_conv_tbc_backward, "conv_tbc_backward"),
    **_named(_deformed_backward, "_deform_conv2d_backward", "torchvision::"),
    **_named(_attention, "flash_attention efficient_attention cudnn_attention", _ATTENTION),
    **_named(_attention, "flash_attention_for_cpu attention_math_for_mps", _ATTENTION),
    **_named(_attention, "fused_attention_overrideable", _ATTENTION),
    **_named(_attention, "_triton_scaled_dot_attention"),
    **_named(_attention_backward, "flash_attention_backward cudnn_attention_backward", _ATTENTION),
    **_named(_attention_backward, "efficient_attention_backward", _ATTENTION),
    **_named(_attention_backward, "flash_attention_for_cpu_backward", _ATTENTION),
    **_named(_attention_backward, "fused_attention_overrideable_backward", _ATTENTION),
    **_named(_flash(3), "_flash_attention_forward"),
    **_named(_flash(4), "_efficient_attention_forward"),
    **_named(_flash_backward(6), "_flash_attention_backward _efficient_attention_backward"),
    **_named(_native_attention, "_native_multi_head_attention _triton_multi_head_attention"),
    **_named(_encoder_layer, "_transformer_encoder_layer_fwd"),
    **_named(_mkldnn_rnn, "mkldnn_rnn_layer"),
    **_named(_mkldnn_rnn_backward, "mkldnn_rnn_layer_backward"),
    **_named(_fused_rnn(1), "_cudnn_rnn miopen_rnn"),
    **_named(_fused_rnn(2), "_lstm_mps"),
    **_named(_fused_rnn_backward, "_cudnn_rnn_backward miopen_rnn_backward"),
    **LINALG,
    **FOURIER,
}
REAL = frozenset(FOURIER)
"""Formulas that count real FLOPs already; the others are of real numbers."""


# What costs as much as it has elements: never added to the above


def _each(times, of=None):
    """Return the formula of `times` FLOPs an element: of the output, else of an argument."""

    def formula(args, _kwargs, out):
        return times * elements(out if of is None else args[of])

    return formula


def elements(value):
    """Return how many elements the first tensor has, or all tensors of a list of them."""
    if isinstance(value, (list, tuple)):
        return sum(one.numel() for one in value if hasattr(one, "numel"))
    return value.numel() if hasattr(value, "numel") else 0


def _sampled_grid(taps):
    """Return the formula of an interpolation: a multiplication and an addition a point, by mode.

    Mode 0 blends all corners, 1 takes the nearest, 2 blends 16 points.
    """

    def formula(args, _kwargs, out):
        mode = args[3] if len(args) > 5 else args[2]
        return 2 * {0: taps, 1: 1, 2: 16}.get(mode, taps) * _first(out).numel()

    return formula


def _bag(args, _kwargs, out):
    return args[1].numel() * _first(out).shape[-1]


_PLAIN = """
elu_backward hardswish hardswish_ hardswish_backward leaky_relu_backward hardtanh_backward
softplus_backward softshrink_backward hardshrink_backward hardsigmoid_backward mish_backward
logit_backward log_sigmoid_forward log_sigmoid_backward glu glu_backward _prelu_kernel
rrelu_with_noise rrelu_with_noise_backward masked_fill_ where_ eq_ ne_ lt_ gt_ le_ ge_ sgn_
"""
ELEMENTWISE = {
    **_named(_each(1), _PLAIN),
    **_named(_each(8), "upsample_bilinear2d _upsample_bilinear2d_aa"),
    **_named(_each(8, of=0), "upsample_bilinear2d_backward _upsample_bilinear2d_aa_backward"),
    **_named(_each(4), "upsample_linear1d"),
    **_named(_each(4, of=0), "upsample_linear1d_backward"),
    **_named(_each(16), "upsample_trilinear3d"),
    **_named(_each(16, of=0), "upsample_trilinear3d_backward"),
    **_named(_each(32), "upsample_bicubic2d _upsample_bicubic2d_aa"),
    **_named(_each(32, of=0), "upsample_bicubic2d_backward _upsample_bicubic2d_aa_backward"),
    **_named(_sampled_grid(4), "grid_sampler_2d cudnn_grid_sampler grid_sampler_2d_backward"),
    **_named(_sampled_grid(8), "grid_sampler_3d grid_sampler_3d_backward"),
    **_named(_bag, "_embedding_bag _embedding_bag_forward_only"),
    **_named(_each(8, of=0), "_fused_adam_ _fused_adamw_"),
    **_named(_each(3, of=0), "_fused_sgd_"),
    **_named(_each(5, of=0), "_fused_adagrad_"),
}
"""One FLOP an element; an interpolation has two a point that it blends. A fused optimizer's step
counts an element's operations of the same step done one after the other."""
