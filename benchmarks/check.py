"""Is the working tree slower than the last release? `make bench-check ROWS=200000`.

Both are run on this machine in turn, on the same sample files; the release from a git worktree of
its own, which goes away at the end. Exit code 1: the median batch takes 15% and half a second more.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from judgement import is_slower
from nightly import night, sample
from processes import Run, run

RUNS = 5
ENDED = 128 + signal.SIGTERM
TREE = Path(__file__).parents[1]
HERE = "the working tree"
WHOSE = "import credit_spark, pathlib; print(pathlib.Path(credit_spark.__file__).parents[2])"


def main(rows: int) -> int:
    """Time batches of both, print the table, and give the exit code."""
    # An end by signal, too, takes the worktree away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))
    base = base_commit()
    with tempfile.TemporaryDirectory() as name, checked_out(base, Path(name) / "base") as theirs:
        runs = timed(rows, {HERE: TREE, base: theirs}, Path(name))
    print(table(runs))
    ours, others = ([each.seconds for each in runs[tree]] for tree in (HERE, base))
    slower = is_slower(ours, others)
    print(f"{HERE} is {'slower than' if slower else 'no slower than'} {base}")
    return int(slower)


def base_commit() -> str:
    """The newest release; where there is none, what BASE names, or main, or the last commit."""
    tags = git("tag", "--list", "v*", "--sort=-version:refname").split()
    if tags:
        return tags[0]
    named = [os.environ.get("BASE"), "origin/main", "HEAD~1"]
    base = next(each for each in named if each and is_commit(each))
    print(f"there is no release: no tag that begins with v. {base} stands for it")
    return base


def is_commit(name: str) -> bool:
    words = ["git", "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"]
    return subprocess.run(words, cwd=TREE, capture_output=True, check=False).returncode == 0


def git(*words: str) -> str:
    """What git says."""
    told = subprocess.run(["git", *words], cwd=TREE, capture_output=True, text=True, check=True)
    return told.stdout


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of a commit, while it is needed."""
    git("worktree", "add", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def timed(rows: int, trees: Mapping[str, Path], folder: Path) -> dict[str, list[Run]]:
    """Batches of each tree in turn; a first one of each, which trains, is not counted."""
    landing = folder / "landing"
    run(sample(rows, landing), environment(TREE), folder)
    commands = {
        name: [*night(landing, folder / f"warehouse-{nth}"), "--project", str(tree)]
        for nth, (name, tree) in enumerate(trees.items())
    }
    runs: dict[str, list[Run]] = {name: [] for name in trees}
    for nth in range(RUNS + 1):
        for name, tree in trees.items():
            done = run(commands[name], environment(tree), folder)
            runs[name] += [done] if nth else []
    return runs


def environment(tree: Path) -> dict[str, str]:
    """What a process needs to run a tree's code rather than what is installed."""
    variables = {**os.environ, "PYTHONPATH": str(tree / "src")}
    told = subprocess.run(
        [sys.executable, "-c", WHOSE], env=variables, capture_output=True, text=True, check=True
    )
    assert Path(told.stdout.strip()).samefile(tree), f"{told.stdout.strip()} runs, not {tree}"
    return variables


def table(runs: Mapping[str, list[Run]]) -> str:
    """A line a tree."""
    lines = [f"{'':<20} {'median':>8} {'fastest':>8} {'slowest':>8} {'peak MB':>8}"]
    for name, of_it in runs.items():
        seconds = [each.seconds for each in of_it]
        times = f"{median(seconds):>8.1f} {min(seconds):>8.1f} {max(seconds):>8.1f}"
        lines.append(f"{name:<20} {times} {max(each.peak for each in of_it):>8,.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
