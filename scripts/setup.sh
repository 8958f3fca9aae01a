#!/usr/bin/env bash
# Makes .venv ready: `scripts/setup.sh` for a run, `scripts/setup.sh test` for the tests' tools as well.
#
# When .venv is ready this returns at once. It may be killed at any moment and started twice at once.
# PYTHON=python3.12 chooses the interpreter; without it a working .venv keeps the one it has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=${PATH//"$PWD/.venv/bin:"/} # an activated .venv cannot make itself anew

extra=${1:-run}
inputs=$(cat pyproject.toml constraints.txt scripts/setup.sh | cksum)
ours=.venv/made-by-setup # written first: only such a .venv is ever deleted
stamp=.venv/setup.stamp # written last: a .venv without it was cut short

refuse() {
    printf '%s\n' "$*" >&2
    exit 1
}

# --- what .venv is now ---------------------------------------------------------------------------

version_of() { "$1" -I -c 'import sys; print(" ".join(sys.version.split()))' 2>/dev/null; }

venv_version() { # of the interpreter, if it still runs and still finds this checkout
    .venv/bin/python -I -c 'import importlib.util as i; raise SystemExit(not i.find_spec("leadscore").origin)' \
        2>/dev/null && version_of .venv/bin/python
}

is_whole() { # finished, made in this folder, and with the Python that is asked for
    [[ -f $stamp ]] || return 1
    { IFS= read -r made_in && IFS= read -r made_with && read -r made_from && read -r holds; } <"$stamp" || return 1
    [[ $made_in == "$PWD" && $made_with == "$(venv_version)" ]] || return 1
    [[ -z ${PYTHON:-} || $made_with == "$(version_of "$PYTHON")" ]]
}

is_ready() { is_whole && [[ $made_from == "$inputs" && ($holds == test || $holds == "$extra") ]]; }

# --- what the machine has ------------------------------------------------------------------------

choose_python() { # sets `python`
    local candidates=(python3 python3.14 python3.13 python3.12 python3.11) found=()
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    for python in "${candidates[@]}"; do
        version=$(version_of "$python") || continue
        "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' && return
        found+=("$python is ${version%% *}")
    done
    refuse "leadscore needs Python 3.11 or newer, and here ${found[0]:-no ${candidates[0]} runs}." \
        "From Debian 12 and Ubuntu 24.04 on: sudo apt-get install -y python3 python3-venv libgomp1." \
        "To use another one: make demo PYTHON=/path/to/python3.12"
}

find_missing() { # sets `missing`: Debian's packages for what Python or LightGBM lack here
    missing=()
    local series
    series=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [[ $python != python3 ]] || series=3 # the machine's own Python: the package without a minor version
    "$python" -I -c 'import venv, ensurepip; ensurepip.version()' 2>/dev/null || missing+=("python$series-venv")
    [[ $(uname) != Linux ]] || "$python" -I -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null ||
        missing+=(libgomp1)
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install "$@" 9>&-
}

install_missing() {
    local log
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        refuse "This machine lacks what leadscore needs; install it with: sudo apt-get install -y ${missing[*]}"
    fi
    echo "Installing ${missing[*]} ..."
    apt_install "${missing[@]}" >/dev/null 2>&1 || # a fresh machine's package lists may be empty or old
        log=$(apt-get -qq update 2>&1 && apt_install "${missing[@]}" 2>&1) ||
        refuse "$log"$'\n'"apt-get could not install ${missing[*]}, which leadscore needs."
    find_missing
    ((${#missing[@]} == 0)) || refuse "$python still finds no ${missing[*]} after they were installed."
}

# --- make it ready -------------------------------------------------------------------------------

! is_ready || exit 0

# The lock is on this file; pip inherits it, so that a killed set-up is not joined while pip still writes.
if command -v flock >/dev/null; then
    exec 9<>scripts/setup.sh
    flock --nonblock 9 || { echo "Waiting for another set-up of .venv ..." && flock 9; }
fi
! is_ready || exit 0

choose_python
find_missing
((${#missing[@]} == 0)) || install_missing

if is_whole; then # other versions are asked for, or the tests' tools are: no need to start over
    echo "Bringing .venv up to date ..."
    rm "$stamp"
else
    echo "Setting up .venv (once, about a minute) ..."
    [[ ! -e .venv || -e $ours ]] ||
        refuse "There is a .venv here that this set-up did not make; move it away, or run: make clean"
    rm -rf .venv
    mkdir .venv && touch "$ours"
    "$python" -I -m venv .venv
    holds=$extra
fi
[[ $extra == run ]] || holds=$extra
project=.
[[ $holds == run ]] || project=".[$holds]"

# The constraints travel by environment, so that they also hold in the places where pip builds packages
# (newer pips read PIP_BUILD_CONSTRAINT there). The path is relative because pip splits the value at blanks.
PIP_USER=0 PIP_CONSTRAINT="${PIP_CONSTRAINT:-} constraints.txt" PIP_BUILD_CONSTRAINT=constraints.txt \
    .venv/bin/python -I -m pip --quiet --disable-pip-version-check --no-input \
    install --use-pep517 --editable "$project" ||
    refuse "Setting up .venv failed for pip's reason above (it speaks of a conflict with a constraint also when" \
        "the package index does not answer or lacks that version); the next try starts over."

printf '%s\n' "$PWD" "$(venv_version)" "$inputs" "$holds" >"$stamp.new"
mv "$stamp.new" "$stamp"
