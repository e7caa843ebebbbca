#!/usr/bin/env bash
# The Debian packages that the tests use. As root: says what is missing and installs it, unless APT=no.
# Otherwise names it and goes on: tests skip themselves with the reason, or fail where CI=true.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
missing=()
command -v haproxy >/dev/null || missing+=(haproxy)
command -v sshd >/dev/null || missing+=(openssh-server)
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

by_hand() {
    echo "$1: ${missing[*]}. The tests that need it will ${2:-be skipped}. To install: sudo apt-get install ${missing[*]}"
}
fate='be skipped'
if [ "${CI:-}" = true ]; then
    fate=fail
fi
if [ "$(id -u)" -ne 0 ]; then
    by_hand 'Not installed, and not root' "$fate"
elif [ "${APT:-yes}" = no ]; then
    by_hand 'Not installed, and APT=no' "$fate"
elif ! command -v apt-get >/dev/null; then
    by_hand 'Not installed, and there is no apt-get here' "$fate"
else
    echo "Installing Debian packages that the tests need (APT=no forbids it): ${missing[*]}"
    # The tests start their own processes on 127.0.0.1; the packages' services must not start (sshd listens everywhere).
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; }; then
        by_hand 'The installation failed' "$fate"
    fi
fi
