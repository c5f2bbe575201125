#!/bin/sh
# Install the pinned packages of a lock file into .venv, with credit-spark on its path:
# python.sh requirements.lock has what a run needs, requirements-dev.lock what the tests need, too.
set -eu
lock=$1
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11 and try again." >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing python3-venv, which this Python lacks"
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        echo "setup: this Python has no venv; install python3-venv and try again." >&2
        exit 2
    fi
fi
echo "setup: packages of $lock into .venv (some minutes, once)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$lock"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
