"""How long can 64 KiB of output that is made to be expensive hold an engine up?

Measures    ms of CPU time for the most expensive of some forty chunks at 200x50 (corpus.hostile): for the longest call,
            during which a pump can serve no other session, and for the whole chunk.
How         with a new terminal full of coloured log for each chunk. Ours is fed as the pump does it, with a work
            budget; the others have none, and take a chunk in one call. The best of 3 tries counts, against noise.
Leaves out  keys typed meanwhile: bench_echo.py.
Run         python -m benchmarks hostile; python -m benchmarks.bench_hostile for ours, chunk by chunk
"""

import tempfile
from pathlib import Path

from benchmarks import corpus, materials
from benchmarks.engines import ENGINES
from benchmarks.engines.engine import Engine
from benchmarks.figures import Figures, Row
from benchmarks.scale import FULL, Scale

TRIES = 3
TOPIC = "Terminal engine"
PEERS = ENGINES
FILES = ("hostile", "screen-50x200")
ROUNDS, WARM_UP = 1, False  # one round takes many samples
ROWS = (
    Row("hostile_call", "the dearest 64 KiB there are, 200x50: the longest call", "ms", ("time",)),
    Row("hostile_chunk", "... the whole of it", "ms", ("time",)),
)


def measure(engine: Engine, _scale: Scale) -> Figures:
    answer = _ask(engine)
    return {"hostile_call": (max(answer["calls_ms"]),), "hostile_chunk": (max(answer["chunks_ms"]),)}


def _ask(engine: Engine) -> dict[str, list[float]]:
    rows, cols = corpus.HOSTILE_SIZE
    what = {"file": "hostile", "fill": f"screen-{rows}x{cols}", "rows": rows, "cols": cols}
    answer: dict[str, list[float]] = engine.ask("hostile", chunk=corpus.CHUNK, repeat=TRIES, **what)
    return answer


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = materials.make(FILES, FULL, folder)
        engine = ENGINES[0].start({}, files, folder)
        try:
            answer = _ask(engine)
        finally:
            engine.stop()
    found = zip(corpus.hostile(), answer["calls_ms"], answer["chunks_ms"], strict=True)
    for chunk, call_ms, whole_ms in sorted(found, key=lambda each: -each[1]):
        print(f"{call_ms:9.3f} ms {whole_ms:9.3f} ms  {chunk}")


if __name__ == "__main__":
    main()
