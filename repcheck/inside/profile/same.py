"""Two models as functions: the same weights and inputs, the same outputs and gradients?

Weights are given from one to the other in the order in which each model first uses them, else in
the order in which it holds them; a matrix may be turned, and sides of one element may be missing.
All is computed in double precision, so that only another function differs by more than rounding.
"""

from . import build, tensors
from .answer import Problem, last_line

INPUTS = 64
SCALES = (1.0, 3.0)
MOST = 5000


def compare(job, answer, built):
    """Answer how far the entries of a job are from each other."""
    torch, model, given, _ = built(job, answer)
    other = job["other"]
    answer.stage("building %s" % other["entry"])
    rival, _, _ = build.model(torch, other["entry"], other["kwargs"], job["root"])
    answer.stage("comparing both")
    pair = (_double(model), _double(rival))
    draws = _draws(given)
    best = None
    for moved in _ways(torch, pair, draws[0]):
        found = _compared(torch, pair, moved, draws)
        if best is None or found["diff"] + found["gradient"] < best["diff"] + best["gradient"]:
            best = found
        if max(best["diff"], best["gradient"]) < 1e-6:
            break
    if best is None:
        raise Problem(
            "arguments",
            "the parameters of %s and %s have other shapes: none could be given from one to the"
            " other" % (job["entry"], other["entry"]),
        )
    answer.put(n=sum(len(_first(draw)) for draw in draws), **best)


def _double(model):
    model.requires_grad_(True)
    return model.double()


def _first(draw):
    args, kwargs = draw
    return (list(args) + list(kwargs.values()))[0]


def _draws(given):
    """Return inputs of both scales, as many examples as are wanted, in double precision."""
    rows = max(1, given.spec[0]["shape"][0])
    times = -(-INPUTS // (rows * len(SCALES)))
    found = []
    for number in range(times):
        for scale in SCALES:
            args, kwargs = given.made(number)
            found.append(
                (
                    tuple(_scaled(one, scale) for one in args),
                    {name: _scaled(one, scale) for name, one in kwargs.items()},
                )
            )
    return found


def _scaled(tensor, scale):
    if not tensor.is_floating_point():
        return tensor
    return (tensor.double() * scale).requires_grad_(True)


# Whose weight is whose


def _ways(torch, pair, draw):
    """Yield lists of `(parameter, its counterpart, turned)`, the likeliest first."""
    held = [[p for p in model.parameters() if p.numel()] for model in pair]
    used = [_used(torch, model, draw) for model in pair]
    seen = []
    for mine, other in ((used[0], used[1]), (held[0], held[1]), (used[0], held[1])):
        for turned in (False, True):
            moved = _matched(mine, other, turned)
            key = moved and [(id(a), id(b), way) for a, b, way in moved]
            if moved is not None and key not in seen:
                seen.append(key)
                yield moved


def _matched(mine, other, turned):
    if not mine or len(mine) != len(other) or len(mine) > MOST:
        return None
    found = []
    for a, b in zip(mine, other):  # noqa: B905
        way = _way(tuple(a.shape), tuple(b.shape), turned)
        if way is None:
            return None
        found.append((a, b, way))
    return found


def _way(mine, other, turned):
    plain = [tuple(size for size in shape if size > 1) for shape in (mine, other)]
    square = len(plain[0]) == 2 and plain[0][0] == plain[0][1]
    if plain[0] == plain[1] and not (square and turned):
        return "as it is"
    return "turned" if len(plain[0]) == 2 and plain[0] == plain[1][::-1] else None


def _used(torch, model, draw):
    """Return the parameters of a model in the order in which a forward pass first uses them."""
    base = getattr(torch.overrides, "TorchFunctionMode", None)
    known, found = {id(p): p for p in model.parameters()}, {}
    if base is None:
        return []

    class Uses(base):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            for one in tensors.flat([list(args), kwargs or {}]):
                if id(one) in known and getattr(function, "__name__", "") != "__get__":
                    found.setdefault(id(one), one)
            return function(*args, **(kwargs or {}))

    args, kwargs = draw
    with Uses():
        model(*args, **kwargs)
    return list(found.values())


def _fill(torch, pair, moved):
    """Give both models the same random weights, and the same constants where they keep any."""
    random = torch.Generator().manual_seed(20240229)
    with torch.no_grad():
        for a, b, way in moved:
            value = torch.randn(a.shape, generator=random, dtype=torch.float64)
            inner = max(1, a.numel() // max(1, a.shape[0])) if a.dim() > 1 else 0
            value = value / inner**0.5 if inner else 0.5 + 0.5 * value
            a.copy_(value)
            value = value.reshape([size for size in a.shape if size > 1])
            b.copy_((value.t() if way == "turned" else value).reshape(b.shape))
        kept = [[b for b in model.buffers() if b.is_floating_point()] for model in pair]
        if [tuple(b.shape) for b in kept[0]] == [tuple(b.shape) for b in kept[1]]:
            for a, b in zip(*kept):  # noqa: B905
                a.copy_(torch.rand(a.shape, generator=random, dtype=torch.float64) + 0.5)
                b.copy_(a)


# What they give


def _compared(torch, pair, moved, draws):
    _fill(torch, pair, moved)
    for model in pair:
        model.eval()
    diffs = [_differences(torch, pair, moved, draw) for draw in draws]
    found = {
        "moved": len(moved),
        "diff": max(diff for diff, _, _ in diffs),
        "gradient": max(gradient for _, gradient, _ in diffs),
        "training": None,
    }
    if not max(found["diff"], found["gradient"]) < float("inf"):
        return dict(found, why="outputs or gradients are not finite numbers")
    if not any(felt for _, _, felt in diffs):
        # Two models that give a constant say nothing of what they compute.
        return dict(found, gradient=float("inf"), why="no output depends on the input")
    for model in pair:
        model.train()
    try:
        found["training"] = max(max(_differences(torch, pair, moved, draw)[:2]) for draw in draws)
    except Exception as error:
        found["why"] = "in training mode: %s" % last_line(error)
    return found


def _differences(torch, pair, moved, draw):
    """Return the largest relative difference of outputs and of gradients, and if any is not 0."""
    args, kwargs = draw
    outputs = []
    for model in pair:
        torch.manual_seed(0)
        outputs.append([t for t in tensors.flat(model(*args, **kwargs)) if t.is_floating_point()])
    mine, other = outputs
    if [t.numel() for t in mine] != [t.numel() for t in other]:
        return 1.0, 1.0, True
    pairs = [(a, b.reshape(a.shape)) for a, b in zip(mine, other)]  # noqa: B905
    random = torch.Generator().manual_seed(1)
    weights = [torch.randn(a.shape, generator=random, dtype=torch.float64) for a, _ in pairs]
    inputs = [t for t in (*args, *kwargs.values()) if t.requires_grad]
    gradients = [
        torch.autograd.grad(
            sum((out * w).sum() for out, w in zip(outs, weights)),  # noqa: B905
            inputs or [p[number] for p in moved],
            allow_unused=True,
        )
        for number, outs in enumerate(zip(*pairs))  # noqa: B905
    ]
    ways = [way for _, _, way in moved] if not inputs else ["as it is"] * len(inputs)
    both = [_alike(torch, a, b, way) for a, b, way in zip(*gradients, ways)]  # noqa: B905
    return _largest(pairs), _largest(both), any(_size(a) + _size(b) > 0 for a, b in both)


def _alike(torch, a, b, way):
    """Return two gradients in one shape; a missing one is zero."""
    shape = a if a is not None else b
    if shape is None:
        return torch.zeros(1), torch.zeros(1)
    a, b = (torch.zeros_like(shape) if one is None else one for one in (a, b))
    a, b = (one.reshape([size for size in one.shape if size > 1]) for one in (a, b))
    return a, (b.t() if way == "turned" else b).reshape(a.shape)


def _largest(pairs):
    """Return the largest relative difference; infinity where a value is no finite number."""
    most = 0.0
    for a, b in pairs:
        size = max(_size(a), _size(b), 1e-30)
        diff = float((a.detach() - b.detach()).abs().max()) / size
        most = max(most, diff if diff == diff else float("inf"))
    return most


def _size(tensor):
    return float(tensor.detach().abs().max())
