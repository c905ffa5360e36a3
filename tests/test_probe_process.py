"""The process side of the probe: real scripts, and what is written of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from probe_support import (
    INSIDE,
    Raw,
    observe_raw,
    probe_env,
    read_records,
    run_plain,
)

FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def quiet(seen: Raw) -> None:
    """The script ended well, said nothing on stderr, and the probe had no errors."""
    assert (seen.rc, seen.err) == (0, "")
    assert seen.of("error") == []


def test_a_record_begins_and_ends_with_what_the_process_was(tmp_path: Path) -> None:
    seen = observe_raw(
        "import sys; print(sys.argv[1])", tmp_path, argv=("hello",), env={"RANK": "1"}
    )
    quiet(seen)
    assert seen.out == "hello\n"
    start, *_, end = seen.main.events
    assert (start["k"], start["v"], start["parent"]) == ("start", 1, "")
    assert start["argv"][-2:] == [str(tmp_path / "script.py"), "hello"]
    assert start["env"] == {"RANK": "1"}
    assert start["cwd"] == str(tmp_path)
    assert seen.main.base.startswith(f"{start['pid']}-")
    assert (end["k"], end["reason"], end["steps"]) == ("end", "exit", 0)
    assert end["rss_kb"] > 1000
    assert end["cpu"] > 0


@pytest.mark.parametrize("script", [
    "import sys; print(sys.path, sorted(sys.modules) == [], sys.flags, __name__, dir())",
    "import random; random.seed(3); print(random.random(), random.Random(4).random())",
    "import sys; print(sys.excepthook is sys.__excepthook__, 'sitecustomize' in sys.modules)",
    "import sys; print([n for n in ('json', 'random', 'struct', 'types') if n in sys.modules])",
    "import os; print(os.open('script.py', os.O_RDONLY), os.dup(1))",
    "import sitecustomize",
    "import sys; sys.exit(3)",
    "import sys; sys.exit('words')",
    "import os; print('x', flush=True); os._exit(4)",
    "1 / 0",
    "raise KeyboardInterrupt",
    "import sys; sys.excepthook = lambda *a: print('mine', a[0]); 1 / 0",
    "import sys; sys.meta_path[:] = [f for f in sys.meta_path if isinstance(f, type)]; import csv",
    "import os; os.closerange(3, 1100); import colorsys; print(open('script.py').read())",
    "import inspect, random; print(inspect.signature(random.seed), random.seed.__name__)",
    "import importlib, random; importlib.reload(random); random.seed(1); print(random.random())",
])  # fmt: skip
def test_a_script_prints_and_ends_just_as_it_does_without_a_probe(
    script: str, tmp_path: Path
) -> None:
    plain = run_plain(script, tmp_path)
    seen = observe_raw(script, tmp_path)
    assert (seen.out, seen.err, seen.rc) == (plain.out, plain.err, plain.rc)
    assert seen.of("error") == []
    assert seen.main.of("end")


def test_a_patch_that_breaks_pickling_would_be_seen(tmp_path: Path) -> None:
    script = """
        import pickle, random, os
        for function in (random.seed, os._exit):
            assert b"repcheck" not in pickle.dumps(function)
            assert pickle.loads(pickle.dumps(function)) is not None
    """
    quiet(observe_raw(script, tmp_path))


@pytest.mark.parametrize("args", [("-W", "error"), ("-X", "dev"), ("-O",), ("-s",), ("-B",)])
def test_strict_interpreters_find_nothing_to_say(args: tuple[str, ...], tmp_path: Path) -> None:
    seen = observe_raw("import random, json; random.seed(1)", tmp_path, python_args=args)
    quiet(seen)
    assert len(seen.of("seed")) == 1


@pytest.mark.parametrize("args", [("-I",), ("-E",), ("-S",)])
def test_an_isolated_interpreter_runs_on_without_a_record(
    args: tuple[str, ...], tmp_path: Path
) -> None:
    seen = observe_raw("print(1)", tmp_path, python_args=args)
    assert (seen.out, seen.err, seen.rc, seen.processes) == ("1\n", "", 0, [])


@pytest.mark.parametrize("script", ["import sys; sys.exit(3)", "1 / 0", "import os; os._exit(3)"])
def test_every_end_is_told(script: str, tmp_path: Path) -> None:
    seen = observe_raw(script, tmp_path)
    assert [e["type"] for e in seen.of("exception")] == ["ZeroDivisionError"] * (script == "1 / 0")
    assert seen.of("end")[0]["reason"] == ("_exit" if "os" in script else "exit")


def test_an_exception_is_told_though_the_artifact_has_its_own_hook(tmp_path: Path) -> None:
    seen = observe_raw(
        "import sys\nsys.excepthook = print\nraise ValueError('no ' * 999)", tmp_path
    )
    [error] = seen.of("exception")
    assert (error["type"], error["msg"]) == ("ValueError", ("no " * 999)[:300])


def test_a_closed_stderr_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import sys; print(sys.stderr)")
    line = f"{sys.executable} s.py 2>&-"
    folders = (tmp_path / "none", tmp_path)
    done = [
        subprocess.run(line, shell=True, cwd=tmp_path, env=probe_env(folder), capture_output=True,
                       check=False)
        for folder in folders
    ]  # fmt: skip
    assert [(d.returncode, d.stdout) for d in done] == [(0, b"None\n")] * 2


@pytest.mark.parametrize("what", ["missing", "a file", "read-only"])
def test_a_probe_that_cannot_record_says_one_line_and_the_script_runs(
    what: str, tmp_path: Path
) -> None:
    folder = tmp_path / "gone"
    if what == "a file":
        folder.write_text("")
    elif what == "read-only":
        folder = Path("/proc/self")
    seen = observe_raw("print('ran')", tmp_path, env={"REPCHECK_PROBE_OUT": str(folder)})
    assert (seen.out, seen.rc) == ("ran\n", 0)
    assert seen.err.startswith("repcheck: the probe did not start: ")
    assert seen.err.count("\n") == 1


def test_a_broken_probe_says_one_line_and_the_script_runs(tmp_path: Path) -> None:
    shutil.copytree(INSIDE, tmp_path / "inside")
    (tmp_path / "inside" / "probe" / "seeds.py").write_text("def install(:")
    path = str(tmp_path / "inside" / "path")
    seen = observe_raw("print('ran')", tmp_path, env={"PYTHONPATH": path, "REPCHECK_PROBE_OUT": ""})
    assert (seen.out, seen.err) == ("ran\n", "")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, "REPCHECK_PROBE_OUT": str(tmp_path / "out")},
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("ran\n", 0)
    assert "SyntaxError" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("module", [
    "print('mine', __name__, __file__); kept = 5",
    "import no_such_module_at_all",
    "1 / 0",
    "raise ImportError('odd')",
])  # fmt: skip
def test_the_artifacts_own_sitecustomize_runs_as_it_would(module: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "sitecustomize.py").write_text(module)
    script = """
        import sys
        print(sys.modules.get("sitecustomize"), [p for p in sys.path if "inside" in p])
        try:
            import sitecustomize
            print(sitecustomize.kept, sitecustomize.__spec__.name)
        except Exception as error:
            print(repr(error))
    """
    seen = observe_raw(script, tmp_path, env={"PYTHONPATH": str(mine)})
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**probe_env(tmp_path), "PYTHONPATH": str(mine)},
    )  # fmt: skip
    assert (seen.out, seen.err, seen.rc) == (done.stdout, done.stderr, done.returncode)
    assert seen.main.of("end")


@pytest.mark.parametrize("name", ["json", "random", "struct", "types2", "recorder", "mmap"])
def test_modules_named_like_the_standard_ones_stay_the_artifacts_own(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.py").write_text("def seed(value): return ('mine', value)\n")
    seen = observe_raw(f"import {name}, math; print({name}.seed(4), {name}.__file__)", tmp_path)
    quiet(seen)
    assert seen.out == f"('mine', 4) {tmp_path / name}.py\n"


def test_steps_rows_and_indices_are_written_as_they_are(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        from _repcheck_inside.recorder import rec
        import struct
        for step in range(1, 1001):
            rec.step = step
            rec.put_step(step / 100, .1, .2, 0., 1.5, step, *range(11))
        rec.put_rows(4, 1, 7, 0, 2, struct.pack("<2Q", 5, 2**64 - 1))
        rec.put_indices(3, 1, 2, struct.pack("<2q", 11, -1))
        rec.event("kind", kind="x", self="y", text="\\u20ac\\ud800" * 900, many={1: (2, None)})
        rec.event("odd", nan=float("nan"), big=10**9999, deep=[[[[[[[[[[1]]]]]]]]]], obj=object)
        """,
        tmp_path,
    )
    quiet(seen)
    assert [step["step"] for step in seen.main.steps] == list(range(1, 1001))
    assert seen.main.steps[0]["lr_last"] == 0.2
    [block] = seen.main.rows
    assert (block.layer, block.id, block.step, block.hashes) == (4, 7, 1000, (5, 2**64 - 1))
    assert seen.main.indices == [(3, 1, (11, -1))]
    [event] = seen.main.of("kind")
    assert (event["kind"], event["text"], event["many"]) == (
        "x", "\u20ac\ud800" * 150, {"1": [2, None]}
    )  # fmt: skip
    assert len(seen.main.of("odd")) == 1
    assert seen.main.of("beat")


@FORK
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_written_is_there_after_a_kill(how: signal.Signals, tmp_path: Path) -> None:
    seen = observe_raw(
        f"""
        import os, random
        from _repcheck_inside.recorder import rec
        for seed in range(50):
            random.seed(seed)
            rec.put_step(seed / 1e6, .1, .2, 0., 1.5, seed + 1, *range(11))
        os.kill(os.getpid(), {int(how)})
        """,
        tmp_path,
    )
    assert seen.rc == -how
    assert [event["v"] for event in seen.of("seed")] == list(range(50))
    assert len(seen.main.steps) == 50
    assert seen.of("end") == []


@FORK
def test_a_kill_from_outside_loses_a_moment_at_most(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text(
        "import time\nfrom _repcheck_inside.recorder import rec\nfor i in range(1, 10**6):\n"
        "    rec.put_step(rec.now(), .1, .2, 0., 1.5, i, *range(11))\n"
        "    print(i, flush=True)\n    time.sleep(.001)\n"
    )
    child = subprocess.Popen(
        [sys.executable, script], env=probe_env(tmp_path), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= 300:
            break
    child.kill()
    rest = child.communicate()[0].split()
    last = int(rest[-1]) if rest else 300
    [process] = read_records(tmp_path)
    assert last - 40 <= len(process.steps) <= last + 1  # 20 ms, at about 1 ms a step


@FORK
def test_forks_have_records_of_their_own(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import os, random, sys
        random.seed(1)
        for _ in range(2):
            if not os.fork():
                random.seed(2)
                if not os.fork():
                    random.seed(3)
                    sys.exit()
                os.wait()
                sys.exit()
            os.wait()
        random.seed(4)
        """,
        tmp_path,
    )
    quiet(seen)
    assert [e["v"] for e in seen.main.of("seed")] == [1, 4]
    values = {p.base: [e["v"] for e in p.of("seed")] for p in seen.processes}
    assert sorted(map(tuple, values.values())) == [(1, 4), (2,), (2,), (3,), (3,)]
    for process in seen.processes[1:]:
        parent = process.events[0]["parent"]
        assert values[parent] == ([1, 4] if values[process.base] == [2] else [2])
        assert len(process.of("end")) == 1


@FORK
@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_are_seen_to_their_end(way: str, tmp_path: Path) -> None:
    seen = observe_raw(
        f"""
        import multiprocessing, random
        def work(queue, n):
            random.seed(n)
            queue.put(sum(range(n)))
        if __name__ == "__main__":
            context = multiprocessing.get_context("{way}")
            queue = context.Queue()
            workers = [context.Process(target=work, args=(queue, n)) for n in (3, 4)]
            [worker.start() for worker in workers]
            print(sorted(queue.get() for _ in workers))
            [worker.join() for worker in workers]
            print([worker.exitcode for worker in workers])
        """,
        tmp_path,
    )
    quiet(seen)
    assert seen.out == "[3, 6]\n[0, 0]\n"
    worked = [p for p in seen.processes if p.of("seed")]
    assert sorted(p.of("seed")[0]["v"] for p in worked) == [3, 4]
    assert all(p.of("end") for p in worked)


@FORK
def test_a_program_that_takes_the_place_of_a_process_is_told(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import os, sys
        if len(sys.argv) == 1:
            try:
                os.execv("/no/such/program", ["x"])
            except OSError:
                pass
            os.execvp("env", ["env", sys.executable, __file__, "again"])
        print("second")
        """,
        tmp_path,
    )
    quiet(seen)
    assert seen.out == "second\n"
    first, second = seen.processes
    assert [e["reason"] for e in first.of("end")] == ["exec"]
    assert first.events[0]["pid"] == second.events[0]["pid"]
    assert [e["reason"] for e in second.of("end")] == ["exit"]


def test_the_artifacts_own_files_under_our_descriptors_stay_exact(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import os, random
        from _repcheck_inside.recorder import rec
        rec.put_step(1., .1, .2, 0., 1.5, 1, *range(11))
        rec.put_step(2., .1, .2, 0., 1.5, 2, *range(11))
        mine = [file.fd for file in rec.files.values()]
        assert len(mine) == 2
        for fd in mine:
            os.close(fd)
            temporary = os.open("own%d" % fd, os.O_WRONLY | os.O_CREAT)
            os.dup2(temporary, fd)
        random.seed(5)
        rec.put_step(3., .1, .2, 0., 1.5, 3, *range(11))
        for fd in mine:
            os.write(fd, b"exact")
            assert os.fstat(fd).st_size == 5
        rec.put_step(4., .1, .2, 0., 1.5, 4, *range(11))
        """,
        tmp_path,
    )
    quiet(seen)
    assert [p.read_bytes() for p in tmp_path.glob("own*")] == [b"exact"] * 2
    assert len(seen.of("seed")) == 1
    assert len(seen.main.steps) == 4
    assert seen.of("end")


def test_a_change_of_folder_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    seen = observe_raw(
        "import os; os.chdir('other'); open('a', 'w').close(); os.closerange(3, 999); open(b'a')",
        tmp_path,
        env={"REPCHECK_PROBE_OUT": "record"},
    )
    assert [(e["p"], e["w"]) for e in seen.of("open")] == [
        (str(tmp_path / "other" / "a"), True),
        (str(tmp_path / "other" / "a"), False),
    ]


OPENS = """
    import os, pathlib, sys, tempfile
    pathlib.Path("data.csv").write_text("1")
    open(b"data.csv").close()
    open("../" + os.getcwd().rsplit("/", 1)[1] + "/data.csv").close()
    os.close(os.open(pathlib.Path("low.bin"), os.O_RDWR | os.O_CREAT))
    open(os.dup(1), "w").close()
    for name in ("none.csv", "no/folder.csv"):
        try:
            open(name, "a" if "/" in name else "r")
        except OSError:
            pass
    import email.mime.text
    open("/proc/self/stat").close(), open(os.__file__).close(), open("/dev/null").close()
    open("helper.py", "w").close()
    os.close(os.open(".", os.O_RDONLY))
"""


def test_files_are_told_once_with_their_whole_path(tmp_path: Path) -> None:
    seen = observe_raw(OPENS, tmp_path)
    quiet(seen)
    assert [(e["p"], e["w"]) for e in seen.of("open")] == [
        (f"{tmp_path}/data.csv", True),
        (f"{tmp_path}/data.csv", False),
        (f"{tmp_path}/low.bin", True),
    ]


def test_no_more_files_are_told_than_the_record_holds(tmp_path: Path) -> None:
    script = "for i in range(5100): open('f%d' % i, 'w').close()"
    seen = observe_raw(script, tmp_path)
    quiet(seen)
    assert len(seen.of("open")) == 5000


def test_connections_are_told_but_not_those_within_the_machine(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import os, socket
        mine = socket.socket()
        mine.bind(("127.0.0.1", 0)), mine.listen()
        socket.create_connection(mine.getsockname())
        socket.create_connection(("localhost", mine.getsockname()[1]))
        a, b = socket.socketpair()
        try:
            socket.getaddrinfo(socket.gethostname(), 80)
        except OSError:
            pass
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(3):
            try:
                out.connect(("192.0.2.7", 9))
            except OSError:
                pass
        try:
            socket.getaddrinfo("data.invalid", 443)
        except OSError:
            pass
        """,
        tmp_path,
    )
    assert seen.rc == 0
    assert [(e["op"], e["host"], e["port"]) for e in seen.of("net")] == [
        ("connect", "192.0.2.7", 9),
        ("lookup", "data.invalid", 443),
    ]


PROGRAMS = [
    ("subprocess.run([sys.executable, '-c', 'pass'])", ""),
    ("subprocess.run([sys.executable, '-Ic', 'pass'])", "-I"),
    ("subprocess.run([sys.executable, '-W', 'ignore', '-BS', '-c', 'pass'])", "-S"),
    ("subprocess.run([sys.executable, '-c', 'pass', '-I'])", ""),
    ("subprocess.run([sys.executable, '-Xdev', '-WIES', '-c', 'pass'])", ""),
    ("subprocess.run([sys.executable, '-c', 'pass'], env={})", "REPCHECK_PROBE_OUT"),
    ("subprocess.run([sys.executable, '-c', 'pass'], env={**os.environ, 'PYTHONPATH': 'src'})",
     "another PYTHONPATH"),
    ("os.environ.pop('REPCHECK_PROBE_OUT'); subprocess.run([sys.executable, '-c', 'pass'])",
     "REPCHECK_PROBE_OUT"),
    ("del os.environ['PYTHONPATH']; os.system(sys.executable + ' -c pass')", "PYTHONPATH"),
    ("os.system('cd . && PYTHONPATH=src python -c pass')", "another PYTHONPATH"),
    ("os.system('PYTHONPATH=src:$PYTHONPATH python -c pass')", ""),
    ("subprocess.run('true; env -i python -E -c pass', shell=True)", "-E"),
    ("subprocess.run('true | nice python -c pass', shell=True)", ""),
    ("subprocess.run(['env', '-i', sys.executable, '-c', 'pass'])", "REPCHECK_PROBE_OUT"),
    ("subprocess.run('true')", ""),
    ("os.spawnv(os.P_WAIT, sys.executable, ['python', '-I', '-c', 'pass'])", "-I"),
    ("os.posix_spawn(sys.executable, ['python', '-I', '-c', 'pass'], {}); os.wait()", "-I"),
    ("os.execv(sys.executable, ['python', '-I', '-c', 'pass'])", "-I"),
    ("os.system('false && python2.7 x.py')", "older than Python 3.8"),
    ("os.system('false && python3.6 x.py')", "older than Python 3.8"),
]  # fmt: skip


@FORK
@pytest.mark.parametrize(("line", "why"), PROGRAMS)
def test_a_python_that_will_run_without_the_probe_is_told_with_the_reason(
    line: str, why: str, tmp_path: Path
) -> None:
    seen = observe_raw(f"import os, shutil, subprocess, sys\n{line}", tmp_path)
    assert seen.rc == 0
    assert seen.of("error") == []
    [program] = seen.of("proc")
    assert why in program["unseen"]
    assert bool(why) == bool(program["unseen"])
    if "sys.executable, '-" in line and "'env'" not in line:
        others = [p for p in seen.processes if "-c" in p.events[0]["argv"]]
        assert bool(others) == (not why)


def test_seeds_are_told_and_change_nothing(tmp_path: Path) -> None:
    script = """
        import random, hashlib
        random.seed(7)
        import numpy, torch
        import scipy.stats, sklearn.datasets
        numpy.random.seed(numpy.int64(8)); numpy.random.default_rng(9); random.seed()
        random.seed("x" * 999)
        torch.manual_seed(10); torch.random.manual_seed(seed=11); torch.cuda.manual_seed_all(12)
        sklearn.datasets.make_classification(random_state=4)
        random.seed(7)
        values = [random.random(), *numpy.random.rand(5), *torch.rand(5).tolist()]
        print(values, torch.initial_seed())
    """
    plain, seen = run_plain(script, tmp_path), observe_raw(script, tmp_path)
    assert [(e["lib"], e["v"]) for e in seen.of("seed")] == [
        ("python", 7), ("numpy", 8), ("numpy.generator", 9), ("python", None),
        ("python", "x" * 300), ("torch", 10), ("torch", 11), ("cuda", 12), ("python", 7),
    ]  # fmt: skip
    assert (seen.out, seen.err) == (plain.out, plain.err)
    assert {e["name"] for e in seen.of("module")} >= {"numpy", "torch", "scipy", "sklearn"}


def test_a_librarys_seed_everything_counts_but_its_private_seeds_do_not(tmp_path: Path) -> None:
    library = tmp_path / "site-packages" / "framework"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(
        "import random\ndef seed_everything(s):\n    random.seed(s)\n"
        "def train():\n    random.seed(0)\ndef seed_worker(i):\n    random.seed(i)\n"
    )
    script = "from framework import *\nseed_everything(5), train(), seed_worker(6)"
    seen = observe_raw(script, tmp_path, env={"PYTHONPATH": str(tmp_path / "site-packages")})
    quiet(seen)
    assert [e["v"] for e in seen.of("seed")] == [5]


def test_workers_of_a_loader_have_records_and_no_seeds_of_their_own(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import torch
        class Data(torch.utils.data.Dataset):
            def __len__(self): return 8
            def __getitem__(self, i):
                return float(open("v.txt").read()) + i
        open("v.txt", "w").write("1")
        loader = torch.utils.data.DataLoader(Data(), batch_size=2, num_workers=2)
        print(sum(float(batch.sum()) for batch in loader))
        """,
        tmp_path,
    )
    assert seen.rc == 0
    assert seen.out == "36.0\n"
    assert seen.of("seed") == []
    workers = [p for p in seen.processes if p.events[0]["parent"] == seen.main.base]
    assert len(workers) == 2
    assert all(p.of("open")[0]["p"] == f"{tmp_path}/v.txt" for p in workers)
    assert all(len(p.of("end")) == 1 for p in workers)


def test_calls_of_estimators_are_told_once_with_their_rows(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import copy, pickle
        import numpy as np
        from sklearn.base import BaseEstimator, ClassifierMixin, clone
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        X = np.random.default_rng(0).normal(size=(60, 4))
        X[:10] = X[50:]
        y = (X[:, 0] > 0).astype(int)
        pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:50], y[:50])
        pipe.predict(X[50:])
        pipe.score(X=X[50:], y=y[50:])
        assert not hasattr(make_pipeline(StandardScaler()), "predict")
        assert not hasattr(SVC(), "nothing")
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2).fit(X, y)

        class Mine(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.inner_ = LogisticRegression().fit(X, y)
                return self
            def predict(self, X):
                return self.inner_.predict(X)
        mine = Mine().fit(X.tolist(), y)
        assert not hasattr(Mine.fit, "__repcheck__")
        for made in (pipe, mine, clone(pipe), copy.deepcopy(pipe)):
            assert b"repcheck" not in pickle.dumps(made)
            pickle.loads(pickle.dumps(made))
        """,
        tmp_path,
    )
    quiet(seen)
    calls = [(e["cls"].rsplit(".", 1)[1], e["method"], e["n"]) for e in seen.of("fit")]
    assert calls == [
        ("Pipeline", "fit", 50), ("Pipeline", "predict", 10), ("Pipeline", "score", 10),
        ("GridSearchCV", "fit", 60), ("LogisticRegression", "fit", 60),
    ]  # fmt: skip
    fit, predict = seen.main.rows[:2]
    assert [(b.layer, b.id, len(b.hashes)) for b in (fit, predict)] == [(6, 1, 50), (7, 1, 10)]
    assert len(set(fit.hashes) & set(predict.hashes)) == 10


def test_rows_of_any_kind_of_table_are_counted_and_numbers_are_hashed(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import numpy as np, pandas, scipy.sparse
        from sklearn.dummy import DummyClassifier
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.neighbors import KNeighborsClassifier
        X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
        model = KNeighborsClassifier().fit(X, y)
        model.predict(pandas.DataFrame(X).to_numpy()[:3])
        DummyClassifier().fit(pandas.DataFrame(X, columns=["a", "b"]), y)
        DummyClassifier().fit(scipy.sparse.csr_matrix(X), y)
        DummyClassifier().fit(pandas.DataFrame({"a": ["x"] * 20, "b": X[:, 0]}), y)
        DummyClassifier().fit(np.full((20, 1), "x"), y)
        CountVectorizer().fit_transform(["some", "more words"])
        CountVectorizer().fit(text for text in ["some"])
        try:
            model.predict()
        except TypeError as error:
            print(error)
        """,
        tmp_path,
    )
    quiet(seen)
    assert seen.out.endswith("missing 1 required positional argument: 'X'\n")
    assert [e["n"] for e in seen.of("fit")] == [20, 3, 20, 20, 20, 20, 2, 0, 0]
    fit, predict, frame = seen.main.rows
    assert (len(fit.hashes), fit.hashes[:3], fit.hashes) == (20, predict.hashes, frame.hashes)


def test_estimators_compute_the_same_with_and_without_a_probe(tmp_path: Path) -> None:
    script = """
        import hashlib, pickle
        from sklearn.datasets import load_digits
        from sklearn.ensemble import RandomForestClassifier, VotingClassifier
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.neural_network import MLPClassifier
        X, y = load_digits(return_X_y=True)
        X, y = X[:300], y[:300]
        made = [RandomForestClassifier(5, random_state=1, n_jobs=2), KNeighborsClassifier(),
                MLPClassifier((8,), max_iter=5, random_state=2)]
        import warnings; warnings.simplefilter("ignore")
        vote = VotingClassifier([(str(i), m) for i, m in enumerate(made)], voting="soft")
        print(hashlib.sha256(vote.fit(X, y).predict_proba(X).tobytes()).hexdigest())
        print(hashlib.sha256(pickle.dumps(vote)).hexdigest())
    """
    plain, seen = run_plain(script, tmp_path), observe_raw(script, tmp_path)
    quiet(seen)
    assert seen.out == plain.out
    assert len(seen.of("fit")) == 2


BUSY = """
    import os, random, shutil, sys
    from _repcheck_inside.recorder import rec
    def work(n):
        for i in range(n):
            random.seed(i)
            rec.put_step(rec.now() + i, .1, .2, 0., 1.5, i + 1, *range(11))
            rec.put_rows(1, 0, 0, 0, 1, b"12345678")
            rec.put_indices(0, 1, 1, b"12345678")
    folder = os.environ["REPCHECK_PROBE_OUT"]
    work(3)
"""


@pytest.mark.parametrize("deed", [
    "shutil.rmtree(folder)",
    "shutil.rmtree(folder); open(folder, 'w').write('mine')",
    "os.rename(folder, folder + '2'); os.mkdir(folder); os.closerange(3, 1100)",
    "[open(os.path.join(folder, f), 'w').write('garbage') for f in os.listdir(folder)]",
    "[os.truncate(os.path.join(folder, f), 5) for f in os.listdir(folder)]",
    "[os.unlink(os.path.join(folder, f)) for f in os.listdir(folder)]; os.closerange(3, 1100)",
    "os.chmod(folder, 0); os.closerange(3, 1100)",
])  # fmt: skip
def test_a_record_folder_that_is_spoilt_hurts_nobody(deed: str, tmp_path: Path) -> None:
    script = f"{BUSY}    {deed}\n    work(50)\n    print('done', random.random())\n"
    seen = observe_raw(script, tmp_path)
    seen.folder.chmod(0o755) if seen.folder.exists() else None
    assert (seen.out, seen.err, seen.rc) == (f"done {Random(49).random()}\n", "", 0)
    if "'mine'" in deed:
        assert seen.folder.read_text() == "mine"


def test_a_file_that_takes_the_place_of_ours_is_never_written_to(tmp_path: Path) -> None:
    script = BUSY + (
        "    for f in os.listdir(folder):\n"
        "        os.unlink(folder + '/' + f)\n"
        "        open(folder + '/' + f, 'w').write('mine')\n"
        "    os.closerange(3, 1100)\n    work(3)\n"
    )
    seen = observe_raw(script, tmp_path)
    assert (seen.err, seen.rc) == ("", 0)
    assert {path.read_text() for path in seen.folder.iterdir()} == {"mine"}


@FORK
def test_a_file_size_limit_ends_the_record_and_not_the_script(tmp_path: Path) -> None:
    script = BUSY + (
        "    import resource\n    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "    work(500)\n    print('done', rec.on)\n"
    )
    seen = observe_raw(script, tmp_path)
    assert (seen.out, seen.err, seen.rc) == ("done False\n", "", 0)
    assert max(path.stat().st_size for path in seen.folder.iterdir()) <= 3000
    assert len(seen.main.of("seed")) >= 3


def test_a_record_that_outgrows_its_room_says_so_and_goes_on(tmp_path: Path) -> None:
    script = BUSY + (
        "    for suffix in ('steps', 'rows', 'idx'):\n"
        "        rec._file(suffix).room = 800\n    rec.hashed = 99\n    work(97)\n"
        "    for i in range(97):\n        rec.put_step(1e6 * i, .1, .2, 0., 1.5, 7, *range(11))\n"
    )
    seen = observe_raw(script, tmp_path)
    assert (seen.err, seen.rc) == ("", 0)
    assert sorted(e["where"] for e in seen.of("error")) == [
        "idx is full", "rows is full", "steps is full"
    ]  # fmt: skip
    assert {path.stat().st_size <= 800 for path in seen.folder.glob("*-*.[ris]*")} == {True}
    [end] = seen.of("end")
    assert end["skipped"] + end["hashed"] == 99
    assert end["skipped"] > 0


@FORK
def test_a_full_disk_ends_the_record_and_not_the_script(tmp_path: Path) -> None:
    disk = tmp_path / "record"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        seen = observe_raw(f"{BUSY}    work(2000)\n    print('done', rec.on)", tmp_path)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert (seen.out, seen.err, seen.rc) == ("done False\n", "", 0)
    assert len(seen.main.steps) > 50
    assert len(seen.main.of("seed")) > 50


def test_modules_are_met_right_after_their_own_code_ran(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("value = 1\n")
    (tmp_path / "spaced").mkdir()
    (tmp_path / "spaced" / "inner.py").write_text("value = 2\n")
    (tmp_path / "fails.py").write_text("value = 3\n1 / 0\n")
    seen = observe_raw(
        """
        import importlib, importlib.util, sys, threading, zipfile
        with zipfile.ZipFile("packed.zip", "w") as packed:
            packed.writestr("zipped/__init__.py", "from . import part\\nvalue = 4")
            packed.writestr("zipped/part.py", "value = 5")
        sys.path.append("packed.zip")
        from _repcheck_inside import imports
        met = []
        tell = lambda module: met.append((module.__name__, getattr(module, "value", None)))
        for name in ("plain", "spaced.inner", "fails", "zipped", "zipped.part", "spaced"):
            imports.when_imported(name, tell)
        imports.when_imported("plain", tell, again=True)
        imports.when_imported("plain", lambda module: 1 / 0)
        assert importlib.util.find_spec("plain").name == "plain"
        assert met == []
        threads = [threading.Thread(target=lambda: __import__("plain")) for _ in range(4)]
        [thread.start() for thread in threads], [thread.join() for thread in threads]
        import plain
        assert met == [("plain", 1)] * 2, met
        assert "exec_module" not in vars(plain.__loader__)
        importlib.reload(plain)
        assert met == [("plain", 1)] * 3, met
        del sys.modules["plain"]
        from plain import value
        assert met == [("plain", 1)] * 4, met
        met.clear()
        from spaced.inner import value
        try:
            import fails
        except ZeroDivisionError:
            pass
        import zipped
        import colorsys
        assert sorted(met)[-3:] == [("spaced.inner", 2), ("zipped", 4), ("zipped.part", 5)], met
        assert not any(name == "fails" for name, _ in met)
        imports.when_imported("json", tell)
        imports.when_imported("sys", tell)
        assert met[-1][0] == "sys"
        """,
        tmp_path,
    )
    assert (seen.rc, seen.err) == (0, "")
    [error] = seen.of("error")
    assert "ZeroDivisionError" in error["err"]


def test_a_module_may_be_asked_for_while_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text("import outer\nvalue = 1\n")
    (tmp_path / "outer.py").write_text(
        "from _repcheck_inside import imports\nmet = []\n"
        "imports.when_imported('asked', lambda module: met.append(module.value))\n"
    )
    seen = observe_raw(
        """
        import asked, outer
        assert outer.met == []
        import colorsys
        assert outer.met == [1]
        from _repcheck_inside import imports
        def again(module):
            imports.when_imported("csv", lambda module: outer.met.append(module.__name__))
        imports.when_imported("csv", again)
        import csv
        assert outer.met == [1, "csv"]
        """,
        tmp_path,
    )
    quiet(seen)


def test_patches_are_put_on_and_off_and_missed_when_replaced(tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import functools, types
        from _repcheck_inside import patches
        from _repcheck_inside.recorder import rec
        class Base:
            def plain(self, a=1): "docs"; return a
            @classmethod
            def cls(cls): return cls
            @staticmethod
            def static(a): return a
        class Sub(Base): pass
        before = dict(vars(Base))
        make = lambda original: lambda *a, **k: original(*a, **k)
        for name in ("plain", "cls", "static"):
            patches.patch(Base, name, make)
            patches.patch(Base, name, make)
            patches.patch(Sub, name, make)
        assert (Sub().plain(3), Sub.cls(), Sub().cls(), Sub.static(4)) == (3, Sub, Sub, 4)
        assert Base.plain.__doc__ == "docs" and Base.plain.__repcheck__ is before["plain"]
        assert patches.broken() == []
        Base.plain = functools.wraps(Base.plain)(lambda self: 1)
        assert patches.broken() == []
        Base.plain = before["plain"]
        del Sub.static
        rec.tamper(), rec.tamper()
        for owner in (Base, Sub):
            for name in ("plain", "cls", "static"):
                patches.unpatch(owner, name)
        assert dict(vars(Base)) == before and "cls" not in vars(Sub)
        import random
        random.seed = None
        """,
        tmp_path,
    )
    quiet(seen)
    assert [e["what"] for e in seen.of("tamper")] == [
        ["__main__.Base.plain", "__main__.Sub.static"], ["random.seed"]
    ]  # fmt: skip


def test_a_replaced_list_of_finders_is_told(tmp_path: Path) -> None:
    seen = observe_raw("import sys; sys.meta_path = sys.meta_path[1:]; import csv", tmp_path)
    quiet(seen)
    assert [e["what"] for e in seen.of("tamper")] == [["sys.meta_path"]]


ROWS = """
    import numpy as np
    from _repcheck_inside.rowhash import hash_rows
    def hashes(a): return np.frombuffer(hash_rows(np.asarray(a)), "<u8")
    def distinct(a): return len(np.unique(np.packbits(a.astype(np.uint8), axis=1), axis=0))
    g = np.random.default_rng(1)
    many = 1_000_000
    for a in (g.integers(0, 2, (many, 24)), g.integers(0, 2, (many, 64)) * 1.0):
        # A constant row of zeros and one of ones may be among them, and are one hash.
        assert 0 <= distinct(a) - len(np.unique(hashes(a))) <= 1
    for a in (g.integers(-9, 9, (many, 9)), np.arange(many)[:, None] + [0, 1],
              np.arange(many)[:, None] * [[0, .25]] + [[-1, 0]]):
        whole = np.ascontiguousarray(a.astype(np.float32)).view("V%d" % (4 * a.shape[1])).ravel()
        assert 0 <= len(np.unique(whole)) - len(np.unique(hashes(a))) <= 40
    a = g.integers(0, 9, (50, 4096))
    assert (hashes(a) == hashes(a.astype("float32"))).all()
    assert (hashes(a) == hashes(a.astype(">f8")[::1])).all()
    assert (hashes(a) == hashes(np.asfortranarray(a.astype("u1")))).all()
    assert (hashes(a[::2]) == hashes(a)[::2]).all()
    b = a.copy(); b[:, 4095] += 1
    assert (hashes(a) != hashes(b)).all()
    wide = g.normal(size=(20, 50000))
    assert len(set(hashes(wide))) == 20 and (hashes(wide) == hashes(wide.copy())).all()
    assert (hashes(np.full((5, 7), 3.5)) == 0).all() and (hashes(np.zeros((3, 9000))) == 0).all()
    assert (hashes([[0.0, 1.0, np.nan]]) == hashes([[-0.0, 1.0, -np.nan]])).all()
    assert len(hashes(np.zeros((0, 4)))) == 0 and (hashes(np.zeros((4, 0))) == 0).all()
    assert len(set(hashes(np.eye(2000)))) == 2000
    print(hashes(np.arange(12).reshape(3, 4)).tolist())
"""


def test_rows_collide_only_where_they_are_equal(tmp_path: Path) -> None:
    seen = observe_raw(ROWS, tmp_path)
    quiet(seen)
    again = observe_raw(
        ROWS.split("    many = 1_000_000")[0] + ROWS.rstrip().rsplit("\n", 1)[1], tmp_path
    )
    assert seen.out == again.out
    assert len(seen.out) > 40


def others() -> list[str]:
    """Return the other Pythons of this machine, one a version, that work."""
    names = [f"python3.{minor}" for minor in range(8, 16)]
    found = {name: shutil.which(name) for name in names}
    for name in names:
        under = sorted(Path.home().glob(f".pyenv/versions/{name[6:]}.*/bin/{name}"))
        found[name] = str(under[-1]) if under else found[name]
    mine = "python{}.{}".format(*sys.version_info)
    return [
        path
        for name, path in found.items()
        if path and name != mine
        and subprocess.run([path, "-c", "pass"], capture_output=True, check=False).returncode == 0
    ]  # fmt: skip


@FORK
@pytest.mark.parametrize("python", others())
def test_every_python_from_3_8_on_is_seen(python: str, tmp_path: Path) -> None:
    seen = observe_raw(
        """
        import importlib, multiprocessing, os, random, subprocess, sys, zipfile
        with zipfile.ZipFile("packed.zip", "w") as packed:
            packed.writestr("random.py", "def seed(value): return 'zipped'")
        open("data.txt", "w").close()
        random.seed(5)
        importlib.reload(random)
        random.seed(6)
        def work(n):
            random.seed(n)
        if __name__ == "__main__":
            worker = multiprocessing.get_context("fork").Process(target=work, args=(7,))
            worker.start(), worker.join()
            subprocess.check_call([sys.executable, "-c", "import random; random.seed(8)"])
            subprocess.check_call([sys.executable, "-I", "-c", "pass"])
            del sys.modules["random"]
            sys.path.insert(0, "packed.zip")
            import random as mine
            import colorsys
            print(mine.seed(9), worker.exitcode)
            random.seed(9)
            1 / 0
        """,
        tmp_path,
        python=python,
        python_args=("-X", "dev", "-W", "error"),
    )
    assert seen.rc == 1
    assert seen.out == "zipped 0\n"
    assert seen.err.endswith("ZeroDivisionError: division by zero\n")
    assert seen.err.count("\n") <= 6
    assert seen.of("error") == []
    assert [e["v"] for e in seen.main.of("seed")][:2] == [5, 6]
    assert sorted(e["v"] for p in seen.processes[1:] for e in p.of("seed")) == [7, 8]
    assert [e["unseen"] for e in seen.main.of("proc")] == ["", "started with -I"]
    assert [e["type"] for e in seen.main.of("exception")] == ["ZeroDivisionError"]
    assert (f"{tmp_path}/data.txt", True) in [(e["p"], e["w"]) for e in seen.main.of("open")]
    assert len(seen.main.of("end")) == 1


def too_old() -> list[str]:
    """Return Pythons of this machine that are older than what the probe is written for."""
    names = ["python2.7", *(f"python3.{minor}" for minor in range(8))]
    found = [shutil.which(name) for name in names]
    found += [str(path) for name in names
              for path in Path.home().glob(f".pyenv/versions/{name[6:]}.*/bin/{name}")]  # fmt: skip
    return [
        path
        for path in found
        if path
        and subprocess.run([path, "-c", "pass"], capture_output=True, check=False).returncode == 0
    ]


@pytest.mark.parametrize("python", too_old())
def test_an_old_python_says_one_line_and_runs(python: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('mine')")
    script = "import sitecustomize, sys; print(sitecustomize.__file__[-16:-2] in sys.path[0])"
    seen = observe_raw(script, tmp_path, python=python, env={"PYTHONPATH": str(tmp_path)})
    assert (seen.out, seen.rc, seen.processes) == ("mine\nFalse\n", 0, [])
    assert seen.err.startswith("repcheck: the probe did not start: ")
    assert seen.err.count("\n") == 1
