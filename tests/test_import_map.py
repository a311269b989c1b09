"""Who may import whom (docs/architecture.md): the map is a table here, and the code is held against it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FORBIDDEN = {
    "robot": set[str](),
    "wikihost": {"robot", "proxy"},
    "wikihost/child": {"robot", "proxy", "trio", "quart", "hypercorn", "wikihost.fleet", "wikihost.zygote"},
    "proxy": {"robot", "wikihost", "quart", "otterwiki", "mcp"},
}
# Core never imports what only belongs inside a worker.
FORBIDDEN_EVERYWHERE_BUT_IN_CHILD = {"otterwiki", "flask", "waitress", "wikihost.child"}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def is_or_is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def sources() -> list[tuple[str, Path]]:
    rows = []
    for package in ("robot", "wikihost", "proxy"):
        for path in sorted((ROOT / package).rglob("*.py")):
            child = path.is_relative_to(ROOT / "wikihost" / "child")
            rows.append(("wikihost/child" if child else package, path))
    return rows


@pytest.mark.parametrize(("package", "path"), sources(), ids=lambda value: str(value).removeprefix(str(ROOT)))
def test_module_imports_only_what_it_may(package: str, path: Path) -> None:
    forbidden = set(FORBIDDEN[package])
    if package != "wikihost/child":
        forbidden |= FORBIDDEN_EVERYWHERE_BUT_IN_CHILD
    wrong = {module for module in imports_of(path) for banned in forbidden if is_or_is_in(module, banned)}
    assert not wrong


def test_every_library_that_core_imports_is_declared() -> None:
    """A worker also imports what Otter Wiki brings along; core leans on nothing by accident."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {name.lower() for name in project["dependencies"]}
    distributions = packages_distributions()
    used = {
        module.partition(".")[0]
        for package, path in sources()
        if package != "wikihost/child"
        for module in imports_of(path)
    }
    libraries = used - sys.stdlib_module_names - {"robot", "wikihost", "proxy"}
    undeclared = {module for module in libraries if not declared & {d.lower() for d in distributions.get(module, [])}}
    assert undeclared == set()


def test_every_package_is_in_the_map() -> None:
    assert {package for package, _ in sources()} == set(FORBIDDEN)


@pytest.mark.parametrize(
    "package",
    [
        "robot/alerts",
        "robot/domains",
        "robot/mcp",
        "robot/oauth",
        "robot/rest",
        "robot/search",
        "robot/search/finding",
        "robot/search/indexing",
        "robot/search/model",
        "robot/signin/atproto",
    ],
)
def test_modules_import_only_the_layers_above_them(package: str) -> None:
    """The docstring of the package lists them all, in an order in which each leans only on those before it."""
    folder = ROOT / package
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    layers = re.findall(r"^    (\w+)  ", docstring, re.MULTILINE)
    there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(layers) == sorted(there - {"__init__"})
    prefix = f"{package.replace('/', '.')}."
    for place, layer in enumerate(layers):
        files = [folder / f"{layer}.py"] if (folder / f"{layer}.py").exists() else (folder / layer).glob("*.py")
        used = {
            module.removeprefix(prefix).partition(".")[0]
            for path in files
            for module in imports_of(path)
            if module.startswith(prefix)
        }
        assert used <= set(layers[: place + 1]), layer


def test_every_module_of_the_platforms_pages_is_in_their_table() -> None:
    folder = ROOT / "robot" / "web"
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    listed = re.findall(r"`(\w+)`", docstring)
    assert sorted(listed) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("package", ["robot/imports", "robot/signin", "robot/signin/oidc", "robot/web"])
def test_the_table_of_a_package_names_each_module(package: str) -> None:
    folder = ROOT / package
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", docstring, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(named) == sorted(there - {"__init__"})
