"""A class name leads to one class, and every module says what it is for."""

from __future__ import annotations

import ast

from tests.naming import repeated_classes
from tests.project import PRODUCT, allowances, modules, text_of


def test_a_class_name_occurs_once() -> None:
    allowed = set(allowances()["repeated_classes"])
    repeated = {name: places for name, places in repeated_classes().items() if name not in allowed}
    assert repeated == {}, "a search for a class has to land in one place: give one of them another name"


def test_every_module_has_a_docstring() -> None:
    """But a test file may leave it out: its name and its tests' names say what it tests."""
    bare = [name for name in modules() if ast.get_docstring(ast.parse(text_of(name))) is None]
    assert [name for name in bare if not name.rpartition("/")[2].startswith("test_")] == []


def test_every_folder_of_the_product_with_modules_is_a_package() -> None:
    folders = {name.rpartition("/")[0] for name in modules(PRODUCT)}
    assert folders <= {name.rpartition("/")[0] for name in modules(PRODUCT) if name.endswith("/__init__.py")}
