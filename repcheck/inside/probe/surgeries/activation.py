"""`activation` {from, to, ...}: another activation in whatever is trained; `...` are its own.

Modules become modules of the other class, in place; what is called as a function
(`F.relu`, `torch.relu`, `Tensor.relu` and their forms that work in place) computes the other.
"""

import sys

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from ..surgery import put
from . import _models

SPELLED = {"leakyrelu": "leaky_relu"}


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if torch has no such activations.
    """
    args = dict(surgery.args)
    given = [args.pop(name, None) for name in ("from", "to")]
    old, new = [getattr(torch.nn, str(name), None) for name in given]
    if not all(isinstance(one, type) and issubclass(one, torch.nn.Module) for one in (old, new)):
        raise ValueError("`from` and `to` have to be classes of torch.nn")
    try:
        template = new(**args)
    except TypeError as error:
        raise ValueError(str(error)) from error
    change = _Change(torch, surgery, old, template)
    _models.watch_calls(torch)
    _models.before_optimizer.append(change.before_optimizer)
    _models.before_root.append(change.before_root)
    if not change.in_place:
        put(new, "forward", _in_place)
    name = old.__name__.lower()
    name = SPELLED.get(name, name)
    for owner in (torch.nn.functional, torch, torch.Tensor):
        for spelled in (name, name + "_"):
            if hasattr(owner, spelled):
                put(owner, spelled, change.maker(spelled))


def _in_place(original):
    def forward(self, x):
        if getattr(self, "inplace", False):
            return x.copy_(original(self, x.clone()))
        return original(self, x)

    return forward


class _Change:
    def __init__(self, torch, surgery, old, template):
        self.torch, self.surgery, self.old, self.template = torch, surgery, old, template
        self.in_place = hasattr(template, "inplace")
        self.learns = bool(list(template.parameters()))
        self.met = _models.Met()
        self.fused = {"ReLU": 1, "GELU": 2}.get(old.__name__)
        self.seen = set()
        self.busy = set()

    def before_optimizer(self, root, given):
        self.surgery.guarded(self._swap_all, root, given)

    def before_root(self, module, _args, _kwargs):
        # A parameter that came now would never be trained.
        if not self.learns and not self.met.before(module) and _models.trained(module):
            self.surgery.guarded(self._swap_all, module)

    def _swap_all(self, root, given=None):
        like = next(root.parameters(), None)
        for _, part in list(_models.parts(root, given)):
            if type(part) is self.old:
                self._swap(part, like, given)
            elif getattr(part, "activation_relu_or_gelu", 0) == self.fused:
                # What it computes without gradients is fused, with the activation in it.
                part.activation_relu_or_gelu = 0

    def _swap(self, part, like, given):
        inplace = getattr(part, "inplace", False)
        part.__class__ = type(self.template)
        for name, value in vars(self.template).items():
            if not name.startswith("_") and name != "training":
                setattr(part, name, value)
        part.inplace = inplace
        for name, value in self.template.named_parameters():
            made = value.detach().clone().to(like.device, like.dtype)
            part.register_parameter(name, self.torch.nn.Parameter(made))
            if isinstance(given, list):
                _add(given, part._parameters[name])
        self.surgery.applied(places=1)

    def maker(self, spelled):
        def make(original):
            def activation(x, *args, **kwargs):
                me = get_ident()
                if me in self.busy or not self._applies():
                    return original(x, *args, **kwargs)
                inplace = kwargs.get("inplace", False) or any(one is True for one in args)
                self.busy.add(me)
                try:
                    return self._compute(x, bool(inplace) or spelled.endswith("_"))
                finally:
                    self.busy.discard(me)

            return activation

        return make

    def _applies(self):
        if self.learns:
            self.surgery.fail("a function has no parameters that could be trained")
            return False
        if _models._Models.compiling():
            return True
        if not self.surgery.guarded(_models.within):
            return False
        caller = sys._getframe(2)
        place = (caller.f_code, caller.f_lineno)
        self.surgery.applied(places=int(place not in self.seen))
        self.seen.add(place)
        return True

    def _compute(self, x, inplace):
        if inplace and not self.in_place:
            return x.copy_(self.template.forward(x.clone()))
        if self.in_place:
            self.template.inplace = inplace
        return self.template.forward(x)


def _add(given, parameter):
    """Have an optimizer train one parameter more, with the last of its groups."""
    last = given[-1]
    if isinstance(last, dict):
        inner = last["params"]
        last["params"] = [*(inner if isinstance(inner, (list, tuple)) else [inner]), parameter]
    elif isinstance(last, tuple):
        given.append(("activation.weight", parameter))
    else:
        given.append(parameter)
