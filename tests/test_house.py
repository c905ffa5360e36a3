"""The habits of the house, held by programs: types, style, layers, sizes, a wheel that works."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "repcheck").rglob("*.py"))
BIN = Path(sys.executable).parent


def tool(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports",),
    ],
    ids=" ".join,
)
def test_the_tools_have_nothing_to_say(command: tuple[str, ...]) -> None:
    said = tool(str(BIN / command[0]), *command[1:])
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_outgrows_its_room(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_dataclasses_are_frozen_and_slotted() -> None:
    loose = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                loose += [
                    f"{path.name}:{node.lineno} {node.name}"
                    for decorator in node.decorator_list
                    if "dataclass" in ast.unparse(decorator)
                    and not {"frozen=True", "slots=True"} <= set(_arguments(decorator))
                ]
    assert loose == []


def test_every_section_of_the_claims_file_is_a_frozen_and_slotted_dataclass() -> None:
    loose = [
        f"{path.name}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and "Section" in {node.name, *map(ast.unparse, node.bases)}
        if "section" not in map(ast.unparse, node.decorator_list)
    ]
    assert loose == []  # `@section` makes it so: tests/test_claims_stated.py


def _arguments(decorator: ast.expr) -> list[str]:
    return [ast.unparse(k) for k in decorator.keywords] if isinstance(decorator, ast.Call) else []


def test_only_the_judge_catches_everything() -> None:
    broad = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    # cli.py turns a bug into exit code 70; everything else falls through to it. What runs inside
    # an artifact's Python must never raise into it.
    outside = [path for path in broad if not path.startswith("repcheck/inside/")]
    assert sorted(outside) == ["repcheck/cli.py", "repcheck/judge.py"]


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "repcheck" / "inside").rglob("*.py")),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_what_runs_inside_is_python_3_8_and_imports_nothing_of_ours(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    assert names <= set(sys.stdlib_module_names) | {"_repcheck_inside"}


@pytest.mark.parametrize(
    "command", [("--help",), ("lint", "claims_examples/minimal/claims.yaml"), ("explain", "RC102")]
)
def test_the_quick_commands_import_nothing_heavy(command: tuple[str, ...]) -> None:
    said = tool(sys.executable, "-X", "importtime", "-m", "repcheck", *command)
    assert said.returncode == 0, said.stdout + said.stderr
    imported = {line.rsplit("|", 1)[-1].strip() for line in said.stderr.splitlines()}
    assert not imported & {"torch", "fvcore", "pandas", "scipy", "numpy", "jinja2", "rich"}
    assert "repcheck.observation" not in imported  # its classes are made only where runs are


def test_the_wheel_holds_its_files_and_renders_a_page_in_a_fresh_environment(
    tmp_path: Path,
) -> None:
    built = tool(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path), str(ROOT)
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("*.whl")
    # Dependencies are looked up in this environment, the package itself only in the new one.
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages"
    placed = tool(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target",
                  str(site), str(wheel))  # fmt: skip
    assert placed.returncode == 0, placed.stderr
    here = [p for p in sys.path if p.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(here))
    example = site / "repcheck" / "claims_examples" / "minimal" / "claims.yaml"
    done = subprocess.run(
        [python, "-m", "repcheck", "check", "--yes", str(example), "-o", "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    assert "<!doctype html>" in (tmp_path / "out" / "report.html").read_text().lower()
    explained = tool(str(python), "-m", "repcheck", "explain", "RC102", cwd=tmp_path)
    assert "## Example: flagged" in explained.stdout, explained.stderr
    assert str(site) in tool(str(python), "-c", "import repcheck; print(repcheck.__file__)",
                             cwd=tmp_path).stdout  # fmt: skip


def test_the_readme_table_is_the_one_the_rules_make() -> None:
    made = tool(sys.executable, "-m", "repcheck", "rules", "--format", "markdown").stdout
    assert made.strip(), "no rules"
    assert made in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- test command -->")[1].split("```sh\n")[1].split("```")[0]
    assert "-c constraints.txt" in block
    assert "pytest" in block
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_nothing_says_how_it_was_made_or_points_outside() -> None:
    files = [ROOT / name for name in tool("git", "ls-files").stdout.splitlines()]
    words = ("../" + "shared", "/wo" + "rk/", "chat" + "gpt", "clau" + "de")
    texts = {
        path: path.read_text(encoding="utf-8", errors="replace").lower()
        for path in files
        if path.is_file()
    }
    assert [str(path) for path, text in texts.items() if any(word in text for word in words)] == []
