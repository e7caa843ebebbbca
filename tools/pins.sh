#!/usr/bin/env bash
# Resolves the direct requirements $1 in a fresh environment and writes all of them with versions to $2.
set -euo pipefail
direct=$1 pinned=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tools/venv.sh "$scratch/venv" "$direct"
{
    echo "# Written by \`make pins\` from $direct; do not edit."
    "$scratch/venv/bin/python" -m pip --disable-pip-version-check freeze
} >"$scratch/pinned"
mv "$scratch/pinned" "$pinned"
