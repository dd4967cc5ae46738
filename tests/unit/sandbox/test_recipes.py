"""Recipes: flavours, suites, architectures, and digests that change with all that matters."""

from __future__ import annotations

import pytest

from deskmate.errors import UserError
from deskmate.sandbox import recipes
from deskmate.sandbox.recipes import find_recipe, flavour_for, recipe_digest, recipe_part


def test_every_suite_flavour_and_architecture_has_its_own_recipe() -> None:
    digests = {
        find_recipe(flavour, suite, architecture).digest
        for flavour in recipes.FLAVOURS
        for suite in recipes.suites()
        for architecture in ("x86_64", "aarch64")
    }
    assert len(digests) == 8


def test_a_digest_does_not_change_by_itself() -> None:
    assert recipe_digest() == recipe_digest("bookworm", "base")


def test_office_has_all_that_base_has() -> None:
    base, office = find_recipe("base"), find_recipe("office")
    assert set(base.packages) < set(office.packages)
    assert office.memory_mib in (768, 1024)
    assert base.wheels == office.wheels


@pytest.mark.parametrize(
    "part", ["guest.txt", "recipe/customize.sh", "recipe/finish.sh", "recipe/init.sh"]
)
def test_a_change_of_any_part_is_another_recipe(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    before = recipe_digest()
    changed = {part: recipe_part(part) + b"\n# more\n"}
    monkeypatch.setattr(recipes, "recipe_part", lambda name: changed.get(name) or recipe_part(name))
    assert recipe_digest() != before


def test_a_script_of_office_leaves_base_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    base, office = recipe_digest(), recipe_digest(flavour="office")
    changed = {"recipe/office.sh": b"#!/bin/sh\n"}
    monkeypatch.setattr(recipes, "recipe_part", lambda name: changed.get(name) or recipe_part(name))
    assert recipe_digest() == base
    assert recipe_digest(flavour="office") != office


@pytest.mark.parametrize("suite", ["sid", "../x", ""])
def test_an_unknown_suite_is_refused_with_the_known_ones(suite: str) -> None:
    with pytest.raises(UserError) as caught:
        find_recipe("base", suite)
    assert "bookworm, trixie" in caught.value.hint


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(UserError, match="riscv64"):
        find_recipe("base", "bookworm", "riscv64")


def test_arm64_is_said_to_be_unverified() -> None:
    arm = find_recipe("base", "bookworm", "aarch64").architecture
    assert (arm.debian, arm.verified) == ("arm64", False)
    assert find_recipe("base", "bookworm", "x86_64").architecture.verified


def test_a_plugin_s_system_packages_choose_the_smallest_flavour() -> None:
    assert flavour_for(()) == "base"
    assert flavour_for(("git", "jq")) == "base"
    assert flavour_for(("git", "tesseract-ocr")) == "office"
    with pytest.raises(UserError, match="gimp"):
        flavour_for(("gimp",))
