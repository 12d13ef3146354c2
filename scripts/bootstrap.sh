#!/usr/bin/env bash
# Makes .venv and installs what is missing; called by the Makefile.
#
#   scripts/bootstrap.sh SET...     SET: run    what the program needs (always first), and OpenVINO where the
#                                               processor computes in bfloat16: it is the quicker engine there
#                                        dev    linters and test tools
#                                        train  what training/ needs
#                                        tools  system packages for the browser and VM tests (optional ones)
#
# Every set is stamped when it is complete: a second call returns at once, a changed lock installs again,
# an interrupted install is repeated. pip's own configuration decides where packages come from.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
say() { printf 'live-relight: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# ---------------------------------------------------------------- system packages

# Prefix that makes a command run as root, in the array AS_ROOT; fails if that needs a password.
as_root() {
    AS_ROOT=()
    [ "$(id -u)" = 0 ] && return 0
    AS_ROOT=(sudo -n)
    command -v sudo >/dev/null && sudo -n true 2>/dev/null
}

# apt_install WHY PACKAGE...   installs, or says the command and fails
apt_install() {
    local why=$1
    shift
    if ! command -v apt-get >/dev/null; then
        say "$why: missing; install what your system calls: $*"
        return 1
    fi
    if ! as_root; then
        say "$why: missing; run: sudo apt-get install --no-install-recommends $*"
        return 1
    fi
    say "installing $* ($why)"
    local apt=("${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    "${apt[@]}" update || say "apt-get update failed; trying with the lists that are there"
    if ! "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "$why: apt-get install failed; run: sudo apt-get install --no-install-recommends $*"
        return 1
    fi
}

need_system() { # what `run` needs: a Python that can make environments, and OpenGL
    local version
    command -v "$python" >/dev/null || die "$python: not found; install Python 3.11 or newer, or say PYTHON=…"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$python is Python $version, expected 3.11 or newer; say PYTHON=python3.12, for example"
    local packages=() why=()
    if [ ! -x $venv/bin/python ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        packages+=("python$version-venv")
        why+=("Python's venv module")
    fi
    local lack
    if [ "$(uname -s)" = Linux ] && ! lack=$("$python" scripts/check_gl.py); then
        packages+=(libegl1 libgl1 libgl1-mesa-dri)
        why+=("OpenGL: $lack")
    fi
    [ ${#packages[@]} = 0 ] && return 0
    local reason
    reason=$(printf '%s, ' "${why[@]}")
    apt_install "${reason%, }" "${packages[@]}" || exit 1
    if [ "$(uname -s)" = Linux ]; then
        lack=$("$python" scripts/check_gl.py) || die "OpenGL still does not start: $lack"
    fi
}

need_tools() { # the browser test and the machine with cameras; tests that miss them are skipped and say so
    [ "$(uname -s)" = Linux ] || return 0
    local packages=() pair
    for pair in chromium:chromium qemu-system-x86_64:qemu-system-x86 v4l2-ctl:v4l-utils \
        gcc-12:gcc-12 strip:binutils make:make; do
        command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
    done
    # objtool, which the kernel's headers bring along to build modules, is linked against libelf
    "$python" -c 'import ctypes; ctypes.CDLL("libelf.so.1")' 2>/dev/null || packages+=(libelf1)
    [ ${#packages[@]} = 0 ] || apt_install "tools for the browser and VM tests" "${packages[@]}" || true
}

# ---------------------------------------------------------------- Python packages

make_venv() {
    if [ -x $venv/bin/python ]; then
        local have wanted
        have=$(cat $venv/made-for 2>/dev/null || true)
        wanted="$PWD $("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)"
        [ -n "$asked_python" ] && wanted="$PWD $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        [ "$have" = "$wanted" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null && return 0
    fi
    say "making $venv with $("$python" --version)"
    rm -rf $venv
    "$python" -m venv $venv
    printf '%s %s\n' "$PWD" "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" >$venv/made-for
}

install_set() { # SET: one lock file, then (for run) the checkout itself
    local lock=requirements/$1.lock stamp=$venv/installed-$1 sum
    sum=$(cat "$lock" pyproject.toml | cksum)
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$sum" ] && return 0
    say "installing $(grep -c '==' "$lock") Python packages ($lock) into $venv; the first time takes some minutes"
    rm -f "$stamp"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input --only-binary :all: -r "$lock" ||
        return 1
    if [ "$1" = run ]; then
        "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation \
            --config-settings editable_mode=compat -e . || return 1
    fi
    printf '%s\n' "$sum" >"$stamp"
}

# What takes less time than what the program needs does, on some processors (geometry/openvino.py: fault).
# Nothing depends on it.
install_quicker() {
    grep -qE '^flags.*avx512_bf16|^flags.*amx_bf16' /proc/cpuinfo 2>/dev/null || return 0
    install_set openvino || say "OpenVINO was not installed; the program works without"
}

# ---------------------------------------------------------------- go

asked_python=${PYTHON:-}
python=${PYTHON:-python3}
mkdir -p build
log=$PWD/build/apt.log
if command -v flock >/dev/null; then # two makes at once take turns
    exec 9>build/bootstrap.lock
    flock 9
fi
need_system
make_venv
for set in "$@"; do
    case $set in
        run)
            install_set run
            install_quicker
            ;;
        dev | train) install_set "$set" ;;
        tools) need_tools ;;
        *) die "unknown set '$set'; known: run dev train tools" ;;
    esac
done
