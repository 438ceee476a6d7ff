# Shared by the shell scripts of this folder; sourced, not run. Says things on stderr, finds root.

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# as_root CMD...: runs CMD as root, through sudo when needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for '$*': run as root, or install sudo"
  fi
}

# The compiler cache is used when it is there; it is never installed.
cache_options() {
  if command -v ccache >/dev/null; then
    printf '%s\n' -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
}

# build PRESET [TARGET...]: configures (once; CMake repeats it when needed) and builds.
build() {
  local preset=$1; shift
  cd "$root_dir"
  if [ ! -f "build/$preset/build.ninja" ]; then
    # shellcheck disable=SC2046
    cmake --preset "$preset" $(cache_options) >&2
  fi
  cmake --build "build/$preset" ${@:+--target "$@"} >&2
}
