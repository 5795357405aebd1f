#!/usr/bin/env bash
# Starts QML Studio, setting it up first if need be. Without a display it draws the figures of the built-in data set.
#   bash installer/run.sh [FILE…]             the window
#   bash installer/run.sh render|info …       the command line (--help shows all)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if has_display; then
  ensure_setup run
  if [[ -n "$SCRATCH" ]]; then
    clean_up # exec runs no traps
  fi
  exec "$PYTHON" -m qmlstudio "$@"
fi

ensure_setup run virtual
if (($# == 0)); then
  say "No display: drawing the built-in data set under a virtual one; figures and a picture of the window go to $ROOT/figures"
  set -- demo --out "$ROOT/figures"
elif [[ "$1" != -* && -e "$1" ]]; then
  fail "no display to open a window on $1" "bash installer/run.sh render \"$1\" --view map --out map.pdf draws it without one"
fi
start_display
code=0
"$PYTHON" -m qmlstudio "$@" || code=$?
exit "$code"
