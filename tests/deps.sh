#!/bin/sh
# deps.sh run|test|ci|model|soak|bench: installs what is missing on Debian; test and ci with what the word before needs, soak and bench with what run needs. Where
# nothing is missing it changes nothing and needs no network. What bench brings are servers: none is started, now or at boot.
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
pkg:libseccomp-dev libseccomp-dev
'
needed_to_test='
pkg:libcmocka-dev libcmocka-dev
cmd:/usr/bin/python3 python3
pkg:python3-pytest python3-pytest
pkg:python3-pytest-xdist python3-pytest-xdist
pkg:python3-jsonschema python3-jsonschema
pkg:python3-prometheus-client python3-prometheus-client
pkg:python3-cryptography python3-cryptography
cmd:openssl     openssl
cmd:node        nodejs
cmd:npm         npm
cmd:socat       socat
cmd:strace      strace
cmd:valgrind    valgrind
cmd:spin        spin
'
needed_for_ci='
cmd:clang       clang
cmd:clang-format clang-format
cmd:clang-tidy  clang-tidy
cmd:cppcheck    cppcheck
pkg:libclang-rt-dev libclang-rt-dev
'
needed_for_model='
cmd:cc          gcc
cmd:spin        spin
'
needed_to_soak='
cmd:/usr/bin/python3 python3
cmd:slowhttptest slowhttptest
cmd:testssl     testssl.sh
pkg:python3-cryptography python3-cryptography
'
needed_for_bench='
cmd:/usr/bin/python3 python3
cmd:openssl     openssl
cmd:strace      strace
cmd:valgrind    valgrind
cmd:taskset     util-linux
cmd:wrk         wrk
cmd:/usr/sbin/nginx nginx
pkg:libnginx-mod-http-lua libnginx-mod-http-lua
cmd:/usr/sbin/haproxy haproxy
cmd:/usr/bin/caddy caddy
cmd:/usr/sbin/apache2 apache2-bin
'
# Older builds of libevent 2.1.12 lack security fixes that the gate relies on, and call themselves the same.
libevent_least='2.1.12-stable-8+deb12u1'

case ${1:-} in
run) needed=$needed_to_run ;;
test) needed=$needed_to_run$needed_to_test ;;
ci) needed=$needed_to_run$needed_to_test$needed_for_ci ;;
model) needed=$needed_for_model ;;
soak) needed=$needed_to_run$needed_to_soak ;;
bench) needed=$needed_to_run$needed_for_bench ;;
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

# Debian's packages of servers start them at once, unless this file says no, and again with the machine.
never_start=/usr/sbin/policy-rc.d

dont_start_servers() {
    [ ! -e "$never_start" ] || return 0
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$never_start" >/dev/null
    $as_root chmod 755 "$never_start"
    trap '$as_root rm -f "$never_start"; rm -f "$log"' EXIT
}

dont_start_servers_later() {
    command -v systemctl >/dev/null || return 0
    for service in nginx haproxy caddy; do
        case " $wanted" in *" $service "*) $as_root systemctl disable "$service" >/dev/null 2>&1 || true ;; esac
    done
}

echo "deps: installing $wanted"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
[ "$1" != bench ] || dont_start_servers
# Package lists that are missing or stale make the first try fail; then they are fetched and it is tried again.
if ! install_wanted >"$log" 2>&1; then
    $as_root apt-get update -q >>"$log" 2>&1 || true
    install_wanted >>"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        exit 1
    }
fi
[ "$1" != bench ] || dont_start_servers_later

still=$(missing)
if [ -n "$still" ]; then
    echo "deps: still missing or too old after the installation: $still(libevent must be $libevent_least or newer;" \
        'are the security updates among the package sources?)' >&2
    exit 1
fi
