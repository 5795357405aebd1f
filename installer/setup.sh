# shellcheck shell=bash
# Sourced by run.sh and test.sh: system libraries, the Python environment in .venv, a virtual display.
# Everything is done once: a stamp in .venv remembers the state of pyproject.toml and of these scripts.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"
PYTHON="$VENV/bin/python"
PATH="$PATH:/usr/sbin:/sbin" # ldconfig, for users other than root
SCRATCH=""
XVFB_PID=""

say() { printf '%s\n' "$*"; }

# fail WHAT REMEDY: one line on what went wrong and how to mend it.
fail() {
  printf 'error: %s → %s\n' "$1" "$2" >&2
  exit 1
}

# Removes what this run made outside the project and ends the virtual display.
clean_up() {
  if [[ -n "$XVFB_PID" ]]; then
    kill "$XVFB_PID" 2>/dev/null || true
    wait "$XVFB_PID" 2>/dev/null || true
  fi
  if [[ -n "$SCRATCH" ]]; then
    rm -rf -- "$SCRATCH"
  fi
}

scratch() {
  if [[ -z "$SCRATCH" ]]; then
    SCRATCH="$(mktemp -d -t qmlstudio.XXXXXX)" || fail "no temporary folder can be made" "free some space in ${TMPDIR:-/tmp}"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
}

has_display() { [[ -n "${DISPLAY:-}" || -n "${WAYLAND_DISPLAY:-}" || "$(uname -s)" == Darwin ]]; }

# --- system packages ---------------------------------------------------------------------------------------------------

# What Qt's xcb plug-in, OpenGL and RDKit's drawing need: library, Debian package.
LIBRARIES="
libGL.so.1 libgl1
libEGL.so.1 libegl1
libxkbcommon.so.0 libxkbcommon0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-xinerama.so.0 libxcb-xinerama0
libxcb-xkb.so.1 libxcb-xkb1
libX11-xcb.so.1 libx11-xcb1
libXext.so.6 libxext6
libXrender.so.1 libxrender1
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libglib-2.0.so.0 libglib2.0-0
"

any_file() { [[ -n "$(find "$@" -print -quit 2>/dev/null)" ]]; }

# missing_packages [virtual]: names the Debian packages that are not there; "virtual" adds a display in memory.
missing_packages() {
  local known library package
  known="$(ldconfig -p 2>/dev/null || true)"
  while read -r library package; do
    if [[ -n "$library" && "$known" != *"$library "* ]]; then
      printf '%s ' "$package"
    fi
  done <<<"$LIBRARIES"
  any_file /usr/share/fonts /usr/local/share/fonts \( -name '*.ttf' -o -name '*.otf' \) || printf 'fonts-dejavu-core '
  if [[ "${1:-}" == virtual ]]; then
    command -v Xvfb >/dev/null || printf 'xvfb xauth '
    any_file /usr/lib /usr/lib64 \( -name 'swrast_dri.so' -o -name 'libgallium*.so*' \) || printf 'libgl1-mesa-dri '
  fi
}

# install_packages PACKAGE...: by apt-get, as root or through sudo.
install_packages() {
  local admin=() log
  if ! command -v apt-get >/dev/null; then
    fail "system packages are missing ($*; Debian's names)" "install them with your system's package manager"
  fi
  if [[ "$(id -u)" != 0 ]]; then
    if ! command -v sudo >/dev/null; then
      fail "system packages are missing and only root can install them" "as root: apt-get install -y $*"
    fi
    admin=(sudo)
    # without a terminal nobody can type a password
    [[ -t 0 ]] || admin=(sudo -n)
  fi
  scratch
  log="$SCRATCH/apt.log"
  say "Installing system packages: $*"
  admin+=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120)
  # a failed update (one source out of reach) does not matter if the packages can be had all the same
  "${admin[@]}" update -qq >"$log" 2>&1 || true
  if ! "${admin[@]}" install -y -qq --no-install-recommends "$@" >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install $*" "install them by hand (apt-get install -y $*) and start again"
  fi
}

ensure_system() {
  local missing
  [[ "$(uname -s)" == Linux ]] || return 0
  missing="$(missing_packages "$@")"
  if [[ -n "$missing" ]]; then
    # shellcheck disable=SC2086 # a list of names
    install_packages $missing
  fi
}

# --- Python environment ------------------------------------------------------------------------------------------------

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# Sets BASE_PYTHON to a Python 3.11 or newer.
find_python() {
  local name found
  for name in python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null && is_recent "$name"; then
      BASE_PYTHON="$(command -v "$name")"
      return
    fi
  done
  if ! command -v python3 >/dev/null; then
    install_packages python3 python3-venv
    BASE_PYTHON="$(command -v python3 || true)"
    [[ -n "$BASE_PYTHON" ]] && is_recent "$BASE_PYTHON" && return
  fi
  found="$(python3 --version 2>/dev/null || true)"
  fail "QML Studio needs Python 3.11 or newer (found: ${found:-none})" "install python3.11 and python3.11-venv and start again"
}

# make_venv FOLDER: unless there is one that works.
make_venv() {
  local folder="$1" version
  if [[ -x "$folder/bin/python" ]] && is_recent "$folder/bin/python" && "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    return
  fi
  find_python
  if ! "$BASE_PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version="$("$BASE_PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    install_packages "python$version-venv"
  fi
  scratch
  if ! "$BASE_PYTHON" -m venv --clear "$folder" >"$SCRATCH/venv.log" 2>&1; then
    tail -n 15 "$SCRATCH/venv.log" >&2
    fail "the Python environment $folder could not be made" "see the lines above; is the disk full or read-only?"
  fi
}

# pip_install PYTHON ARGUMENT...: quiet unless it fails.
pip_install() {
  local python="$1"
  shift
  scratch
  "$python" -m pip install --quiet --disable-pip-version-check --no-input "$@" >"$SCRATCH/pip.log" 2>&1 || {
    tail -n 20 "$SCRATCH/pip.log" >&2
    return 1
  }
}

# digest FILE...: changes when the files, the folder or the interpreter do.
digest() {
  { cat -- "$@"; printf '%s\n' "$ROOT"; "$PYTHON" --version 2>&1 || true; } | cksum | tr -s ' ' '-'
}

# ensure_setup KIND [virtual]: KIND is "run" to start the program, "dev" to test it as well.
ensure_setup() {
  local kind="$1" enough="dev" key stamp="$VENV/.set-up" what="$ROOT"
  case "$kind" in
    run) enough="(run|dev)" ;;
    *) what="${ROOT}[$kind]" ;;
  esac
  shift
  # one set-up at a time: the lock is on the project's folder itself
  exec 9<"$ROOT"
  if command -v flock >/dev/null; then
    flock 9
  fi
  key="$(digest "$ROOT/pyproject.toml" "$ROOT"/installer/*.sh)"
  # the stamp has a line for each kind of set-up that was finished; "dev" includes the other
  if [[ ! -x "$PYTHON" || ! -f "$stamp" ]] || ! grep -qxE -- "$key $enough" "$stamp"; then
    say "Setting up (once)…"
    ensure_system "$@"
    make_venv "$VENV"
    say "Installing Python packages into .venv (a few minutes the first time)…"
    pip_install "$PYTHON" -e "$what" ||
      fail "pip could not install QML Studio" "see the lines above; it needs the network the first time"
    key="$(digest "$ROOT/pyproject.toml" "$ROOT"/installer/*.sh)"
    { grep -s -- "^$key " "$stamp" || true; printf '%s %s\n' "$key" "$kind"; } >"$stamp.new"
    mv -- "$stamp.new" "$stamp"
  elif [[ "${1:-}" == virtual ]] && ! command -v Xvfb >/dev/null; then
    # set up on a machine with a display, now used without one
    ensure_system "$@"
  fi
  exec 9<&-
}

# --- virtual display ---------------------------------------------------------------------------------------------------

# A private X server in memory with software OpenGL, ended with the script.
start_display() {
  local tries=0
  scratch
  Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp +extension GLX 3>"$SCRATCH/display" >"$SCRATCH/xvfb.log" 2>&1 &
  XVFB_PID=$!
  until [[ -s "$SCRATCH/display" ]]; do
    tries=$((tries + 1))
    if ! kill -0 "$XVFB_PID" 2>/dev/null || ((tries > 300)); then
      tail -n 5 "$SCRATCH/xvfb.log" >&2
      fail "the virtual display Xvfb did not start" "see the lines above; try: Xvfb :99 -screen 0 1600x1000x24"
    fi
    sleep 0.1
  done
  DISPLAY=":$(tr -d '[:space:]' <"$SCRATCH/display")"
  export DISPLAY QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1
  unset WAYLAND_DISPLAY XAUTHORITY
  if [[ -z "${XDG_RUNTIME_DIR:-}" ]]; then
    mkdir -m 700 "$SCRATCH/runtime"
    export XDG_RUNTIME_DIR="$SCRATCH/runtime"
  fi
}
