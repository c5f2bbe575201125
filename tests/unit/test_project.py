"""Where contracts are found, and how a portfolio is started."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from credit_spark.cli import main
from tests.projects import PROJECT


def told(capsys) -> str:
    return "".join(capsys.readouterr())


def test_an_example_is_copied_and_found_in_the_working_directory(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["init", "german_credit"]) == 0
    for name in ("conf/portfolios/german_credit.yml", "expectations/german_credit/loans.json"):
        assert (tmp_path / name).read_bytes() == (PROJECT / name).read_bytes()
    assert main(["check", "lending_club"]) == 2
    assert "german_credit" in told(capsys)
    assert main(["check", "german_credit"]) == 0
    assert main(["sample", "--as-of", "2012-01-31", "--seed", "-1"]) == 2
    assert main(["sample", "--as-of", "2012-01-31", "--rows", "9" * 20]) == 2


def test_an_example_that_is_there_is_kept(tmp_path, capsys) -> None:
    words = ["init", "bootcamp", "--out", str(tmp_path)]
    assert main(words) == 0
    suite = tmp_path / "expectations/bootcamp/loans.json"
    suite.write_text("mine", encoding="utf-8")
    (tmp_path / "conf/portfolios/bootcamp.yml").unlink()

    assert main(words) == 2
    assert suite.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "conf/portfolios/bootcamp.yml").exists()
    assert str(suite) in told(capsys)


def test_an_unknown_example_is_told_with_the_closest(tmp_path, capsys) -> None:
    assert main(["init", "lending_clubs", "--out", str(tmp_path)]) == 2
    assert "lending_club" in told(capsys)
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_written_is_told(capsys) -> None:
    assert main(["init", "bootcamp", "--out", "/proc/none"]) == 2
    assert "cannot be written" in told(capsys)


@pytest.mark.release
def test_a_wheel_works_outside_a_checkout(tmp_path) -> None:
    """In an environment of its own, which borrows the packages of this one."""

    def run(*words: object) -> str:
        return subprocess.run(
            [*map(str, words)],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    copy = tmp_path / "copy"
    for name in ("src", "conf", "expectations"):
        shutil.copytree(PROJECT / name, copy / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", ".", copy)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (wheel,) = tmp_path.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel)

    command = tmp_path / "env/bin/credit-spark"
    assert str(tmp_path) in run(python, "-c", "import credit_spark; print(credit_spark.__file__)")
    shipped = sorted(each.stem for each in (PROJECT / "conf/portfolios").glob("*.yml"))
    assert len(shipped) == 4
    for example in shipped:
        assert "sound" in run(command, "check", example)
    for example in shipped:
        run(command, "init", example)
        assert "sound" in run(command, "check", example)
        for suite in (PROJECT / "expectations" / example).glob("*.json"):
            assert (tmp_path / "expectations" / example / suite.name).is_file()


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("main(['check', 'german_credit'])", 141),
        ("main(['check', 'nowhere'])", 2),
        ("printed(12)", 12),
    ],
)
@pytest.mark.parametrize("is_buffered", [True, False])
def test_an_exit_code_does_not_hang_on_who_reads_the_output(work, code, is_buffered) -> None:
    """The pipes of stdout and stderr have no reader."""
    reader, writer = os.pipe()
    os.close(reader)
    program = f"""
from contextlib import suppress
from credit_spark.cli import main
from credit_spark.cli.output import console, printing
from credit_spark.storage.logs import say

def printed(code):
    with suppress(BrokenPipeError), printing():
        console().print("x")
    say("x")
    return code

raise SystemExit({work})
"""
    environment = os.environ | {"PYTHONUNBUFFERED": "" if is_buffered else "1"}

    done = subprocess.run(
        [sys.executable, "-c", program], stdout=writer, stderr=writer, env=environment, check=False
    )

    os.close(writer)
    assert done.returncode == code


@pytest.mark.parametrize("is_buffered", [True, False])
def test_output_to_a_full_disk_is_told(is_buffered) -> None:
    program = (
        "from credit_spark.cli import main; raise SystemExit(main(['check', 'german_credit']))"
    )

    environment = os.environ | {"PYTHONUNBUFFERED": "" if is_buffered else "1"}

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            check=False,
        )

    assert done.returncode == 20
    assert done.stderr == "credit-spark: the output cannot be written: No space left on device\n"
