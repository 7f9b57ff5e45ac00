#!/bin/sh
# Make .venv as uv.lock says. Called by `make setup` in the repository's root, with the uv to use as its argument.
set -eu
uv=$1

fail() {
    printf 'ERROR: %s\n' "$1" >&2
    exit 1
}

python=
for name in python3.11 python3.12 python3.13 python3 python; do
    # A name may stand on the PATH and not run (pyenv), or be another version.
    if python=$("$name" -c 'import sys; (3, 11) <= sys.version_info[:2] < (3, 14) or sys.exit(1); print(sys.executable)' 2>/dev/null); then
        break
    fi
    python=
done
[ -n "$python" ] || fail "no Python 3.11, 3.12 or 3.13 on the PATH. Install one (Debian and Ubuntu: apt-get install python3.11) and run the same command again."

case $uv in
.uv/*)
    if [ ! -x "$uv" ] || [ workflow/scripts/get_uv.py -nt "$uv" ]; then
        "$python" workflow/scripts/get_uv.py >/dev/null
    fi
    ;;
esac

UV_DEFAULT_INDEX=$("$python" workflow/scripts/get_uv.py --index)
export UV_DEFAULT_INDEX

# From here on uv touches .venv alone. A Python is named only to make it: a variable would send `uv pip` to that Python.
unset UV_PYTHON VIRTUAL_ENV CONDA_PREFIX
export UV_PROJECT_ENVIRONMENT=.venv
[ -x .venv/bin/python ] || "$uv" venv --quiet --allow-existing --python "$python" .venv

# What a study and all tests need: also the drivers of a team server and the plugins of Slurm.
extras="--extra workflow --extra genetics --extra interchange --extra serve --extra fhir --extra onnx --extra team --extra slurm"

if [ "$UV_DEFAULT_INDEX" = https://pypi.org/simple ]; then
    # shellcheck disable=SC2086  # words, on purpose
    "$uv" sync --frozen $extras || fail "the environment could not be made: see uv's words above. Nothing else was changed."
    exit 0
fi

# The lock names PyPI's own addresses. From another index the same versions are taken and checked by the lock's sums.
if [ ! .venv/locked -nt uv.lock ]; then
    # shellcheck disable=SC2086
    "$uv" export --quiet --frozen $extras --no-emit-project >.venv/locked.txt
    "$uv" pip sync --python .venv/bin/python --require-hashes .venv/locked.txt ||
        fail "your package index lacks a locked file: see uv's words above."
    "$uv" pip install --python .venv/bin/python --no-deps --editable .
    mv .venv/locked.txt .venv/locked
fi
