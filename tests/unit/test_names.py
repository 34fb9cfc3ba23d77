"""A class name leads to one class, and every module says what it is for."""

from __future__ import annotations

import re

from tests.naming import repeated_classes
from tests.project import PRODUCT, modules, text_of


def test_a_class_name_occurs_once() -> None:
    assert repeated_classes() == {}, "a search for a class has to land in one place: give one of them another name"


def test_every_module_has_a_docstring() -> None:
    """But a test file may leave it out: its name and its tests' names say what it tests."""
    bare = [name for name in modules() if not text_of(name).startswith('"""')]
    assert [name for name in bare if not name.rpartition("/")[2].startswith("test_")] == []


def test_every_folder_of_the_product_with_modules_is_a_package() -> None:
    folders = {name.rpartition("/")[0] for name in modules(PRODUCT)}
    assert folders <= {name.rpartition("/")[0] for name in modules(PRODUCT) if name.endswith("/__init__.py")}


def test_the_glossary_is_short_and_in_order() -> None:
    """More than forty terms to learn are too many: take out a concept before another one comes in."""
    glossary = text_of("ARCHITECTURE.md").partition("## Glossary\n")[2].partition("\n## ")[0]
    terms = re.findall(r"^\| ([a-z][a-z -]*) \|", glossary, re.MULTILINE)[1:]
    assert 10 < len(terms) <= 40
    assert terms == sorted(terms)
