#!/usr/bin/env bash
# Builds the virtual environment $1 from the pinned requirements $2, or brings it up to date.
# The first Python that is new enough is taken; PYTHON=/path/to/python3 chooses one.
set -euo pipefail
venv=$1 requirements=$2

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! new_enough "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        found=$("${PYTHON:-python3}" --version 2>&1) || found='not there'
        echo "${PYTHON:-python3} is $found: zdm's tools need Python 3.11 or newer (the pinned ansible-core needs it)." >&2
        echo 'Install one, or name it: make PYTHON=/path/to/python3.12 ...' >&2
        exit 1
    fi
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "$("$python" --version) has no venv with pip in it; on Debian or Ubuntu: sudo apt-get install python3-venv" >&2
        exit 1
    fi
    echo "Making $venv with $("$python" --version)."
    "$python" -m venv --clear "$venv"
fi

echo "Installing $requirements into $venv."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
