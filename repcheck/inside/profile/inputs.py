"""Inputs of given shapes: floating-point numbers first, integers where those are refused."""

import inspect
import itertools
import re

from .answer import Problem, last_line, place_of, told

_INTEGERS = re.compile(
    r"\blong|\bint(?:eger|32|64)?s?\b|indices|index tensor|embedding", re.IGNORECASE
)
_SHAPES = re.compile(
    r"shape|size|dimension|channel|expected (?:input|\d|more than)|Expected \d|broadcast|mat1|mat2"
    r"|out of range|unpack|positional argument|keyword argument|multiplied|must match|scalar type"
    r"|dtype|data type",
    re.IGNORECASE,
)
_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
MOST_MIXED = 4
_ALIASES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


class Inputs:
    """Positional and named tensors for one call."""

    def __init__(self, torch, spec, dtypes, device):
        self.torch, self.spec, self.dtypes, self.device = torch, spec, dtypes, device
        self.high = 2

    def made(self, seed=0, shapes=None):
        """Return (args, kwargs) of one draw."""
        generator = self.torch.Generator().manual_seed(seed)
        args, kwargs = [], {}
        for number, (one, dtype) in enumerate(zip(self.spec, self.dtypes)):  # noqa: B905
            shape = shapes[number] if shapes else one["shape"]
            tensor = self._one(shape, dtype, generator).to(self.device)
            if one["name"]:
                kwargs[one["name"]] = tensor
            else:
                args.append(tensor)
        return tuple(args), kwargs

    def _one(self, shape, dtype, generator):
        torch = self.torch
        if dtype.is_floating_point or dtype.is_complex:
            real = torch.randn(shape, generator=generator)
            return real.to(dtype)
        high = 2 if dtype == torch.bool else self.high
        return torch.randint(0, high, shape, generator=generator).to(dtype)

    def varied(self):
        """Return draws that differ in sign, size and content: other inputs of the same shape."""
        draws = []
        for scale in (-1.0, 10.0, 0.0):
            args, kwargs = self.made(0)
            draws.append(
                (
                    tuple(self._scaled(item, scale) for item in args),
                    {name: self._scaled(item, scale) for name, item in kwargs.items()},
                )
            )
        return [self.made(1), *draws]

    def _scaled(self, tensor, scale):
        if tensor.is_floating_point() or tensor.is_complex():
            return tensor * scale
        highest = 1 if tensor.dtype == self.torch.bool else self.high - 1
        return (
            highest - tensor if scale < 0 else self.torch.full_like(tensor, highest * bool(scale))
        )

    def grown(self):
        """Return one draw with twice the batch."""
        return self.made(0, [[2 * one["shape"][0], *one["shape"][1:]] for one in self.spec])

    def seen(self):
        """Return name, shape and type of every input."""
        return [
            {"name": one["name"], "shape": one["shape"], "dtype": str(dtype).replace("torch.", "")}
            for one, dtype in zip(self.spec, self.dtypes)  # noqa: B905
        ]


def fitted(torch, model, spec, names, root):
    """Return inputs that the model takes, and its outputs; a dtype that is not given is found out.

    Raises:
        Problem: if it takes none.
    """
    inputs = Inputs(torch, spec, [], _device(torch, model))
    inputs.high = _high(torch, model)
    first = None
    for dtypes in _candidates(torch, model, len(spec), names):
        inputs.dtypes = dtypes
        args, kwargs = inputs.made()
        try:
            return inputs, model(*args, **kwargs)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise told(error, "the forward pass", root) from error
            first = first or error
            if not _INTEGERS.search(str(error)):
                break
    raise refused(model, first, spec, root)


def _candidates(torch, model, count, names):
    if names:
        named = [_dtype(torch, name) for name in names]
        yield named * count if len(named) == 1 else named
        return
    own = next((p.dtype for p in model.parameters() if p.dtype.is_floating_point), torch.float32)
    yield [own] * count
    yield [torch.long] * count
    if 1 < count <= MOST_MIXED:
        mixed = itertools.product([own, torch.long], repeat=count)
        yield from (list(kinds) for kinds in mixed if len(set(kinds)) > 1)


def _dtype(torch, name):
    found = getattr(torch, _ALIASES.get(name, name), None)
    if not isinstance(found, torch.dtype):
        raise Problem("input", "%s is no torch dtype" % name, "write float32, int64, bool ...")
    return found


def _device(torch, model):
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        return tensor.device
    return torch.device("cpu")


def _high(torch, model):
    tables = [
        module.num_embeddings
        for module in model.modules()
        if isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag))
    ]
    return min(tables) if tables else 2


def refused(model, error, spec, root):
    """Return the problem that a failed forward pass is: the input's, or the model's own."""
    problem = told(error, "the forward pass", root)
    if problem.kind != "raises" or not _SHAPES.search(str(error)):
        return problem
    given = " and ".join(_shown(one) for one in spec)
    return Problem(
        "input",
        "the model refuses an input of shape %s: %s" % (given, last_line(error)),
        _mend(model, error, spec),
        place_of(error, root),
    )


def _shown(one):
    shape = ",".join(str(size) for size in one["shape"])
    return "%s=%s" % (one["name"], shape) if one["name"] else shape


def _mend(model, error, spec):
    channels = _CHANNELS.search(str(error))
    shape = list(spec[0]["shape"])
    if channels and len(spec) == 1 and int(channels.group(2)) in shape[:2] and len(shape) > 2:
        shape[1] = int(channels.group(1))
        return "try --input-shape %s" % ",".join(map(str, shape))
    if isinstance(error, TypeError) and "argument" in str(error):
        return 'forward%s: give several shapes as JSON, [[1,3,8,8],[1,10]] or {"x": [1,3,8,8]}' % (
            _parameters(model)
        )
    return "mend --input-shape; %s" % _expects(model)


def _parameters(model):
    try:
        return str(inspect.signature(model.forward))[:120]
    except (TypeError, ValueError):
        return "(...)"


def _expects(model):
    """Say what the first layer takes."""
    for path, module in model.named_modules():
        for name in ("in_channels", "in_features", "input_size", "num_embeddings"):
            if isinstance(getattr(module, name, None), int):
                said = (path or "it", type(module).__name__, name, getattr(module, name))
                return "its first layer is `%s`, %s with %s=%d" % said
    return "forward is forward%s" % _parameters(model)
