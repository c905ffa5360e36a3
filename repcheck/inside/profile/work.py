"""The stages of one profile, each kept before the next begins."""

import importlib
import json
import os
import random
import signal
import sys
import threading
import time

from . import build, counts, deploy, inputs, rivals, same, strides, tensors, watch
from .answer import Answer, Problem, last_line, told

SEED = 0
WARM = 2


def work(job_path, answer_path):
    """Do the job that a file describes and leave the answer in another."""
    with open(job_path) as file:
        job = json.load(file)
    answer = Answer(os.path.abspath(answer_path))
    threading.Thread(target=_end_with, args=(job["owner"],), daemon=True).start()
    sys.argv[:] = [job["entry"].partition(":")[0]]
    sys.path.insert(0, job["root"])
    if os.path.isdir(os.path.join(job["root"], "src")):
        sys.path.insert(1, os.path.join(job["root"], "src"))
    try:
        _limited(job["memory_mb"])
        if job["task"] == "measure":
            _measure(job, answer)
        elif job["task"] == "compare":
            same.compare(job, answer, _built)
        else:
            rivals.count(job, answer, _built)
    except Problem as problem:
        answer.fail(problem)
    except BaseException as error:
        answer.fail(told(error, answer.found["stage"] or "the profile", job["root"]))
    answer.put(done=True)
    answer.write()


def _end_with(owner):
    """End this process and its group once the process that asked for it was killed."""
    while True:
        time.sleep(1)
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os.killpg(0, signal.SIGKILL)
        except OSError:
            return


def _limited(megabytes):
    """Let a request for too much memory fail; a GPU's driver asks for far more than it uses."""
    if os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd"):
        return
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        size = int(megabytes * 2**20)
        allowed = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    except (ImportError, AttributeError, ValueError, OSError):
        pass  # no such limit here


def _torch():
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise Problem(
            "no-torch",
            "%s has no torch: %s" % (sys.executable, last_line(error)),
            "name the artifact's interpreter with --python",
        ) from None


def _seeded(torch):
    random.seed(SEED)
    torch.manual_seed(SEED)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(SEED)


def _built(job, answer):
    """Return torch, the model in evaluation mode, inputs that it takes and what it gave."""
    answer.stage("importing torch")
    torch = _torch()
    torch.set_num_threads(1)
    answer.put(torch=str(torch.__version__), python=sys.version.split()[0])
    _seeded(torch)
    answer.stage("building %s" % job["entry"])
    model, remark, place = build.model(torch, job["entry"], job["kwargs"], job["root"])
    if remark:
        answer.note("unwrapped", remark)
    answer.put(place=place, cls=type(model).__name__)
    answer.stage("the first forward pass")
    model.eval()
    fitted, outputs = inputs.fitted(torch, model, job["shape"], job["dtype"], job["root"])
    if not tensors.flat(outputs):
        raise Problem(
            "no-tensor",
            "%s gives out %s, in which there is no tensor" % (job["entry"], _named(outputs)),
            "name the entry of the network itself",
            build.place(type(model), job["root"]),
        )
    return torch, model, fitted, outputs


def _named(outputs):
    return "None" if outputs is None else "a `%s`" % type(outputs).__name__


def _measure(job, answer):
    torch, model, given, outputs = _built(job, answer)
    answer.put(
        device=str(given.device),
        inputs=given.seen(),
        outputs=counts.sizes(outputs),
        parameters=tensors.parameters(model),
    )
    del outputs
    new = importlib.import_module("_repcheck_inside.flop_counter").new
    counting = counts.Counting(torch, new, model, given)
    answer.stage("counting the forward pass")
    _forward(answer, counting)
    answer.stage("counting a training step")
    _step(job, answer, counting)
    for look, words, stage in (
        ("times", "timing the modules", _timed),
        ("operations", "tracing the operations", _traced),
        ("inputs", "counting with other inputs", _varied),
        ("second", "counting a second time, as a check", _checked),
        ("deploy", "building the deploy form", _deployed),
    ):
        if look in job["looks"]:
            answer.stage(words)
            stage(job, answer, counting)


def _forward(answer, counting):
    with watch.Watch(counting.model) as watched:
        found = counting.forward(where=watched.where)
    answer.put(
        forward=counts.plain(found),
        modules=watch.rows(counting.model, found.get("by_module", {}), watched.shapes, {}),
    )
    for error in found.get("errors", ()):
        answer.note("incomplete", "the counter itself failed: %s" % error)
    if not found["forward"]:
        answer.note("zero-flops", "no matrix operation was seen in the forward pass")


def _step(job, answer, counting):
    """Count forward, backward and step in training mode; a failure leaves the rest as it is."""
    model, torch = counting.model, counting.torch
    modes = [(module, module.training) for module in model.modules()]
    model.train()
    optimizer = None
    if job["optimizer"]:
        optimizer = build.optimizer(job["optimizer"], model, job["root"])
    try:
        given, divided = _trainable(counting, answer)
        with tensors.Saved(torch, model) as saved:
            found = counting.step(given, optimizer)
        batch = given[0][0].shape[0] if given[0] else next(iter(given[1].values())).shape[0]
        answer.put(
            train=counts.plain_step(found, batch, divided, optimizer is not None),
            saved_bytes=saved.bytes() // divided,
            without_gradient=counts.without_gradient(model),
        )
    except Problem as problem:
        answer.note("no-training", problem.what)
    except BaseException as error:
        answer.note("no-training", "a training step could not be counted: %s" % last_line(error))
    finally:
        for module, mode in modes:
            module.training = mode
        model.zero_grad(set_to_none=True)


def _trainable(counting, answer):
    """Return inputs that training takes, and how many times the asked-for batch they are."""
    args, kwargs = counting.inputs.made()
    try:
        with counting.torch.no_grad():
            counting.model(*args, **kwargs)
        return (args, kwargs), 1
    except ValueError as error:
        # Batch normalisation refuses one value a channel, as a batch of one may be.
        if "more than 1 value per channel" not in str(error):
            raise
    answer.note(
        "two-samples",
        "batch normalisation cannot train on one sample: the training step was counted with twice"
        " the batch, and halved",
    )
    return counting.inputs.grown(), 2


def _timed(_, answer, counting):
    torch, model = counting.torch, counting.model
    args, kwargs = counting.inputs.made()
    try:
        with torch.no_grad():
            for _ in range(WARM):
                model(*args, **kwargs)
            with watch.Watch(model, _clock(torch, counting.inputs.device)) as watched:
                model(*args, **kwargs)
    except BaseException as error:
        answer.note("incomplete", "the modules could not be timed: %s" % last_line(error))
        return
    shares = watch.rows(model, {}, {}, watched.seconds)
    for row, timed in zip(answer.found["modules"], shares):  # noqa: B905
        row["share"] = timed["share"]


def _clock(torch, device):
    """Return a clock; on a GPU one that waits for what was begun."""
    import time

    if device.type != "cuda":
        return time.perf_counter

    def moment():
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return moment


def _traced(_, answer, counting):
    args, kwargs = counting.inputs.made()
    try:
        trace = importlib.import_module("_repcheck_inside.op_trace")
        tracer = trace.new(counting.torch, counting.model)
        with counting.torch.enable_grad(), tracer:
            counting.model(*args, **kwargs)
        found = tracer.result()
        answer.put(ops=found["ops"], ops_cut=bool(found["cut"]))
    except BaseException as error:
        answer.note("incomplete", "the operations could not be traced: %s" % last_line(error))
    maps = [(op["module"], op["op"], op["shape"]) for op in answer.found.get("ops", ())]
    if not maps:
        maps = [(row["path"], row["cls"], row["shape"][1:]) for row in answer.found["modules"]]
    shape = max((one["shape"] for one in counting.inputs.spec), key=len)
    stages = strides.stages(shape, maps)
    answer.put(stages=stages, stride=strides.last(stages))


def _varied(_, answer, counting):
    """Count with other inputs: a forward pass that branches on values has no one cost."""
    first = answer.found["forward"]["flops"]
    try:
        again = float(counting.forward()["forward"])
        others = [float(counting.forward(draw)["forward"]) for draw in counting.inputs.varied()]
    except BaseException as error:
        answer.note(
            "depends-on-input",
            "the model fails on another input of the same shape: %s" % last_line(error),
        )
        return
    low, high = min([first, again, *others]), max([first, again, *others])
    answer.put(forward_range=[low, high])
    if again != first:
        answer.note("random", "two forward passes on one input cost differently")
    elif low != high:
        answer.note("depends-on-input", "the cost of a forward pass depends on the input's values")


def _checked(_, answer, counting):
    answer.put(second=counting.second())


def _deployed(job, answer, counting):
    try:
        found = deploy.form(counting.torch, counting, job)
    except Problem as problem:
        found = deploy.failed(job["deploy"], "; ".join(filter(None, [problem.what, problem.mend])))
    answer.put(deploy=found)
