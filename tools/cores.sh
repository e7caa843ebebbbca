#!/usr/bin/env bash
# The ansible-cores that tests/channels runs beside the one in .venv: the oldest that zdm supports, and the newest.
# Each goes to $1/core-VERSION. Where there is no Python for the newest it says so, and its tests skip themselves.
set -euo pipefail
directory=$1

tools/venv.sh "$directory/core-2.16" requirements/core-2.16.txt
if python=$(tools/python.sh 3.12); then
    PYTHON=$python tools/venv.sh "$directory/core-2.21" requirements/core-2.21.txt
else
    echo 'No Python 3.12 or newer, which ansible-core 2.21 needs: the channels are tested on the older ones only.'
fi
