"""`module:function` of the artifact: found, called, and checked to be a model."""

import difflib
import importlib
import inspect
import os

from .answer import Problem, below, last_line, told

MOST_FILES = 2000
LEFT_OUT = {"__pycache__", "node_modules", "venv", "site-packages"}


def resolve(entry, root):
    """Return what `module:name` names and its FILE:LINE.

    Raises:
        Problem: if there is no such thing, or importing it fails.
    """
    name, _, attribute = entry.partition(":")
    module = _imported(name, root)
    found = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise _no_attribute(module, found, part, root)
        found = getattr(found, part)
    return found, place(found, root) or below(getattr(module, "__file__", "") or name, root)


def _imported(name, root):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or (missing and name.startswith(missing + ".")):
            raise _no_module(name, root) from None
        raise told(error, "importing %s" % name, root) from error
    except BaseException as error:
        raise told(error, "importing %s" % name, root) from error


def _no_module(name, root):
    known = sorted(_modules(root))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    # A file in a folder is the same mistake as often as a wrong letter.
    tail = [item for item in known if item.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]]
    hint = (tail or near or [""])[0]
    return Problem(
        "no-entry",
        "there is no module `%s` in the artifact's folder" % name,
        "did you mean `%s`?" % hint
        if hint
        else "name it from the folder that --root gives, with dots: `folder.models:function`",
    )


def _modules(root):
    seen = 0
    for folder, folders, files in os.walk(root):
        folders[:] = [item for item in folders if item not in LEFT_OUT and item[:1] != "."]
        for file in files:
            seen += 1
            if seen > MOST_FILES:
                return
            if file.endswith(".py"):
                path = os.path.relpath(os.path.join(folder, file), root)[: -len(".py")]
                yield path.replace(os.sep, ".").replace(".__init__", "")


def _no_attribute(module, found, part, root):
    file = below(getattr(module, "__file__", "") or "", root)
    names = [name for name in dir(found) if callable(getattr(found, name, None))]
    own = [name for name in names if name[:1] != "_"]
    near = difflib.get_close_matches(part, own, n=1, cutoff=0.5)
    if near:
        where = place(getattr(found, near[0]), root)
        hint = "did you mean `%s`%s?" % (near[0], " (%s)" % where if where else "")
    else:
        here = [name for name in own if _made_in(getattr(found, name), module)]
        hint = "it has %s" % ", ".join(here[:8]) if here else "it has no function of its own"
    return Problem("no-entry", "`%s` has no `%s`" % (module.__name__, part), hint, file)


def _made_in(found, module):
    return getattr(found, "__module__", None) == module.__name__


def place(found, root):
    """Return FILE:LINE of a function or class, "" if nobody knows."""
    try:
        target = inspect.unwrap(found) if callable(found) else type(found)
        file = inspect.getsourcefile(target)
        line = inspect.getsourcelines(target)[1]
        return "%s:%d" % (below(file, root), line)
    except Exception:
        return ""


def called(found, entry, where, arguments, kwargs, root):
    """Return what the entry returns.

    Raises:
        Problem: if it refuses its arguments or fails.
    """
    try:
        inspect.signature(found).bind(*arguments, **kwargs)
    except TypeError as error:
        said = "%s takes %s: %s" % (entry, _signature(found), error)
        raise Problem("arguments", said, "give its arguments with --kwargs", where) from None
    except ValueError:
        pass  # nobody knows its signature
    try:
        return found(*arguments, **kwargs)
    except BaseException as error:
        raise told(error, "%s" % entry, root) from error


def _signature(found):
    try:
        return str(inspect.signature(found))[:200]
    except (TypeError, ValueError):
        return "(...)"


def model(torch, entry, kwargs, root):
    """Return the module that an entry builds, the place of the entry, and a remark or "".

    Raises:
        Problem: if there is none.
    """
    found, where = resolve(entry, root)
    if isinstance(found, torch.nn.Module):
        made = found
    elif callable(found):
        made = called(found, entry, where, (), kwargs, root)
    else:
        raise _no_model(entry, found, where, "is")
    return unpacked(torch, made, entry, where) + (where,)


def unpacked(torch, made, entry, where):
    """Return the one module in what an entry returned, and a remark or "".

    Raises:
        Problem: if there is none, or more than one.
    """
    if isinstance(made, torch.nn.Module):
        return made, ""
    items = list(made.values()) if isinstance(made, dict) else made
    if isinstance(items, (list, tuple)):
        inside = [item for item in items if isinstance(item, torch.nn.Module)]
        if len(inside) == 1:
            return inside[0], "%s returns a %s; its one module, %s, is counted" % (
                entry, type(made).__name__, type(inside[0]).__name__,
            )  # fmt: skip
    raise _no_model(entry, made, where, "returns")


def _no_model(entry, made, where, verb):
    named = "None" if made is None else "a `%s`" % type(made).__name__
    return Problem(
        "not-a-model",
        "%s %s %s, not one torch.nn.Module" % (entry, verb, named),
        "name a function that returns the model, or the model's class",
        where,
    )


def optimizer(entry, network, root):
    """Return the optimizer that an entry builds for a model's trainable parameters."""
    found, where = resolve(entry, root)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    given = network if _first(found) in ("model", "net", "network", "module") else weights
    try:
        kwargs = {} if _optional_rate(found) else {"lr": 1e-3}
        return called(found, entry, where, (given,), kwargs, root)
    except Problem as problem:
        raise Problem("optimizer", problem.what, problem.mend, problem.place) from None
    except Exception as error:
        raise Problem("optimizer", last_line(error), "", where) from error


def _first(found):
    try:
        return next(iter(inspect.signature(found).parameters), "")
    except (TypeError, ValueError):
        return ""


def _optional_rate(found):
    try:
        rate = inspect.signature(found).parameters.get("lr")
    except (TypeError, ValueError):
        return True
    return rate is None or rate.default is not inspect.Parameter.empty
