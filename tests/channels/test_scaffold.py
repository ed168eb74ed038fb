"""A new channel folder: found at once, and red until it is filled in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from channels.testing.new import BadName, create, main

ROOT = Path(__file__).parents[2]
FILLED = Path(__file__).parent / "filled"
"""What a newcomer writes, and nothing else."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the floor of the channels with no adapters on it, and the kit's tests."""
    tree = tmp_path / "tree"
    (tree / "channels").mkdir(parents=True)
    for name in ("__init__.py", "contract.py", "registry.py", "lab.py", "egress.py"):
        shutil.copy(ROOT / "channels" / name, tree / "channels" / name)
    shutil.copytree(
        ROOT / "channels" / "testing", tree / "channels" / "testing", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tree / "tests").mkdir()
    for name in ("conftest.py", "test_conformance.py"):
        shutil.copy(ROOT / "tests" / "channels" / name, tree / "tests" / name)
    (tree / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    return tree


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["carrier_pigeon", "social/pigeon"])
def test_a_new_folder_is_found_and_red_with_the_name_of_what_to_write(tree: Path, name: str) -> None:
    made = run(tree, "-m", "channels.testing.new", name)
    assert made.returncode == 0, made.stderr
    ident = name.rpartition("/")[2]
    found = run(
        tree,
        "-c",
        f"from channels import registry; print(registry.spec({ident!r}).title); registry.adapter_class({ident!r}); registry.settings_model({ident!r})",
    )
    assert found.returncode == 0, found.stderr
    checks = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_conformance.py", "-k", ident)
    assert checks.returncode == 1, checks.stdout
    assert f"{ident}: channels/{name}/fake.py: write the fake provider" in checks.stdout
    assert "passed" not in checks.stdout


def test_a_folder_that_is_filled_in_is_green_with_no_edit_elsewhere(tree: Path) -> None:
    made = run(tree, "-m", "channels.testing.new", "carrier_pigeon")
    assert made.returncode == 0, made.stderr
    folder = tree / "channels" / "carrier_pigeon"
    shutil.copytree(FILLED, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    checks = run(
        tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_conformance.py", "-k", "carrier_pigeon"
    )
    assert checks.returncode == 0, checks.stdout
    assert " passed" in checks.stdout
    assert "skipped" not in checks.stdout


def test_a_folder_without_a_harness_is_red(tree: Path) -> None:
    run(tree, "-m", "channels.testing.new", "pigeon")
    (tree / "channels" / "pigeon" / "harness.py").unlink()
    checks = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_conformance.py", "-k", "pigeon")
    assert checks.returncode == 1
    assert "the channel 'pigeon' has no harness" in checks.stdout


@pytest.mark.parametrize("name", ["", "Pigeon", "a/b/c", "../x", "testing", "1st", "a b", "a-b"])
def test_bad_names_make_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadName):
        create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    create("pigeon", tmp_path)
    with pytest.raises(BadName):
        create("pigeon", tmp_path)


def test_a_bad_name_on_the_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["A B"]) == 2
    assert "no name for a channel" in capsys.readouterr().err
