#!/usr/bin/env bash
# hearth on a Debian or Ubuntu machine, one step a command. Every step may be repeated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
usage: ./setup.sh STEP

  deps            install the compiler, CMake and the libraries that the tool and the tests use (apt-get)
  build           deps, then the library and the tool, optimized: build/hearth
  demo [PROMPT]   build, then let a model write: $HEARTH_MODEL, or the one in examples/models
  test            deps, then build everything with warnings as errors and run all tests
  bench [ARGS]    build, then measure: hearth bench $HEARTH_MODEL ARGS
  asan, tsan      the tests under AddressSanitizer and UndefinedBehaviorSanitizer, or ThreadSanitizer
  emulated        the tests of the AVX-VNNI and AVX-512 kernels, emulated: for processors without them
  fuzz SECONDS    every fuzz entry for that long (clang)
  format          lay the source out as .clang-format has it (clang-format 14)

environment:
  HEARTH_MODEL    a GGUF file for demo and bench
  HEARTH_GOLDEN   folder of golden data for the tests (../shared/golden)
  HEARTH_JOBS     compilers at a time (as many as processors)
TEXT
}

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }

jobs=${HEARTH_JOBS:-$(nproc 2>/dev/null || echo 2)}
cmake_options=()
# Ninja and ccache are used where they are installed; make does as well.
if command -v ninja >/dev/null; then export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}; fi
if command -v ccache >/dev/null; then cmake_options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi

# install PACKAGE...: installs what is missing of these.
install() {
  local missing=() package
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "no apt-get here: please install: $*"
    return
  fi
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi

  say "installing ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "as root, please: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
  # Package lists may be absent (a fresh container) or out of date.
  "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null && return
  "${apt[@]}" update </dev/null && "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

deps() {
  install g++ cmake ninja-build pkg-config nlohmann-json3-dev libcli11-dev libeigen3-dev libgtest-dev
  if command -v ninja >/dev/null; then export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}; fi
}

# configure_and_build FOLDER OPTION...
configure_and_build() {
  local folder=$1
  shift
  cmake -S . -B "$folder" "${cmake_options[@]}" "$@"
  cmake --build "$folder" --parallel "$jobs"
}

build() {
  deps
  say "building the library and the tool"
  configure_and_build build -DCMAKE_BUILD_TYPE=Release -DHEARTH_BUILD_TESTS=OFF
}

# The trained model of the repository; examples/models/README.md tells about it.
small_world=examples/models/small-world-q8_0.gguf

# Sets `model` to a file to show: the user's, the one in the repository, or one with random weights.
find_model() {
  model=${HEARTH_MODEL:-}
  if [ -n "$model" ]; then
    [ -f "$model" ] || fail "HEARTH_MODEL: there is no file $model"
    return
  fi
  model=$small_world
  if [ -f "$model" ]; then return; fi
  model=build/random-llama-1b.gguf
  say "no trained model here (set HEARTH_MODEL to a GGUF file): making one with RANDOM weights; its text is noise"
  [ -f "$model" ] || ./build/hearth make-model llama-1b --type q4_k_m -o "$model"
}

demo() {
  build
  local model
  find_model
  say "hearth inspect $model --plan"
  ./build/hearth inspect "$model" --plan </dev/null
  if [ "$model" = "$small_world" ] && [ $# -eq 0 ]; then
    say "hearth chat $model (a story, a question about it, a sum; /stats says what an answer took)"
    printf '%s\n' 'Tell me a story about Anna and a kite.' /stats 'What colour was the kite?' /stats \
      'What is 27 + 45?' /stats | ./build/hearth chat "$model" --commands --greedy --echo
    return
  fi
  say "hearth run $model -p \"${1:-Once upon a time}\" -n 128"
  ./build/hearth run "$model" -p "${1:-Once upon a time}" -n 128 </dev/null
}

# run_tests FOLDER OPTION...: builds everything and runs ctest, whose summary comes last.
run_tests() {
  local folder=$1
  shift
  deps
  if [ "$(uname -m)" = x86_64 ]; then install qemu-user; fi  # older processors than this one
  say "building everything in $folder"
  configure_and_build "$folder" -DHEARTH_BUILD_TESTS=ON -DHEARTH_BUILD_EXAMPLES=ON "$@"
  say "running the tests"
  local status=0 log=$folder/ctest.log
  ctest --test-dir "$folder" --output-on-failure --no-tests=error --parallel "$jobs" </dev/null 2>&1 | tee "$log" || status=$?
  # Skipped and failed tests make a long list at the end; repeat what matters.
  say "summary of $folder"
  grep -E '\((Failed|Timeout|Not Run|SEGFAULT|Subprocess aborted|ILLEGAL|Exit code .*|Exception.*)\)$' "$log" || true
  grep -E '^[0-9]+% tests passed|^(unit|golden|package|slow) +=|^Total Test time' "$log"
  return "$status"
}

# The kernels for AVX-VNNI and AVX-512 as code for AVX2, and their tests.
emulated() {
  deps
  install libsimde-dev
  say "building the kernels for AVX-VNNI and AVX-512 in build-emulated"
  cmake -S . -B build-emulated "${cmake_options[@]}" -DCMAKE_BUILD_TYPE=Release -DHEARTH_EMULATE_ISAS=ON \
    -DHEARTH_BUILD_EXAMPLES=OFF -DHEARTH_BUILD_TESTS=ON
  cmake --build build-emulated --parallel "$jobs" --target hearth_test_kernels hearth_test_cpu
  say "running their tests"
  ./build-emulated/tests/hearth_test_kernels --gtest_filter='*avx_vnni*:*avx512*:Dispatch.*' </dev/null
  ./build-emulated/tests/hearth_test_cpu --gtest_filter='SelfTest.*' </dev/null
}

fuzz() {
  local seconds=${1:-60} entry name seeds
  install clang g++ cmake ninja-build
  configure_and_build build-fuzz --preset fuzz
  for entry in build-fuzz/tests/fuzz/*_fuzz; do
    say "$entry for $seconds s"
    mkdir -p "$entry.corpus"
    name=$(basename "$entry" _fuzz)
    seeds=()
    if [ -d "tests/fuzz/corpus/$name" ]; then seeds=("tests/fuzz/corpus/$name"); fi
    "$entry" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 \
      -artifact_prefix="$entry." "$entry.corpus" "${seeds[@]}" </dev/null
  done
}

format() {
  command -v clang-format-14 >/dev/null || install clang-format-14
  git ls-files -z '*.h' '*.cpp' | xargs -0 clang-format-14 -i
}

step=${1:-}
if [ $# -gt 0 ]; then shift; fi
case $step in
  deps) deps ;;
  build) build ;;
  demo) demo "$@" ;;
  test) run_tests build-test -DCMAKE_BUILD_TYPE=Release -DHEARTH_WERROR=ON -DHEARTH_BUILD_TRAIN=ON ;;
  bench) build; find_model; ./build/hearth bench "$model" "$@" ;;
  asan) run_tests build-asan --preset asan ;;
  tsan) run_tests build-tsan --preset tsan ;;
  emulated) emulated ;;
  fuzz) fuzz "$@" ;;
  format) format ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
