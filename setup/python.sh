#!/bin/sh
# Make the virtual environment .venv from the pinned lock, with credit-spark on its path.
set -eu
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 or later is needed; set PYTHON=/path/to/python3.11 and try again." >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        echo "setup: this Python has no venv; install python3-venv and try again." >&2
        exit 2
    fi
fi
echo "setup: the virtual environment .venv (some minutes, once)"
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
