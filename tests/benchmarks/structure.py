"""Print how much code there is and how it reads: statements, sizes, comments, names. Of this checkout, or of another.

    python -m tests.benchmarks.structure [FOLDER]

A statement is what Python's grammar calls one, docstrings aside; simulators and migrations are not counted.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

PRODUCT = ("overheard", "actors", "producers")
NOT_PRODUCT = ("standin", "simulators", "migrations")


def modules(root: Path) -> list[Path]:
    """Return the product's modules."""
    found = [path for folder in PRODUCT for path in (root / folder).rglob("*.py")]
    return sorted(path for path in found if not set(path.parts) & set(NOT_PRODUCT))


def is_docstring(node: ast.AST) -> bool:
    """Return whether a statement is a text that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def bash_lines(root: Path) -> int:
    """Return the lines of bash that are neither empty nor a comment."""
    count = 0
    for path in sorted(path for path in (root / "deploy").rglob("*") if path.is_file()):
        text = path.read_text(errors="replace")
        if path.suffix == ".sh" or text.startswith("#!/bin/bash") or text.startswith("#!/usr/bin/env bash"):
            lines = [line.strip() for line in text.splitlines()]
            count += sum(bool(line) and not line.startswith("#") for line in lines)
    return count


def comment_lines(text: str) -> int:
    """Return the lines that are a comment or end with one."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT and not token.string.startswith("# type:") for token in tokens)


def at(values: list[int], share: float) -> int:
    """Return a quantile of the values."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def main(root: Path) -> None:
    """Print the figures."""
    statements, imports, classes = 0, 0, Counter[str]()
    lines, comments, functions = [], 0, []
    for path in modules(root):
        text = path.read_text()
        lines.append(len(text.splitlines()))
        comments += comment_lines(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.stmt) and not is_docstring(node):
                statements += 1
                imports += isinstance(node, ast.Import | ast.ImportFrom)
            if isinstance(node, ast.ClassDef):
                classes[node.name] += 1
            if isinstance(node, ast.FunctionDef):
                functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
    repeated = sum(count > 1 for count in classes.values())
    for what, number in (
        ("statements of product code", statements),
        ("… of them imports", imports),
        ("modules", len(modules(root))),
        ("classes", classes.total()),
        ("names that several classes have", repeated),
        ("lines of bash", bash_lines(root)),
    ):
        sys.stdout.write(f"{number:>8,}  {what}\n")
    sys.stdout.write(f"{comments / sum(lines):>8.1%}  of the lines have a comment\n")
    for what, sizes in (("modules", lines), ("functions", functions)):
        sys.stdout.write(f"{at(sizes, 0.5):>4} {at(sizes, 0.9):>3}  lines of {what}, median and nine in ten\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2])
