#!/bin/sh
# deps.sh run|test|ci: installs what is missing on Debian, each word with what the one before it needs. Where nothing is missing it changes
# nothing and needs no network.
set -eu

# A row: what must be there, and the package that brings it. "cmd:" is a program on PATH, "pkg:" a Debian package.
needed_to_run='
cmd:cc          gcc
cmd:gcc         gcc
cmd:pkg-config  pkg-config
cmd:curl        curl
pkg:libc6-dev   libc6-dev
pkg:libevent-dev libevent-dev
pkg:libjansson-dev libjansson-dev
pkg:libpcre2-dev libpcre2-dev
pkg:libssl-dev  libssl-dev
'
needed_to_test='
pkg:libcmocka-dev libcmocka-dev
cmd:/usr/bin/python3 python3
pkg:python3-pytest python3-pytest
pkg:python3-pytest-xdist python3-pytest-xdist
pkg:python3-jsonschema python3-jsonschema
pkg:python3-cryptography python3-cryptography
cmd:openssl     openssl
cmd:node        nodejs
cmd:npm         npm
'
needed_for_ci='
cmd:clang       clang
cmd:clang-format clang-format
cmd:clang-tidy  clang-tidy
cmd:cppcheck    cppcheck
'
# Older builds of libevent 2.1.12 lack security fixes that the gate relies on, and call themselves the same.
libevent_least='2.1.12-stable-8+deb12u1'

case ${1:-} in
run) needed=$needed_to_run ;;
test) needed=$needed_to_run$needed_to_test ;;
ci) needed=$needed_to_run$needed_to_test$needed_for_ci ;;
*)
    sed -n '2,3p' "$0" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo 'deps: this is no Debian; see tests/deps.sh for what is needed' >&2
    exit 0
fi

package_version() {
    dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^installed //p'
}

is_there() {
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    pkg:libevent-dev)
        version=$(package_version libevent-dev)
        [ -n "$version" ] && dpkg --compare-versions "$version" ge "$libevent_least"
        ;;
    pkg:*) [ -n "$(package_version "${1#pkg:}")" ] ;;
    esac
}

missing() {
    echo "$needed" | while read -r thing package; do
        [ -z "$thing" ] || is_there "$thing" || echo "$package"
    done | sort -u | tr '\n' ' '
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: missing: $wanted— install them as root: apt-get install --no-install-recommends $wanted" >&2
        exit 1
    }
    as_root='sudo env DEBIAN_FRONTEND=noninteractive'
fi
export DEBIAN_FRONTEND=noninteractive

install_wanted() {
    $as_root apt-get install -y -q --no-install-recommends $wanted
}

echo "deps: installing $wanted"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Package lists that are missing or stale make the first try fail; then they are fetched and it is tried again.
if ! install_wanted >"$log" 2>&1; then
    $as_root apt-get update -q >>"$log" 2>&1 || true
    install_wanted >>"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        exit 1
    }
fi

still=$(missing)
if [ -n "$still" ]; then
    echo "deps: still missing or too old after the installation: $still(libevent must be $libevent_least or newer;" \
        'are the security updates among the package sources?)' >&2
    exit 1
fi
