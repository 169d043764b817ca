#!/usr/bin/env bash
# Fuzz the parsers of the extension with libFuzzer, AddressSanitizer and UBSan for FUZZ_S seconds (default 60).
# Needs clang with its runtime; PYTHON is one with Cython. What it finds lies in tests/fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_S:-60}
python=${PYTHON:-python3}
here=tests/fuzz
build=$here/build
clang=${CLANG:-clang}

if ! command -v "$clang" >/dev/null || ! echo 'int LLVMFuzzerTestOneInput(char *d, long n) { return 0; }' |
    "$clang" -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null; then
    if ! command -v apt-get >/dev/null; then
        echo 'make fuzz needs clang with libFuzzer: install LLVM and try again' >&2
        exit 1
    fi
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    echo 'installing clang for the fuzzer'
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends clang 'libclang-rt-*-dev' >/dev/null ||
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends clang >/dev/null
fi

# The .pxd files are cimported by their installed names, as setup.py lays them out.
rm -rf "$build"
mkdir -p "$build/vibetunnel/_ext" "$here/findings"
touch "$build/vibetunnel/__init__.py" "$build/vibetunnel/_ext/__init__.py"
cp ext/*.pxd "$build/vibetunnel/_ext/"
"$python" -m cython -3 -I "$build" -o "$build/parsers.c" "$here/parsers.pyx"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
# The Python part of the module is never entered; empty stand-ins for the interpreter's symbols let it link.
flags=(-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -w)
"$clang" "${flags[@]}" -I"$include" -Iext -c "$build/parsers.c" -o "$build/parsers.o"
nm -u "$build/parsers.o" | awk '$2 ~ /^_?Py/ { print "char " $2 "[64];" }' > "$build/interpreter.c"
"$clang" "${flags[@]}" "$build/parsers.o" "$build/interpreter.c" -lm -o "$build/parsers"
mkdir -p "$build/corpus"
"$python" - "$build/corpus" <<'SEEDS'
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
seeds = [
    bytes.fromhex("0000818537fa213d7f9f4d5158"), bytes.fromhex("0003018237fa213d5f9f808237fa213d5b96"),
    bytes.fromhex("0002888237fa213d3412"), b"\x01\x05\x1b]0;title\x07\x07", b"\x01\x03\x1bPx\x1b\\\x1b]7;file://h/\x1b\\",
    b'\x02\x00{"type":"input","data":"a\\u00e9\\n"}', b'\x02\x00{"type":"resize","data":"{\\"rows\\":24,\\"cols\\":80}"}',
    b"\x02\x00\x81" + bytes(8) + b"ls", b"\x02\x00\x82\x00\x18\x00\x50",
]
for number, seed in enumerate(seeds):
    (folder / str(number)).write_bytes(seed)
SEEDS
"$build/parsers" "$build/corpus" -max_total_time="$seconds" -max_len=4096 -timeout=5 -print_final_stats=1 \
    -artifact_prefix="$here/findings/" -verbosity=0 2>&1 | sed '/Recommended dictionary/,/End of recommended dictionary/d'
