"""`input` {transform, when: evaluation, seed: 0}: what a trained model is fed, changed at its door.

Transforms: reverse-channels (of NCHW), scale:1/255 (any number), flip:horizontal, flip:vertical,
rotate:90, grey, zeros, noise:0.1 (standard deviation), shuffle (rows of a batch), and
normalise:MEANS/SDS with numbers separated by commas, one a channel. `when` is evaluation, training
or always. The first argument that is a tensor is changed, of modules that are fed data.
"""

from . import _models

WHEN = ("evaluation", "training", "always")


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if there is no such transform.
    """
    transform, when, seed = surgery.take("transform", when="evaluation", seed=0)
    name, _, given = str(transform).partition(":")
    if when not in WHEN:
        raise ValueError("`when` has to be one of %s" % ", ".join(WHEN))
    make = MAKERS.get(name)
    if make is None:
        raise ValueError("no such transform; there are %s" % ", ".join(MAKERS))
    generator = torch.Generator().manual_seed(int(seed))
    change = _Change(torch, surgery, make(torch, given, generator), when)
    _models.watch_calls(torch)
    _models.before_root.append(change.before_root)


class _Change:
    def __init__(self, torch, surgery, function, when):
        self.torch, self.surgery, self.function, self.when = torch, surgery, function, when

    def before_root(self, module, args, kwargs):
        return self.surgery.guarded(self._changed, module, args, kwargs)

    def _changed(self, module, args, kwargs):
        if not self._is_time(module, args) or not _models.is_front(module, args):
            return None
        is_tensor = self.torch.Tensor
        for i, one in enumerate(args):
            if isinstance(one, is_tensor):
                made = self._of(one)
                return (*args[:i], made, *args[i + 1 :]), kwargs
        for name, one in kwargs.items():
            if isinstance(one, is_tensor):
                return args, {**kwargs, name: self._of(one)}
        return None

    def _is_time(self, module, args):
        if self.when == "training":
            return self.torch.is_grad_enabled() and module.training and _models.trained(module)
        if self.when == "evaluation":
            return _models.evaluates(module, args)
        return _models.trained(module)

    def _of(self, x):
        if not (x.is_floating_point() or x.dtype is self.torch.uint8):
            raise ValueError("the input holds %s: words, and no numbers" % x.dtype)
        made = self.function(x)
        self.surgery.applied()
        return made


def _number(text):
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def _image(x):
    if x.dim() != 4:
        raise ValueError("the input has %d dimensions and not 4" % x.dim())
    return x


def _reverse(_torch, _given, _generator):
    return lambda x: _image(x).flip(1)


def _scale(_torch, given, _generator):
    number = _number(given)
    return lambda x: x * number


def _flip(_torch, given, _generator):
    if given not in ("horizontal", "vertical"):
        raise ValueError("flip:horizontal or flip:vertical")
    return lambda x: _image(x).flip(3 if given == "horizontal" else 2)


def _rotate(torch, given, _generator):
    turns, rest = divmod(int(given), 90)
    if rest:
        raise ValueError("rotate by a multiple of 90")
    return lambda x: torch.rot90(_image(x), turns, (2, 3))


def _grey(_torch, _given, _generator):
    return lambda x: _image(x).mean(1, keepdim=True).expand_as(x).contiguous()


def _zeros(torch, _given, _generator):
    return lambda x: torch.zeros_like(x)


def _noise(torch, given, generator):
    sd = _number(given)

    def add(x):
        noise = torch.randn(x.shape, generator=generator)
        return x + sd * noise.to(x.device, x.dtype)

    return add


def _shuffle(torch, _given, generator):
    return lambda x: x[torch.randperm(x.shape[0], generator=generator).to(x.device)]


def _normalise(torch, given, _generator):
    means, _, sds = given.partition("/")
    means, sds = [[float(one) for one in part.split(",")] for part in (means, sds)]
    if len(means) != len(sds) or not all(sds):
        raise ValueError("normalise:MEANS/SDS takes as many means as standard deviations")

    def change(x):
        shape = (1, -1) + (1,) * (x.dim() - 2)
        mean, sd = [torch.tensor(one, dtype=x.dtype, device=x.device) for one in (means, sds)]
        return (x - mean.reshape(shape)) / sd.reshape(shape)

    return change


MAKERS = {
    "reverse-channels": _reverse,
    "scale": _scale,
    "flip": _flip,
    "rotate": _rotate,
    "grey": _grey,
    "zeros": _zeros,
    "noise": _noise,
    "shuffle": _shuffle,
    "normalise": _normalise,
}
