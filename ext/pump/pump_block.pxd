# cython: cdivision=True
"""Compressed frames: each is made once, for all clients that send it.

Writes the blocks of a terminal, and how much its lane has compressed in this turn.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext.pump_outbox cimport charge
from vibetunnel._ext.pump_state cimport (
    CACHES, CACHE_V1, DEFLATE_KEPT, DEFLATE_MIN, DEFLATE_TURN, HEADER_MAX, WS_HEADER_MAX, block_cache_t, block_t,
    lane_t, terminal_t,
)
from vibetunnel._ext.lists cimport is_linked, link_t, list_next, list_put_first, list_remove


cdef inline block_t* compress(
    terminal_t* t, const uint8_t* head, size_t head_n, const uint8_t* a, size_t a_n, const uint8_t* b, size_t b_n
) noexcept nogil:
    """Return a compressed binary frame of three parts. NULL if it is not smaller, or time or memory is short."""
    cdef lane_t* lane = t.lane
    cdef deflate.Piece[3] pieces
    cdef size_t whole = head_n + a_n + b_n
    cdef size_t n
    cdef int header_n
    cdef block_t* block
    cdef block_t* shrunk
    if whole < DEFLATE_MIN or lane.deflated_n + whole > DEFLATE_TURN:
        return NULL
    block = <block_t*>malloc(sizeof(block_t) + WS_HEADER_MAX + whole + deflate.TAIL)
    if block is NULL:
        return NULL
    lane.compresses = True
    lane.deflated_n += whole
    lane.statistics.compressions += 1
    pieces[0].data = head
    pieces[0].n = head_n
    pieces[1].data = a
    pieces[1].n = a_n
    pieces[2].data = b
    pieces[2].n = b_n
    n = deflate.deflate_message(&lane.deflater, pieces, 3, block.data + WS_HEADER_MAX, whole + deflate.TAIL)
    charge(lane, t)
    if n == 0:
        free(block)
        return NULL
    header_n = rfc.write_header(block.data, rfc.OP_BINARY | rfc.RSV1, True, n)
    memmove(block.data + header_n, block.data + WS_HEADER_MAX, n)
    block.n = header_n + n
    block.refs = 1
    lane.statistics.blocks += 1
    shrunk = <block_t*>realloc(block, sizeof(block_t) + block.n)
    return shrunk if shrunk is not NULL else block


cdef inline void block_unref(lane_t* lane, block_t* block) noexcept nogil:
    block.refs -= 1
    if block.refs == 0:
        lane.statistics.blocks -= 1
        free(block)


cdef inline block_cache_t* find_block(terminal_t* t, int kind, uint64_t start, uint64_t end) noexcept nogil:
    """The longest frame kept for such clients from `start` to `end` or before, or NULL."""
    cdef block_cache_t* found = NULL
    cdef block_cache_t* each
    cdef int i
    if is_linked(&t.in_keepers):
        for i in range(DEFLATE_KEPT):
            each = &t.blocks[kind][i]
            if each.start == start and each.start < each.end <= end and (found is NULL or each.end > found.end):
                found = each
    return found


cdef inline block_cache_t* make_block(terminal_t* t, int kind, uint64_t start, uint64_t end) noexcept nogil:
    """Compress the output from `start` to `end`, and keep the frame in place of the oldest."""
    cdef block_cache_t* made = &t.blocks[kind][t.blocks_next[kind] % DEFLATE_KEPT]
    cdef uint64_t at = start & (t.ring.size - 1)
    cdef uint64_t run = min(end - start, t.ring.size - at)
    cdef uint8_t[HEADER_MAX] head
    t.blocks_next[kind] += 1
    if not is_linked(&t.in_keepers):
        list_put_first(&t.lane.keepers, &t.in_keepers, t)
        t.lane.compresses = True  # even if there is no memory to compress with: end_compression() unlinks it
    if made.block is not NULL:
        block_unref(t.lane, made.block)
    made.start = start
    made.end = end
    made.block = compress(
        t, head, wire.write_output_header(head, start) if kind == CACHE_V1 else 0,
        t.ring.data + at, run, t.ring.data, end - start - run,
    )
    return made


cdef inline void forget_blocks(terminal_t* t) noexcept nogil:
    """Drop the blocks kept for other clients. For a client that has not begun one yet, it is made again."""
    cdef block_cache_t* each
    cdef int i
    if is_linked(&t.in_keepers):
        list_remove(&t.lane.keepers, &t.in_keepers)
    for i in range(CACHES * DEFLATE_KEPT):
        each = &t.blocks[i // DEFLATE_KEPT][i % DEFLATE_KEPT]
        each.end = each.start
        if each.block is not NULL:
            block_unref(t.lane, each.block)
            each.block = NULL


cdef inline void end_compression(lane_t* lane) noexcept nogil:
    """End of turn: drop cached compressed frames, except of batches that are still being sent."""
    cdef link_t* at = lane.keepers.first
    cdef terminal_t* t
    lane.deflated_n = lane.inflated_n = 0
    while at is not NULL:
        t = <terminal_t*>list_next(&at)
        if not t.fanning or t.clients.first is NULL or t.move_to >= 0:
            forget_blocks(t)
    lane.compresses = lane.keepers.first is not NULL
