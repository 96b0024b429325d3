"""Recipes as data, and what is refused."""

import pytest

from lpharness.base.errors import InputError
from lpharness.images.recipe import decode_recipe, load_recipe, recipe_names

GOOD = 'title = "t"\npackages = ["busybox-static"]\n'


def test_bundled_recipes_load() -> None:
    assert recipe_names() == ["debian", "minimal"]
    for name in recipe_names():
        loaded, folder, recipe = load_recipe(name)
        assert loaded == name
        assert (folder / f"{name}.toml").is_file()
        assert {"agent", "workload", "watch"} <= set(recipe.programs)


def test_a_recipe_may_be_a_path(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    name, folder, recipe = load_recipe(str(path))
    assert (name, folder, recipe.title) == ("mine", tmp_path, "t")


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(InputError, match="no image recipe 'minimial'") as raised:
        load_recipe("minimial")
    assert raised.value.hint == "did you mean 'minimal'?"


def test_a_name_is_no_way_out_of_the_folder() -> None:
    with pytest.raises(InputError, match="no image recipe"):
        load_recipe("../recipes/minimal")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (GOOD + "pakages = []\n", "pakages", "did you mean 'packages'?"),
        (GOOD + "zzz = 1\n", "zzz", "the keys are title"),
        ('title = "t"\n', "packages", None),
        (GOOD + 'keep = "usr"\n', "keep", None),
        ("title = ", "is not TOML", None),
    ],
)
def test_bad_files_are_refused_by_name_and_key(tmp_path, text, message, hint) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        decode_recipe(path)
    assert str(path) in raised.value.message
    assert (raised.value.hint or "").startswith(hint or "")


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"gone\.toml: No such file"):
        load_recipe(str(tmp_path / "gone.toml"))
