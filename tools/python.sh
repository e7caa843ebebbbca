#!/usr/bin/env bash
# Prints the first Python with venv that is at least version $1: PYTHON's, one on the PATH, one that pyenv has.
set -euo pipefail
least=$1
shopt -s nullglob

for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
    if "$candidate" - "$least" 2>/dev/null <<'CHECK'
import ensurepip, sys, venv
sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))
CHECK
    then
        command -v "$candidate"
        exit 0
    fi
done
exit 1
