#!/usr/bin/env bash
# Checks everything: style, types, layers, tests under a virtual display. Goes through all steps and fails if one failed.
#   bash installer/test.sh [--fast] [PYTEST ARGUMENT…]
#       --fast        leave out the tests marked slow (and say so)
#   bash installer/test.sh --benchmarks [NAME…] [--write]
#       the comparisons with other packages instead of the tests; --write renews docs/benchmarks.md
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

benchmarks=false
fast=false
rest=()
for argument in "$@"; do
  case "$argument" in
    --benchmarks) benchmarks=true ;;
    --fast) fast=true ;;
    -h | --help)
      sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) rest+=("$argument") ;;
  esac
done

ensure_setup dev virtual
start_display

# The packages that the benchmarks compare with: their pins clash with ours, so they have an environment of their own.
ensure_peers() {
  local folder="$ROOT/.venv-peers" list="$ROOT/tests/benchmarks/requirements-peers.txt" key
  key="$(digest "$list")"
  if [[ -x "$folder/bin/python" && -f "$folder/.set-up" && "$(<"$folder/.set-up")" == "$key" ]]; then
    return
  fi
  say "Installing the packages to compare with into .venv-peers (once)…"
  make_venv "$folder"
  if ! pip_install "$folder/bin/python" -r "$list"; then
    # no wheel for this machine: some are Fortran and C++ at heart
    if command -v gfortran >/dev/null && command -v g++ >/dev/null; then
      fail "pip could not install the packages to compare with" "see the lines above"
    fi
    install_packages gfortran g++ "python$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-dev"
    pip_install "$folder/bin/python" -r "$list" ||
      fail "pip could not install the packages to compare with" "see the lines above"
  fi
  printf '%s\n' "$key" >"$folder/.set-up"
}

cd "$ROOT"
if "$benchmarks"; then
  ensure_peers
  # BLAS picks its kernels by the processor; an override would bend the comparison
  unset OPENBLAS_CORETYPE
  code=0
  "$PYTHON" tests/benchmarks/run.py --peers "$ROOT/.venv-peers/bin/python" ${rest[@]+"${rest[@]}"} || code=$?
  exit "$code"
fi

if "$fast"; then
  rest=(-m "not slow" ${rest[@]+"${rest[@]}"})
fi

failed=()
step() {
  local name="$1" began=$SECONDS
  shift
  say ""
  say "== $name"
  if "$@"; then
    say "== $name: passed ($((SECONDS - began)) s)"
  else
    say "== $name: FAILED ($((SECONDS - began)) s)"
    failed+=("$name")
  fi
}

# Style, types and layers take one core, compiling the loops that the tests need another: side by side.
check_style() {
  step "ruff check" "$PYTHON" -m ruff check .
  step "ruff format" "$PYTHON" -m ruff format --check .
  step "mypy" "$PYTHON" -m mypy
  step "layers" "$PYTHON" -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
  printf '%s\n' ${failed[@]+"${failed[@]}"} >"$SCRATCH/style.failed"
}
scratch
check_style >"$SCRATCH/style.log" 2>&1 &
style=$!
trap 'kill "$style" 2>/dev/null || true; clean_up' EXIT
step "compiled loops" "$PYTHON" tests/compile.py
wait "$style" || true
trap clean_up EXIT
cat "$SCRATCH/style.log"
if [[ -f "$SCRATCH/style.failed" ]]; then
  while read -r name; do
    if [[ -n "$name" ]]; then failed+=("$name"); fi
  done <"$SCRATCH/style.failed"
else
  failed+=("style") # it ended before its last line
fi
# Two halves side by side that take about as long, the window's with some of the rest: neither needs more than a core.
# With arguments of your own, one run.
WINDOW=(tests/app tests/shell tests/views tests/widgets tests/session tests/figures)
run_tests() {
  if ((${#rest[@]})) && ! { "$fast" && ((${#rest[@]} == 2)); }; then
    "$PYTHON" -m pytest "${rest[@]}"
    return
  fi
  local core code=0
  scratch
  "$PYTHON" -m pytest ${rest[@]+"${rest[@]}"} "${WINDOW[@]/#/--ignore=}" >"$SCRATCH/core.log" 2>&1 &
  core=$!
  # a background process does not hear of Ctrl+C
  trap 'kill "$core" 2>/dev/null || true; clean_up' EXIT
  "$PYTHON" -m pytest ${rest[@]+"${rest[@]}"} "${WINDOW[@]}" -p no:cacheprovider || code=$?
  wait "$core" || code=$?
  trap clean_up EXIT
  cat "$SCRATCH/core.log"
  return "$code"
}
step "tests" run_tests

say ""
if "$fast"; then
  say "--fast: the tests marked slow were left out (their number is among the deselected above)."
fi
if ((${#failed[@]})); then
  printf -v names '%s, ' "${failed[@]}"
  say "FAILED: ${names%, }"
  exit 1
fi
say "All steps passed."
