"""Print the rooms of the code, the imports between them, and the cycles.

    python benchmarks/rooms.py [--arrows] [--json]

A room is a folder with modules in it; an arrow is an import from one room into another, counted once. Imports
inside functions and under TYPE_CHECKING count too. `up` lists arrows from a room into one above it in the
order of `ROOMS`; `cycles` lists rooms that import each other, directly or through others. Lines include
blanks and comments. No module is imported or run.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx

ROOT = Path(__file__).parents[1]
PACKAGES = ("staragents", "actors", "cluster")
ROOMS = (
    "staragents/text",
    "staragents/base",
    "staragents",
    "staragents/files",
    "staragents/config",
    "staragents/models",
    "staragents/data/formats",
    "staragents/data/readers",
    "staragents/data",
    "staragents/agents",
    "staragents/filters",
    "staragents/validation",
    "staragents/scoring",
    "staragents/reward",
    "staragents/evolution",
    "staragents/run_directory",
    "staragents/analysis",
    "staragents/memory",
    "staragents/comparison",
    "staragents/replay",
    "staragents/evaluation",
    "staragents/report",
    "staragents/run",
    "staragents/export",
    "staragents/score_file",
    "actors/engines",
    "actors",
    "cluster/terminal",
    "cluster/session",
    "cluster/pools",
    "cluster/driver",
    "cluster/cli",
    "cluster",
)
"""From the lowest layer to the highest: each room may import those before it only."""
LONG_FILE, LONG_FUNCTION = 400, 60


def modules() -> dict[str, Path]:
    """Path of each module by its dotted name; a package's `__init__` has the name of the package."""
    found = {}
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree: ast.Module, known: dict[str, Path]) -> Iterator[str]:
    """Our modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                yield from (one for one in (name, node.module) if one in known)


def room_of(path: Path) -> str:
    return path.parent.relative_to(ROOT).as_posix()


def measured() -> dict[str, Any]:
    """All numbers, by name."""
    known = modules()
    graph = networkx.DiGraph()
    lines: dict[str, int] = {}
    public = 0
    long_files, long_functions = [], []
    for path in known.values():
        text, room = path.read_text(encoding="utf-8"), room_of(path)
        tree = ast.parse(text)
        graph.add_node(room)
        lines[room] = lines.get(room, 0) + text.count("\n")
        if text.count("\n") > LONG_FILE:
            long_files.append(path.relative_to(ROOT).as_posix())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONG_FUNCTION:
                    long_functions.append(f"{path.relative_to(ROOT).as_posix()}:{node.name} ({length})")
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        public += sum(isinstance(node, named) and not node.name.startswith("_") for node in tree.body)
        for name in imported(tree, known):
            if (other := room_of(known[name])) != room:
                graph.add_edge(room, other)
    up = [(a, b) for a, b in graph.edges if ROOMS.index(a) < ROOMS.index(b)]
    cycles = [sorted(rooms) for rooms in networkx.strongly_connected_components(graph) if len(rooms) > 1]
    return {
        "lines": sum(lines.values()),
        "modules": len(known),
        "public_names": public,
        "modules_at_the_root_of_staragents": len(list((ROOT / "staragents").glob("*.py"))),
        "long_files": long_files,
        "long_functions": long_functions,
        "rooms": dict(sorted(lines.items())),
        "arrows": sorted(graph.edges),
        "up": sorted(up),
        "cycles": sorted(cycles),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arrows", action="store_true", help="list every arrow")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measured()
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for name in ("lines", "modules", "public_names", "modules_at_the_root_of_staragents"):
        print(f"{found[name]:>6,} {name.replace('_', ' ')}")
    for name in ("rooms", "arrows", "up", "cycles", "long_files", "long_functions"):
        print(f"{len(found[name]):>6,} {name.replace('_', ' ')}")
    for room, lines in found["rooms"].items():
        print(f"{lines:>6,} lines {room}")
    for name in ("up", "cycles", "long_files", "long_functions", *(["arrows"] if arguments.arrows else [])):
        for one in found[name]:
            print(f"{name}: {one if isinstance(one, str) else ' -> '.join(one)}")


if __name__ == "__main__":
    main()
