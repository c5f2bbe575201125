"""Set-up, where it can do nothing, says what its user can."""

import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

JAVA = Path(__file__).parents[2] / "setup/java.sh"
NEEDED = ("sh", "id", "grep", "cat")


@pytest.fixture
def bare_path(tmp_path) -> str:
    """A path with the few commands that the script needs: no Java, no package manager."""
    for name in NEEDED:
        (tmp_path / name).symlink_to(shutil.which(name))
    return str(tmp_path)


def looked_for_java(**environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["/bin/sh", str(JAVA)], env=environment, capture_output=True, text=True, check=False
    )


def test_the_java_that_is_here_is_taken() -> None:
    assert looked_for_java(**os.environ).returncode == 0


def test_a_java_home_without_a_full_java_is_told(tmp_path) -> None:
    done = looked_for_java(PATH=os.environ["PATH"], JAVA_HOME=str(tmp_path))

    assert done.returncode == 2
    assert f"JAVA_HOME is {tmp_path}, and there is no full Java 17 or 21 in it" in done.stderr


def test_a_jar_of_another_version_is_taken_away(tmp_path) -> None:
    jars = runpy.run_path(str(JAVA.with_name("jars.py")))
    names = ("delta-4.3.0.jar", "delta-4.4.0.jar", "delta-kernel-4.3.0.jar", "delta2-1.jar")
    for name in names:
        (tmp_path / name).touch()

    found = jars["other_versions"]("io.delta:delta:4.4.0", tmp_path)

    assert [each.name for each in found] == ["delta-4.3.0.jar"]


def test_where_none_can_be_installed_the_user_is_told_how(bare_path) -> None:
    done = looked_for_java(PATH=bare_path)

    assert done.returncode == 2
    assert "sudo apt-get install openjdk-17-jre-headless" in done.stderr
