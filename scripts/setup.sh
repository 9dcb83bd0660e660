#!/bin/sh
# Finds a Python that is new enough and hands over to setup.py: scripts/setup.sh run|dev
# PYTHON names an interpreter; without it python3 is tried first, then the newer names on PATH.
set -eu
cd "$(dirname "$0")/.."

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

if [ -n "${PYTHON:-}" ]; then
    "$PYTHON" -c "$new_enough" 2>/dev/null && exec "$PYTHON" scripts/setup.py "$1" --this-python
    echo "keyturn setup: PYTHON=$PYTHON does not run or is older than 3.11; name a Python 3.11 or newer." >&2
    exit 1
fi

for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    # A name on PATH may be a shim that only prints an error, so each is run.
    "$name" -c "$new_enough" 2>/dev/null && exec "$name" scripts/setup.py "$1"
done

# uv keeps Pythons of its own that need not be on PATH.
if found=$(uv python find '>=3.11' 2>/dev/null); then exec "$found" scripts/setup.py "$1"; fi

echo "keyturn setup: no Python 3.11 or newer on PATH; install one (Debian, Ubuntu: apt install python3 python3-venv)" \
    "or name one: make PYTHON=/path/to/python3.11" >&2
exit 1
