"""docs/tutorial.md, as its reader follows it: every block is run, in order."""

import re
import shlex
import subprocess
import sys

from credit_spark.cli import main
from tests.batches import arrow
from tests.projects import PROJECT

BLOCK = re.compile(r"^```(python|yaml|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_leads_from_a_file_to_its_report(spark, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (PROJECT / "docs/tutorial.md").read_text(encoding="utf-8")
    for language, block in BLOCK.findall(text):
        if language == "python":
            subprocess.run([sys.executable, "-c", block], check=True)
        elif language == "yaml":
            (tmp_path / "my_lender.yml").write_text(block, encoding="utf-8")
        else:
            for line in block.splitlines():
                program, *words = shlex.split(line)
                assert (program, main(words)) == ("credit-spark", 0), line

    scores = arrow(tmp_path / "warehouse/my_lender/scores")
    assert scores.num_rows == 4000
    assert (tmp_path / "warehouse/my_lender/reports/2026-01-31.html").is_file()
    assert (tmp_path / "warehouse/my_lender/reports/train-2026-01-31.html").is_file()
