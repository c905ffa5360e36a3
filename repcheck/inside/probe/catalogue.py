"""Known functions that a module of the artifact's may turn out to be, computed with torch itself.

Each entry is `(name, function, fits)`: `function(x, mode)` gives what the known function gives for
inputs in double precision, `fits` are the ways in which a scale and an offset may be fitted to
it: "" none, "all" one for everything, "channel", "last" or "inner" one for each index of the second
dimension, of the last, or of all but the first.
"""

import math

EPS = (1e-3, 1e-5, 1e-6, 1e-12)
GROUPS = (2, 4, 8, 16, 32)
PLAIN = ("", "all")
WEIGHED = ("", "all", "channel", "last", "inner")


def numbers_of(module):
    """Return the plain numbers that a module keeps: its slopes, temperatures, epsilons."""
    found = []
    for value in vars(module).values():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append(float(value))
    for p in module.parameters():
        if p.numel() == 1:
            found.append(float(p.detach().reshape(()).item()))
    return [one for one in dict.fromkeys(found) if abs(one) < 1e4][:8]


def unary(torch, module, shape):
    """Return the entries for one input whose shape is also the output's."""
    fits = WEIGHED if _has_state(module) else PLAIN
    found = [(name, _plain(one), fits) for name, one in _activations(torch, module)]
    found += _norms(torch, module, shape, fits)
    for dim in _dims(shape):
        at = " over dimension %d" % dim
        found.append(("softmax" + at, _over(torch.softmax, dim), fits))
        found.append(("log-softmax" + at, _over(torch.log_softmax, dim), fits))
        found.append(("L2 normalisation" + at, _over(_unit(torch), dim), fits))
    found.append(("the identity", _plain(lambda x: x), ("",)))
    if _has_state(module):
        scaled = ("all", "channel", "last", "inner")
        found.append(("a learnt scale and offset", _plain(lambda x: x), scaled))
    return found


def _has_state(module):
    return any(True for _ in module.parameters()) or any(True for _ in module.buffers())


def _plain(function):
    return lambda x, _mode: function(x)


def _over(function, dim):
    return lambda x, _mode: function(x, dim)


def _unit(torch):
    def unit(x, dim):
        return x / torch.linalg.vector_norm(x, dim=dim, keepdim=True).clamp_min(1e-12)

    return unit


def _dims(shape):
    return sorted({1, len(shape) - 1} - {0}) if len(shape) > 1 else []


def _activations(torch, module):
    F = torch.nn.functional
    sigmoid, tanh = torch.sigmoid, torch.tanh
    found = [
        ("ReLU", F.relu), ("SiLU", F.silu), ("GELU", F.gelu), ("Mish", F.mish),
        ("GELU (tanh form)", lambda x: F.gelu(x, approximate="tanh")),
        ("GELU (sigmoid form)", lambda x: x * sigmoid(1.702 * x)),
        ("Sigmoid", sigmoid), ("Tanh", tanh), ("ReLU6", F.relu6), ("ELU", F.elu),
        ("SELU", F.selu), ("Softplus", F.softplus), ("Softsign", F.softsign),
        ("LogSigmoid", F.logsigmoid), ("Hardswish", F.hardswish), ("Hardsigmoid", F.hardsigmoid),
        ("Hardtanh", F.hardtanh), ("Tanhshrink", F.tanhshrink), ("Softshrink", F.softshrink),
        ("Hardshrink", F.hardshrink), ("squared ReLU", lambda x: F.relu(x) ** 2),
        ("absolute value", torch.abs), ("sine", torch.sin),
    ]  # fmt: skip
    for slope in dict.fromkeys((0.01, 0.1, 0.2, 0.25) + tuple(numbers_of(module))):
        found.append(("LeakyReLU (slope %.4g)" % slope, _leaky(F, slope)))
        if slope > 0 and slope not in (0.01, 0.1, 0.2, 0.25):
            found.append(("SiLU with a slope (Swish)", lambda x, b=slope: x * sigmoid(b * x)))
            found.append(("ELU (alpha %.4g)" % slope, lambda x, a=slope: F.elu(x, a)))
            found.append(("CELU (alpha %.4g)" % slope, lambda x, a=slope: F.celu(x, a)))
            found.append(("Softplus (beta %.4g)" % slope, lambda x, b=slope: F.softplus(x, b)))
    for p in list(module.parameters())[:2]:
        if p.dim() == 1 and p.numel() > 1:
            slopes = p.detach().double().cpu()
            found.append(("PReLU", lambda x, w=slopes: _each(torch, x, w)))
    return found


def _leaky(F, slope):
    return lambda x: F.leaky_relu(x, slope)


def _each(torch, x, slopes):
    if x.dim() < 2 or x.shape[1] != slopes.numel():
        raise ValueError("no slope for each channel")
    return torch.where(x > 0, x, x * slopes.reshape([1, -1] + [1] * (x.dim() - 2)))


def _norms(torch, module, shape, fits):
    own = tuple(one for one in numbers_of(module) if 0 < one <= 1e-2)
    ways = [(dims, eps) for dims in _spans(shape) for eps in dict.fromkeys(EPS + own)]
    found = []
    for (name, dims), eps in ways:
        for kind, centred in ((name, True), (name.replace("Layer", "RMS"), False)):
            if centred or kind != name:
                found += [
                    (kind, _norm(dims, eps, centred, spread), fits)
                    for spread in ("biased", "unbiased", "outside")
                ]
    for groups in GROUPS:
        if len(shape) > 1 and shape[1] % groups == 0 and shape[1] > groups:
            found += [
                ("GroupNorm (%d groups)" % groups, _grouped(torch, groups, eps), fits)
                for eps in dict.fromkeys(EPS + own)
            ]
    return found


def _spans(shape):
    """Return what may be normalised over, by name."""
    rank = len(shape)
    if rank < 2:
        return []
    found = [("LayerNorm", (rank - 1,))]
    if rank > 2:
        found.append(("LayerNorm over channels", (1,)))
        found.append(("LayerNorm over all but the batch", tuple(range(1, rank))))
        found.append(("InstanceNorm", tuple(range(2, rank))))
    return found


def _norm(dims, eps, centred, spread):
    def normed(x, _mode):
        if centred:
            x = x - x.mean(dims, keepdim=True)
        square = (x * x).mean(dims, keepdim=True)
        if spread == "unbiased":
            n = math.prod(x.shape[dim] for dim in dims)
            square = square * n / max(1, n - 1)
        if spread == "outside":
            return x / (square.sqrt() + eps)
        return x / (square + eps).sqrt()

    return normed


def _grouped(torch, groups, eps):
    return lambda x, _mode: torch.nn.functional.group_norm(x, groups, eps=eps)


def batch_norms(module, shape):
    """Return the entries that normalise by the batch; in the other mode they do by constants."""
    if len(shape) < 2:
        return []
    dims = (0,) + tuple(range(2, len(shape)))
    own = tuple(one for one in numbers_of(module) if 0 < one <= 1e-2)
    return [
        ("BatchNorm", _batched(_norm(dims, eps, True, "biased")), ("channel",))
        for eps in dict.fromkeys(EPS + own)
    ]


def _batched(normed):
    return lambda x, mode: x if mode else normed(x, mode)


def halves(torch, dim):
    """Return the entries whose output is half as wide as the input, along a dimension."""
    F = torch.nn.functional
    acts = [
        ("GLU", torch.sigmoid), ("GEGLU", F.gelu), ("SwiGLU", F.silu), ("ReGLU", F.relu),
        ("bilinear GLU", lambda x: x), ("tanh GLU", torch.tanh),
    ]  # fmt: skip
    found = []
    for name, act in acts:
        found.append((name, _half(torch, act, dim, 0), PLAIN))
        found.append((name, _half(torch, act, dim, 1), PLAIN))
    return found


def _half(torch, act, dim, first):
    def gated(x, _mode):
        parts = torch.chunk(x, 2, dim)
        return parts[first] * act(parts[1 - first])

    return gated


def attentions(torch):
    """Return the entries for queries, keys and values."""

    def of(scaled, causal):
        def attend(qkv, _mode):
            q, k, v = qkv
            scores = q @ k.transpose(-1, -2)
            if scaled:
                scores = scores / math.sqrt(q.shape[-1])
            if causal:
                hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
                scores = scores.masked_fill(hidden, -math.inf)
            return torch.softmax(scores, -1) @ v

        return attend

    return [
        ("softmax attention", of(True, False), PLAIN),
        ("causal softmax attention", of(True, True), PLAIN),
        ("softmax attention without a scale", of(False, False), PLAIN),
    ]


def losses(torch, module, labels):
    """Return the entries for an output and labels (whole numbers), or an output and a target."""
    F = torch.nn.functional
    own = tuple(numbers_of(module))
    made = _of_labels(F, own) if labels else _of_targets(torch, F, own)
    return [(name, _pair(one), ("", "scale")) for name, one in made]


def _pair(function):
    return lambda pair, _mode: function(*pair)


def _of_labels(F, own):
    found = [("cross-entropy", F.cross_entropy), ("NLL loss", F.nll_loss)]
    for amount in dict.fromkeys((0.05, 0.1, 0.2) + own):
        if 0 < amount < 1:
            found.append(
                (
                    "cross-entropy with label smoothing (%.4g)" % amount,
                    lambda x, y, a=amount: F.cross_entropy(x, y, label_smoothing=a),
                )
            )
    for gamma in dict.fromkeys((1.0, 2.0, 3.0, 5.0) + own):
        if gamma > 0:
            found.append(("focal loss (gamma %.4g)" % gamma, _focal(F, gamma)))
    return found


def _focal(F, gamma):
    def focal(x, y):
        log = -F.cross_entropy(x, y, reduction="none")
        return (-((1 - log.exp()) ** gamma) * log).mean()

    return focal


def _of_targets(torch, F, own):
    found = [
        ("MSE loss", F.mse_loss), ("L1 loss", F.l1_loss), ("smooth L1 loss", F.smooth_l1_loss),
        ("BCE with logits", F.binary_cross_entropy_with_logits),
        ("cosine distance", lambda x, y: (1 - F.cosine_similarity(x, y, dim=-1)).mean()),
    ]  # fmt: skip
    for t in dict.fromkeys((1.0, 2.0, 3.0, 4.0, 5.0, 10.0) + own):
        if t > 0:
            found.append(("KL distillation (temperature %.4g)" % t, _kl(torch, F, t)))
    for t in dict.fromkeys((0.05, 0.07, 0.1, 0.2, 0.5, 1.0) + own):
        if t > 0:
            found.append(("InfoNCE (temperature %.4g)" % t, _nce(torch, F, t, False)))
            found.append(("symmetric InfoNCE (temperature %.4g)" % t, _nce(torch, F, t, True)))
    return found


def _kl(torch, F, t):
    def kl(x, y):
        target = torch.softmax(y / t, -1)
        return F.kl_div(torch.log_softmax(x / t, -1), target, reduction="batchmean") * t * t

    return kl


def _nce(torch, F, t, both):
    def nce(x, y):
        scores = F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).transpose(-1, -2) / t
        own = torch.arange(len(scores))
        loss = F.cross_entropy(scores, own)
        return (loss + F.cross_entropy(scores.transpose(0, 1), own)) / 2 if both else loss

    return nce
