"""Fetch JARs by their coordinates, each with its SHA-256: `jars.py LOCK FOLDER`.

Spark resolves what the lock file lists; what a JAR depends on is left out, since Spark has it.
(Delta's own dependencies bring a Jackson that is too old for Spark's SQL endpoint.)

    jars.py conf/delta-jars.txt          beside Spark's own JARs, so that every Spark knows Delta
    jars.py conf/comet-jars.txt FOLDER   into a folder, so that a Spark uses them which is told to
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

SPARK_HOME = Path(pyspark.__file__).parent
NOT_WANTED = (
    "com.fasterxml.*:*,org.apache.spark:*,org.apache.arrow:*,org.antlr:*,io.unitycatalog:*,"
    "io.delta:*kernel*,org.scala-lang.modules:*"
)


def main(lock: str, folder: str = str(SPARK_HOME / "jars")) -> str | None:
    """Fetch what is missing; the result is what went wrong."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    locked = dict(reversed(line.split()) for line in Path(lock).read_text().splitlines())
    # Of two versions on the class path, nobody knows which one Java takes.
    for other in [other for coordinate in locked for other in other_versions(coordinate, place)]:
        other.unlink()
    missing = [c for c, digest in locked.items() if not is_sound(place / file_of(c), digest)]
    if not missing:
        return None
    with tempfile.TemporaryDirectory() as cache:
        resolve(missing, cache)
        for coordinate in missing:
            fetched = Path(cache) / "jars" / f"{coordinate.split(':')[0]}_{file_of(coordinate)}"
            if not is_sound(fetched, locked[coordinate]):
                return f"{coordinate} could not be fetched, or is not the file that {lock} names."
            shutil.copy(fetched, place / file_of(coordinate))
    return None


def file_of(coordinate: str) -> str:
    """The file name of 'group:artifact:version'."""
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def other_versions(coordinate: str, place: Path) -> list[Path]:
    """The JARs of an artifact in other versions."""
    _, artifact, version = coordinate.split(":")
    found = sorted(place.glob(f"{artifact}-[0-9]*.jar"))
    return [each for each in found if each.name != f"{artifact}-{version}.jar"]


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
    sys.exit(main(*sys.argv[1:]))
