#!/usr/bin/env bash
# Fuzz the parsers of the extension and the terminal engine with libFuzzer, AddressSanitizer and UBSan, for FUZZ_S seconds
# each (default 60). Needs clang with its runtime, and Cython in $PYTHON. Inputs that crash go to tests/fuzz/findings.
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
        echo 'make fuzz needs clang with libFuzzer: install LLVM, then run make fuzz again' >&2
        exit 1
    fi
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    echo 'installing clang for the fuzzer'
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends clang 'libclang-rt-*-dev' >/dev/null ||
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends clang >/dev/null
fi

# The fuzz target cimports the .pxd files by their installed names, so lay them out as setup.py does.
rm -rf "$build"
mkdir -p "$build/vibetunnel/_ext" "$here/findings"
touch "$build/vibetunnel/__init__.py" "$build/vibetunnel/_ext/__init__.py"
cp ext/*.pxd ext/*/*.pxd "$build/vibetunnel/_ext/"
"$python" -m cython -3 -I "$build" -o "$build/parsers.c" "$here/parsers.pyx"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
# The fuzzer never enters the module's Python part; empty stand-ins for the interpreter's symbols let it link.
flags=(-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -w)
"$clang" "${flags[@]}" -I"$include" -Iext/wire -Iext/vt -Iext/pump -c "$build/parsers.c" -o "$build/parsers.o"
nm -u "$build/parsers.o" | awk '$2 ~ /^_?Py/ { print "char " $2 "[64];" }' > "$build/interpreter.c"
"$clang" "${flags[@]}" "$build/parsers.o" "$build/interpreter.c" -lm -ldl -o "$build/parsers"
mkdir -p "$build/corpus"
"$python" - "$build/corpus" <<'SEEDS'
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
seeds = [
    bytes.fromhex("0000818537fa213d7f9f4d5158"), bytes.fromhex("0003018237fa213d5f9f808237fa213d5b96"),
    bytes.fromhex("0002888237fa213d3412"), b"\x02\x04\xc1\x87\0\0\0\0\xf2H\xcd\xc9\xc9\x07\0",
    b"\x02\x09\x42\x83\0\0\0\0\xf2H\xcd\x80\x84\0\0\0\0\xc9\xc9\x07\0\xc2\x81\0\0\0\0\0",
    b'\x01\x00{"type":"input","data":"a\\u00e9\\n"}', b'\x01\x00{"type":"resize","data":"{\\"rows\\":24,\\"cols\\":80}"}',
    b"\x01\x00\x81" + bytes(8) + b"ls", b"\x01\x00\x82\x00\x18\x00\x50",
]
for number, seed in enumerate(seeds):
    (folder / str(number)).write_bytes(seed)
SEEDS

# The engine is plain C. Its seeds come from the grammar of the differential tests and from the recordings.
"$clang" "${flags[@]}" -D_GNU_SOURCE -std=gnu11 -Iext/vt $here/engine.c ext/vt/*.c -lm -o "$build/engine"
mkdir -p "$build/engine-corpus"
"$python" - "$build/engine-corpus" <<'SEEDS'
import gzip, pathlib, sys
sys.path.insert(0, "tests/engine")
from vt.grammar import generate
folder = pathlib.Path(sys.argv[1])
for seed in range(300):
    rows, cols, pieces = generate(seed)
    middle = len(pieces) // 2
    made = [bytes((rows - 1, cols - 2, seed % 256, seed % 6)), *pieces[:middle], bytes((0xF8 + seed % 8, seed % 20, seed % 30)), *pieces[middle:]]
    (folder / f"grammar{seed}").write_bytes(b"".join(made))
pictures = (
    b'\x1b[2;2H\x1bPq"1;1;25;45#1;2;100;0;0#1!25~-!9@$#0?\x1b\\', b"\x1b_Ga=T,f=24,s=1,v=2,i=1,m=1;YWJj\x1b\\\x1b_Gm=0;ZGVm\x1b\\",
    b"\x1b_Ga=p,i=1,p=2,c=3,r=2,z=-1;\x1b\\", b"\x1b_Ga=d,d=I,i=1;\x1b\\", b"\x1b_Ga=T,U=1,f=32,s=1,v=1,i=9,o=z;eA==\x1b\\",
    b"\x1b]1337;File=inline=1;width=3;height=50%:iVBORw0KGgoAAAANSUhEUgAAAAkAAAAJCAIAAAA=\x07", b"\x1b]1337;MultipartFile=inline=1\x07",
    b"\x1b]1337;FilePart=R0lGODlhAwAFAAAAAAA=\x07", b"\x1b]1337;FileEnd\x07", b"\x1b]7717;b\x07\x1b]7717;i;1;f;1;0;0;9;9;9;0;0\x07",
    b"\x1b[?80h", b"\x1b[?8452h", b"\x1b[?2;1;0S", b"\xf4\x8e\xbb\xae\xcc\x85",
)
for number in range(100):
    made = b"\x0a\x20\x20\x01" + b"".join(pictures[(number * k + k) % len(pictures)] + (b"\xfc", b"\n", b"\xfa", b"x")[k % 4] for k in range(8))
    (folder / f"picture{number}").write_bytes(made)
recordings = list(pathlib.Path("tests/engine/vt/recordings").glob("*.gz"))
assert recordings, "no recording in tests/engine/vt/recordings"
# Rectangles, reports and what is put aside, with numbers and strings that no program would send.
hostile = [b"\x1b[65535;65535;1;1;65535;7$r", b"\x1b[2*x\x1b[1;1;999;999;0;1;4;5;7$t", b"\x1b[;;;;;;;$v", b"\x1b[300;1;1;999;999$x",
           b"\x1b[${", b"\x1b[1;;;;;*y", b"\x1b[31#y", b"\x1b[#|", b"\x1bP1$t99999;1;1;@;@;@;0;2;O;BBBB\x1b\\", b"\x1bP2$t" + b"9/" * 400,
           b"\x1b[1;2;21;31#{" * 40, b"\x1b[#}" * 40, b"\x1b[?7;25;1049s\x1b[?7;1049;1048r", b'\x1b[62"p\x9bm\x9d0;\x9c\x90$qm\x9c', b"\x1b G\x1b[2$w",
           b"\x1b[>0;1t\x1b]0;616\x07\x1b[21t\x1b[22;1t\x1b[23;2t", b"\x1bVx\x1bW\x1b[2J", b"\x1b6\x1b9", b"\x1b]5;0;#fff;9;?\x07\x1b]105\x07"]
for number, one in enumerate(hostile):
    (folder / f"hostile{number}").write_bytes(bytes((5, 18, 9, number % 6)) + b"ab\xe4\xb8\xad" + one + bytes((0xFA + number % 4,)) + one)
for path in recordings:
    data = gzip.decompress(path.read_bytes())
    for at in range(0, len(data) - 1500, len(data) // 5):
        (folder / f"{path.name}{at}").write_bytes(bytes((23, 58, 50, at % 6)) + data[at : at + 1500])
SEEDS

run() {
    "$build/$1" "$build/$2" -max_total_time="$seconds" -max_len=4096 -timeout=5 -print_final_stats=1 \
        -artifact_prefix="$here/findings/" -verbosity=0 2>&1 | sed '/Recommended dictionary/,/End of recommended dictionary/d'
}
run parsers corpus
run engine engine-corpus
