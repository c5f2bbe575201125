#!/bin/sh
# Make sure that a full Java 17 or 21 is here: Spark 4.1 runs on no other, and needs the module
# jdk.incubator.vector, which trimmed runtimes lack.
is_full_java() {
    "$1" --list-modules 2>/dev/null | grep -q '^jdk.incubator.vector@\(17\|21\)\b'
}

if [ -n "${JAVA_HOME:-}" ]; then
    is_full_java "$JAVA_HOME/bin/java" && exit 0
    echo "setup: JAVA_HOME is $JAVA_HOME, and there is no full Java 17 or 21 in it. Set it to one," >&2
    echo "or unset it, and run the same command again: then one is looked for, or installed." >&2
    exit 2
fi
is_full_java java && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing a Java runtime (openjdk-17-jre-headless, else 21)"
    apt-get update -qq
    for version in 17 21; do
        apt-get install -y -qq --no-install-recommends "openjdk-$version-jre-headless" >/dev/null &&
            is_full_java java && exit 0
    done
fi

cat >&2 <<'SAY'
setup: no full Java 17 or 21 was found, and none could be installed from here. Install one, then
run the same command again:
  Debian, Ubuntu   sudo apt-get install openjdk-17-jre-headless   (or openjdk-21-jre-headless)
  Fedora, RHEL     sudo dnf install java-21-openjdk-headless
  macOS            brew install openjdk@21
or set JAVA_HOME to one that is already here. A runtime trimmed by jlink is not enough.
SAY
exit 2
