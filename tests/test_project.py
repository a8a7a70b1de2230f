"""The project keeps its own promises: layers, light imports, dependencies in use, commands that exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "clvmodels"
HEAVY = {"pandas", "numba", "scipy", "pymc", "arviz", "ibis", "duckdb", "matplotlib", "xarray", "pyarrow", "typer"}

# Dependencies the package does not import by name, each with the reason it is there.
NOT_IMPORTED = {
    "arviz": "imported by its parts, arviz_base and arviz_stats",
    "sqlglot": "a bound on what Ibis imports",
}
MODULE_OF = {"ibis-framework": "ibis"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_modules(source: Path) -> Iterator[str]:
    """Yield the top-level name of everything a file imports, inside functions too."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def shell_blocks(page: Path) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))


def tracked_text_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and not name.endswith((".parquet", ".png"))]


def test_imports_point_downwards() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def imports_within(source: Path, modules: set[str]) -> set[str]:
    """Return the modules of the package that a file imports, for types alone and inside functions too."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= {name if name in modules else node.module for name in names}
    return imported & modules


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of two modules and more, and the modules that import themselves."""
    reached = {module: below(module, imports) for module in imports}
    together = {
        module: sorted(other for other in reached[module] if module in reached[other])
        for module in imports
        if module in reached[module]
    }
    return [list(circle) for circle in sorted({tuple(members) for members in together.values()})]


def below(module: str, imports: dict[str, set[str]]) -> set[str]:
    """Return everything that a module imports, at first or any further hand."""
    seen: set[str] = set()
    waiting = [*imports[module]]
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += imports[name]
    return seen


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}}) == [["b", "c"], ["e"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def imports_of_modules() -> dict[str, set[str]]:
    """Return what each module imports of the package, whose front door names everything for type checkers, left out."""
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sources()}
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    modules = set(paths) - {"clvmodels"}
    return {name: imports_within(paths[name], modules) for name in modules}


def test_no_module_imports_itself_by_any_way() -> None:
    imports = imports_of_modules()
    assert sum(map(len, imports.values())) > len(imports)
    assert circles(imports) == []


def test_no_result_imports_a_picture() -> None:
    for module, imported in imports_of_modules().items():
        if re.match(r"clvmodels\.(inference|evaluation|valuation)\.(?!plots)", module):
            assert not [name for name in imported if ".plots" in name], module


def test_importing_the_package_is_light() -> None:
    code = f"import sys, clvmodels; print(sorted({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_dependency_is_used(project: dict[str, Any]) -> None:
    used = {module for source in sources() for module in imported_modules(source)}
    for requirement in project["project"]["dependencies"]:
        name = re.split(r"[\[<>=~!]", requirement)[0]
        module = MODULE_OF.get(name, name)
        assert module in used or name in NOT_IMPORTED, f"nowhere imported: {name}"
        assert not (module in used and name in NOT_IMPORTED), f"imported by now, needs no excuse: {name}"


def test_every_import_is_a_dependency(project: dict[str, Any]) -> None:
    names = {re.split(r"[\[<>=~!]", requirement)[0] for requirement in project["project"]["dependencies"]}
    allowed = {MODULE_OF.get(name, name) for name in names} | set(sys.stdlib_module_names) | {"clvmodels"}
    allowed |= {"llvmlite", "pytensor", "duckdb", "click"}  # come with numba, pymc, ibis-framework[duckdb], typer
    allowed |= {"arviz_base", "arviz_stats", "arviz_plots"}  # come with arviz
    allowed |= {"polars", "pyspark", "matplotlib"}  # optional: only met when the user has them
    for source in sources():
        assert set(imported_modules(source)) <= allowed, source


def test_every_dependency_has_bounds_below_and_above_and_a_reason(project: dict[str, Any]) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for requirement in project["project"]["dependencies"]:
        assert re.search(r">=[\d.]+,<\d+", requirement), requirement
        assert re.search(re.escape(f'"{requirement}",') + r" +# \w+", text), requirement


def test_the_lock_names_versions_and_no_places() -> None:
    lines = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line), line


def test_the_lock_covers_the_dependencies(project: dict[str, Any]) -> None:
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").lower()
    groups = [entry for group in project["dependency-groups"].values() for entry in group if isinstance(entry, str)]
    for requirement in [*project["project"]["dependencies"], *groups]:
        name = re.split(r"[\[<>=~!]", requirement)[0].lower()
        assert re.search(rf"^{re.escape(name)}==", lock, flags=re.MULTILINE), name


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.relative_to(ROOT).as_posix())
def test_no_file_of_the_package_names_a_place_on_a_machine(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(?:work|home|root|tmp|Users|opt|mnt)/", text)


def test_no_tracked_file_names_a_package_index() -> None:
    forbidden = re.compile(r"pypi\.org|pythonhosted|index-url|/simple/?\b")
    for file in tracked_text_files():
        if file.resolve() != Path(__file__).resolve():
            assert not forbidden.search(file.read_text(encoding="utf-8")), file


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_make_commands_of_a_page_exist(page: str) -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", shell_blocks(ROOT / page)))
    named |= set(re.findall(r"`make ([a-z][a-z-]*)`", (ROOT / page).read_text(encoding="utf-8")))
    assert named
    assert named <= makefile_targets()


def test_the_makefile_declares_its_phony_targets() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == makefile_targets()


def test_the_demo_is_the_readme_s_commands() -> None:
    def words(text: str) -> list[str]:
        return text.replace("\\\n", " ").replace("$(BIN)/", "").replace("$(OUT)", "demo-output").split()

    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    readme = re.findall(r"^clvmodels (?:.*\\\n)*.*$", shell_blocks(ROOT / "README.md"), flags=re.MULTILINE)
    assert recipe is not None
    assert words(recipe[1]) == words("\n".join(readme))


def test_find_python_finds_one_new_enough() -> None:
    script = ROOT / ".ci" / "find-python"
    run = subprocess.run(["bash", script], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    version = [run.stdout.strip(), "-c", "import sys; print(sys.version_info >= (3, 12))"]
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip() == "True"


def test_find_python_says_what_is_missing(tmp_path: Path) -> None:
    bash = subprocess.run(["bash", "-c", "command -v bash"], capture_output=True, text=True, check=True).stdout.strip()
    cat = subprocess.run(["bash", "-c", "command -v cat"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "cat").symlink_to(cat)
    nowhere = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    script = str(ROOT / ".ci" / "find-python")
    run = subprocess.run([bash, script], env=nowhere, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "needs Python 3.12 or newer" in run.stderr
    wrong = subprocess.run(
        [bash, script], env=nowhere | {"PYTHON": "/no/python"}, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "PYTHON=/no/python" in wrong.stderr


def test_the_page_of_where_things_go_names_what_there_is() -> None:
    """Each row names a file or folder and, behind it, what is defined there."""
    page = (ROOT / "docs" / "background" / "where_does_it_go.md").read_text(encoding="utf-8")
    rows = [row.split(" | ")[1] for row in re.findall(r"^\| (?!to add|---).*", page, flags=re.MULTILINE)]
    assert len(rows) > 12
    named = [re.findall(r"`([^`]+)`", row) for row in rows]
    for names in named:
        file = ""
        for name in names:
            if "/" in name:
                file = name
                assert (ROOT / name).exists() or name == "plots/", name
            else:
                assert re.search(rf"^(?:def|class) {name}\b|^{name}\b", (ROOT / file).read_text(), re.MULTILINE), name
