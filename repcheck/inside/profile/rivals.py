"""What other counters say, each in a process of its own: some leave their patches behind."""

import importlib
import warnings

from .answer import Problem, last_line


def count(job, answer, built):
    """Leave what one other counter says: `says` in its own unit, `counts` FLOPs or MACs.

    Raises:
        Problem: if it is not installed, or fails.
    """
    counter, module = _COUNTERS[job["task"]]
    try:
        library = importlib.import_module(module)
    except ImportError as error:
        raise Problem("no-rival", last_line(error)) from None
    torch, model, given, _ = built(job, answer)
    args, kwargs = given.made()
    answer.stage("counting with %s" % job["task"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer.put(rival=counter(torch, library, model, args, kwargs))
        except BaseException as error:
            raise Problem("rival-failed", last_line(error)) from None


def _own(torch, library, model, args, kwargs):
    """Return torch's own count without gradients, as an evaluation script would have it."""
    with torch.no_grad(), library.FlopCounterMode(display=False) as counter:
        model(*args, **kwargs)
    says = float(counter.get_total_flops())
    return {
        "name": "torch",
        "version": str(torch.__version__).partition("+")[0],
        "says": says,
        "counts": "FLOPs",
        "ignored": [],
    }


def _fvcore(_, library, model, args, kwargs):
    """Return fvcore's count: its "flops" are multiply-accumulates."""
    if kwargs:
        raise ValueError("fvcore takes no named inputs")
    analysis = library.FlopCountAnalysis(model, args)
    analysis.unsupported_ops_warnings(False)
    analysis.uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    says = float(analysis.total())
    ignored = sorted(str(op) for op in analysis.unsupported_ops())
    return {
        "name": "fvcore",
        "version": _version("fvcore"),
        "says": says,
        "counts": "MACs",
        "ignored": ignored,
    }


def _version(name):
    try:
        return importlib.import_module("importlib.metadata").version(name)
    except Exception:
        return ""


_COUNTERS = {
    "torch": (_own, "torch.utils.flop_counter"),
    "fvcore": (_fvcore, "fvcore.nn"),
}
