"""The deploy form: a model with its branches merged, made by its own methods or by an entry."""

import copy
import inspect

from . import build
from .answer import Problem, last_line
from .tensors import flat, parameters

METHODS = (
    "switch_to_deploy", "reparameterize", "reparameterise", "reparam", "convert_to_deploy",
    "merge_and_unload", "merge_branches", "fuse_model", "fuse",
)  # fmt: skip
_NOISE = 0.1


def form(torch, counting, job):
    """Return the deploy form's costs, or None where the model has none.

    Raises:
        Problem: if the deploy entry fails.
    """
    if job["deploy"]:
        return _by_entry(torch, counting, job)
    return _by_method(torch, counting)


def _by_entry(torch, counting, job):
    entry, root = job["deploy"], job["root"]
    found, where = build.resolve(entry, root)
    kwargs = {name: value for name, value in job["kwargs"].items() if _takes(found, name)}
    reference = None
    arguments = ()
    if _wants_model(found, kwargs):
        reference = _shaken(torch, counting)
        arguments = (copy.deepcopy(reference),)
    if isinstance(found, torch.nn.Module):
        made = found
    else:
        made = build.called(found, entry, where, arguments, kwargs, root)
    model, _ = build.unpacked(torch, made, entry, where)
    model.eval()
    return _described(torch, counting, entry, reference, model)


def _takes(found, name):
    try:
        taken = inspect.signature(found).parameters
    except (TypeError, ValueError):
        return True
    return name in taken or any(one.kind == one.VAR_KEYWORD for one in taken.values())


def _wants_model(found, kwargs):
    """Return whether an entry converts a model instead of building one."""
    try:
        taken = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in taken if p.default is p.empty and p.kind in kinds]
    return bool(needed) and needed[0].name not in kwargs


def _by_method(torch, counting):
    names = [name for name in METHODS if any(_has(m, name) for m in counting.model.modules())]
    if not names:
        return None
    try:
        reference = _shaken(torch, counting)
    except BaseException as error:
        return failed(names[0], "the model could not be copied: %s" % last_line(error))
    said = ""
    for name in names:
        try:
            model = _switched(torch, copy.deepcopy(reference), name)
            model.eval()
            return _described(torch, counting, name + "()", reference, model)
        except BaseException as error:
            said = said or last_line(error)
    return failed(names[0], said)


def _has(module, name):
    return callable(getattr(type(module), name, None))


def _switched(torch, model, name):
    """Call the method on the model, else on every part that has it."""
    if _has(model, name):
        found = getattr(model, name)()
        return found if isinstance(found, torch.nn.Module) else model
    for module in list(model.modules()):
        if _has(module, name):
            getattr(module, name)()
    return model


def _shaken(torch, counting):
    """Return a copy with running statistics and weights as training leaves them, not as new.

    A new normalisation does nothing, and a gate that starts at zero hides its branch: merging
    them would be right by accident.
    """
    model = copy.deepcopy(counting.model)
    args, kwargs = counting.inputs.grown()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(3)
        for weight in model.parameters():
            if weight.is_floating_point():
                noise = torch.randn(weight.shape, generator=generator)
                weight.add_((_NOISE * noise * _spread(weight)).to(weight.device, weight.dtype))
        model.train()
        try:
            model(*args, **kwargs)
        except Exception:
            pass  # its statistics stay as they are; the comparison is still right
    return model.eval()


def _spread(weight):
    spread = weight.detach().float().std(unbiased=False).item()
    return spread if 0 < spread < 1e6 else 1.0


def _described(torch, counting, how, reference, model):
    found = counting.forward(model=model)
    return {
        "how": how,
        "parameters": parameters(model),
        "flops": float(found["forward"]),
        "difference": None if reference is None else _difference(torch, counting, reference, model),
        "why": "" if reference is not None else "two builds have weights of their own",
    }


def _difference(torch, counting, reference, model):
    """Return the largest difference of outputs, relative to the largest output."""
    args, kwargs = counting.inputs.made(7)
    with torch.no_grad():
        before, after = flat(reference(*args, **kwargs)), flat(model(*args, **kwargs))
    if [item.shape for item in before] != [item.shape for item in after]:
        raise Problem("deploy", "its outputs have other shapes than those of the training form")
    worst = 0.0
    for one, other in zip(before, after):  # noqa: B905
        scale = one.double().abs().max().item() if one.numel() else 0.0
        apart = (one.double() - other.double()).abs().max().item() if one.numel() else 0.0
        worst = max(worst, apart / scale if scale else apart)
    return worst


def failed(how, why):
    """Return the answer where there should be a deploy form and none could be made."""
    return {"how": how, "parameters": None, "flops": None, "difference": None, "why": why}
