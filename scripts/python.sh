#!/bin/sh
# Runs scripts/environment.py, which creates or repairs .venv, with a version of Python that this project supports.
# The Makefile calls it in the project's folder; it needs only a POSIX shell.
#
#   python.sh PYTHON ORIGIN GOALS
#
# PYTHON is the interpreter to use. ORIGIN is `file` if PYTHON is the Makefile's default; then a working .venv is used
# instead of reporting an error. GOALS are the goals of the call of make, for the command in the message.
set -u

# requires-python of pyproject.toml, with the newest first; tests compare the two.
supported="3.13 3.12 3.11"
words="3.11, 3.12 or 3.13"

python=$1 origin=$2 goals=$3
try="make${goals:+ $goals}"

fail() {
    echo "error: $1" >&2
    exit 1
}

# The version of an interpreter as MAJOR.MINOR.PATCH; empty if there is none.
version_of() {
    "$1" --version 2>&1 | sed -n 's/^Python \([0-9][0-9]*\.[0-9][0-9]*[0-9.]*\).*/\1/p' | head -n 1
}

is_supported() {
    case " $supported " in
        *" $(echo "$1" | cut -d . -f 1,2) "*) return 0 ;;
        *) return 1 ;;
    esac
}

can_create_environments() {
    "$1" -c 'from importlib.util import find_spec; import sys
sys.exit(not (find_spec("ensurepip") and find_spec("venv")))' >/dev/null 2>&1
}

# The remedy for an unsuitable interpreter: use another one that is installed, or install one.
remedy() {
    for minor in $supported; do
        other=python$minor
        if [ "$other" != "$python" ] && command -v "$other" >/dev/null 2>&1 &&
            is_supported "$(version_of "$other")" && can_create_environments "$other"; then
            echo "run \`$try PYTHON=$other\`."
            return
        fi
    done
    if [ "$(uname -s)" = Darwin ]; then
        echo "run \`brew install python@3.13\`, then \`$try PYTHON=python3.13\`."
        return
    fi
    for minor in $supported; do
        if apt-cache show "python$minor-venv" >/dev/null 2>&1; then
            echo "run \`sudo apt install python$minor python$minor-venv\`, then \`$try PYTHON=python$minor\`."
            return
        fi
    done
    echo "install one with its module venv, for example with \`uv python install 3.13\` (https://docs.astral.sh/uv)," \
        "then run \`$try PYTHON=python3.13\`."
}

case "$(uname -s)" in
    CYGWIN* | MINGW* | MSYS*)
        fail "On Windows this project runs only in WSL: open a WSL terminal, clone the project there and run \`$try\`."
        ;;
esac

version=
if command -v "$python" >/dev/null 2>&1; then
    version=$(version_of "$python")
fi

problem=
if [ -z "$version" ]; then
    problem="\`$python\` was not found or does not run; this project needs Python $words:"
    problem="$problem $(remedy)"
elif ! is_supported "$version"; then
    problem="\`$python\` is Python $version, and this project needs Python $words: $(remedy)"
elif ! can_create_environments "$python"; then
    minor=$(echo "$version" | cut -d . -f 1,2)
    problem="\`$python\` (Python $version) lacks the modules venv or ensurepip, which create .venv:"
    problem="$problem run \`sudo apt install python$minor-venv\` (Debian, Ubuntu), then \`$try\`."
fi

if [ -n "$problem" ]; then
    # A working environment needs no other Python. environment.py checks whether it works.
    if [ "$origin" = file ] && [ -x .venv/bin/python ] && is_supported "$(version_of .venv/bin/python)" &&
        .venv/bin/python scripts/environment.py --is-intact; then
        python=.venv/bin/python
    else
        fail "$problem"
    fi
fi

exec "$python" scripts/environment.py
