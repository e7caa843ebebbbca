#!/usr/bin/env bash
# The Debian packages that the tests use. As root: says what is missing and installs it, unless APT=no.
# Otherwise names it and goes on: the tests skip themselves with the reason, or fail where CI=true.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
missing=()
command -v haproxy >/dev/null || missing+=(haproxy)
command -v nginx >/dev/null || missing+=(nginx)
command -v sshd >/dev/null || missing+=(openssh-server)
command -v ip >/dev/null || missing+=(iproute2)
command -v sudo >/dev/null || missing+=(sudo)
# What a proxy reaches is asked with it.
command -v wrk >/dev/null || missing+=(wrk)
# Units are tried under a systemd of their own, whose programs may not lie in a home.
[ -x /lib/systemd/systemd ] || missing+=(systemd)
[ -x /usr/bin/python3 ] || missing+=(python3)
# Older ansible-cores log in with a password through it.
command -v sshpass >/dev/null || missing+=(sshpass)
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

go_on_without() {
    fate='be skipped'
    if [ "${CI:-}" = true ]; then
        fate='fail (CI=true)'
    fi
    echo "$1: ${missing[*]}. The tests that need it will $fate. To install: sudo apt-get install ${missing[*]}"
    exit 0
}

if [ "$(id -u)" -ne 0 ]; then
    go_on_without 'Not installed, and not root'
elif [ "${APT:-yes}" = no ]; then
    go_on_without 'Not installed, and APT=no'
elif ! command -v apt-get >/dev/null; then
    go_on_without 'Not installed, and there is no apt-get here'
fi

echo "Installing Debian packages that the tests need (APT=no forbids it): ${missing[*]}"
# The tests start processes of their own on 127.0.0.1; the packages' services must not start (sshd listens everywhere).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}" ||
    go_on_without 'The installation failed'
