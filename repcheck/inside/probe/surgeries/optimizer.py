"""`optimizer` {cls, and fields}: other settings of every optimizer, or another class.

A class takes the place of another one of torch's alone, and keeps its learning rate and weight
decay where nothing else is said. Fields that a class does not know are refused.
"""

from . import _fields

KEPT = ("lr", "weight_decay")


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if torch has no such class, or the class no such fields.
    """
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in surgery.args.items()}
    name = fields.pop("cls", None)
    wanted = getattr(torch.optim, str(name), None) if name is not None else None
    if name is not None:
        if not isinstance(wanted, type) or not issubclass(wanted, torch.optim.Optimizer):
            raise ValueError("%s is no class of torch.optim" % (name,))
        others = [field for field in fields if field not in _taken(wanted)]
        if others:
            raise ValueError("%s takes no %s" % (name, ", ".join(others)))
        _try(torch, wanted, fields)
    elif not fields:
        raise ValueError("nothing is to be set")
    _fields.watch(torch)
    _fields.building.append(_Change(surgery, wanted, fields).build)


def _taken(cls):
    code = cls.__init__.__code__
    return code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]


def _try(torch, cls, fields):
    try:
        cls([torch.nn.Parameter(torch.zeros(1))], **{"lr": 0.1, **fields})
    except (TypeError, ValueError) as error:
        raise ValueError(str(error)) from error


class _Change:
    def __init__(self, surgery, wanted, fields):
        self.surgery, self.wanted, self.fields = surgery, wanted, fields
        self.busy = False

    def build(self, optimizer, params, defaults):
        """Change what an optimizer is built with; return True if it was built as another."""
        if self.busy:
            return False
        if self.wanted is not None and type(optimizer) is not self.wanted:
            return self._as_another(optimizer, params, defaults)
        self._set(params, defaults)
        return False

    def _set(self, params, defaults):
        unknown = [name for name in self.fields if name not in defaults]
        if unknown:
            self.surgery.fail("an optimizer has no %s" % ", ".join(unknown))
            return
        defaults.update(self.fields)
        for group in _fields.groups_of(params):
            group.update({k: v for k, v in self.fields.items() if k in group})
        self.surgery.applied(places=1)

    def _as_another(self, optimizer, params, defaults):
        name = type(optimizer).__qualname__
        if not type(optimizer).__module__.startswith("torch.optim"):
            self.surgery.fail("%s is not one of torch's optimizers" % name)
            return False
        taken = _taken(self.wanted)
        kept = {k: defaults[k] for k in KEPT if k in defaults and k in taken}
        for group in _fields.groups_of(params):
            group.update({k: v for k, v in self.fields.items() if k in group})
        self.busy, before = True, type(optimizer)
        try:
            optimizer.__class__ = self.wanted
            optimizer.__init__(params, **{**kept, **self.fields})
        except (TypeError, ValueError) as error:
            optimizer.__class__ = before
            self.surgery.fail("%s cannot be one: %s" % (name, error))
            return False
        finally:
            self.busy = False
        self.surgery.applied(places=1)
        return True
