"""Put Delta's two JARs beside Spark's own, so that every Spark started from here knows Delta.

Spark resolves them by their coordinates in conf/delta-jars.txt, each with its SHA-256. Delta's
own dependencies are left out: Spark has them, and they bring a Jackson that is too old for
Spark's SQL endpoint.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

LOCK = Path(__file__).parents[1] / "conf/delta-jars.txt"
SPARK_HOME = Path(pyspark.__file__).parent
NOT_WANTED = "com.fasterxml.*:*,org.apache.*:*,io.unitycatalog:*,io.delta:*kernel*"


def main() -> str | None:
    """Fetch what is missing; the result is what went wrong."""
    locked = dict(reversed(line.split()) for line in LOCK.read_text().splitlines())
    missing = {c: digest for c, digest in locked.items() if not is_sound(jar_of(c), digest)}
    if not missing:
        return None
    with tempfile.TemporaryDirectory() as cache:
        resolve(list(missing), cache)
        for coordinate, digest in missing.items():
            group = coordinate.split(":")[0]
            fetched = Path(cache) / "jars" / f"{group}_{jar_of(coordinate).name}"
            if not is_sound(fetched, digest):
                return f"{coordinate} could not be fetched, or is not the file that {LOCK} names."
            shutil.copy(fetched, jar_of(coordinate))
    return None


def jar_of(coordinate: str) -> Path:
    """Where the JAR of 'group:artifact:version' stands in Spark's own folder of JARs."""
    _, artifact, version = coordinate.split(":")
    return SPARK_HOME / "jars" / f"{artifact}-{version}.jar"


def is_sound(jar: Path, digest: str) -> bool:
    """Whether the file is there, with the SHA-256 that was locked."""
    return jar.is_file() and hashlib.sha256(jar.read_bytes()).hexdigest() == digest


def resolve(coordinates: list[str], cache: str) -> None:
    """Let an empty Spark application fetch the packages into `cache`/jars."""
    empty = Path(cache) / "empty.py"
    empty.touch()
    command = [str(SPARK_HOME / "bin/spark-submit"), "--packages", ",".join(coordinates)]
    options = ["--exclude-packages", NOT_WANTED, "--conf", f"spark.jars.ivy={cache}", str(empty)]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(SPARK_HOME)}
    done = subprocess.run(
        command + options, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
