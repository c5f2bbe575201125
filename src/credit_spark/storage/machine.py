"""What a batch needs on this machine, and what is wrong with it."""

import os
import shutil
import subprocess
from pathlib import Path

import pyspark

from credit_spark.config.errors import InputError
from credit_spark.storage.paths import writable


def machine_faults(warehouse: str) -> list[str]:
    """Every fault, as a sentence that says what to do; none where a batch can run."""
    faults = [fault for fault in (_java(), _spark(), _jars()) if fault]
    try:
        writable(warehouse, "--warehouse")
    except InputError as error:
        faults.append(str(error))
    return faults


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin/java") if home else shutil.which("java")
    if java is None or not Path(java).is_file():
        return "Java: there is none; run 'make setup', which installs one or says how"
    command = [java, "--list-modules"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if "jdk.incubator.vector" not in listed.stdout:
        return f"Java: {java} is no full Java 17 or 21; run 'make setup', or set JAVA_HOME"
    return None


def _spark() -> str | None:
    home, ours = os.environ.get("SPARK_HOME"), Path(pyspark.__file__).parent
    if home is None or Path(home).resolve() == ours.resolve():
        return None
    return (
        f"Spark: SPARK_HOME is {home}, which may be of another version and knows no Delta; unset "
        "it, and the Spark beside this command is used"
    )


def _jars() -> str | None:
    jars = Path(pyspark.__file__).parent / "jars"
    if all(any(jars.glob(f"{name}*.jar")) for name in ("delta-spark_", "delta-storage-")):
        return None
    return "Delta: its JARs are not beside Spark's; run 'make setup', which fetches them"
