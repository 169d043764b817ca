# cython: cdivision=True
"""Compressed frames: each is made once, for all clients that send it."""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove

from vibetunnel._ext cimport deflate
from vibetunnel._ext cimport rfc6455 as rfc
from vibetunnel._ext cimport v1 as wire
from vibetunnel._ext.pump_outbox cimport charge
from vibetunnel._ext.pump_state cimport (
    CACHE_RAW, CACHE_V1, DEFLATE_FRAME, DEFLATE_KEPT, DEFLATE_MIN, DEFLATE_TURN, block_cache_t, block_t, client_t,
    lane_t, terminal_t,
)


cdef inline block_t* compress(
    terminal_t* t, const uint8_t* head, size_t head_n, const uint8_t* a, size_t a_n, const uint8_t* b, size_t b_n
) noexcept nogil:
    """A binary frame of three parts, compressed. NULL: it is no smaller then, or there is no time or memory for it."""
    cdef lane_t* lane = t.lane
    cdef deflate.Piece[3] pieces
    cdef size_t whole = head_n + a_n + b_n
    cdef size_t n
    cdef int header_n
    cdef block_t* block
    cdef block_t* shrunk
    if whole < DEFLATE_MIN or lane.deflated_n + whole > DEFLATE_TURN:
        return NULL
    block = <block_t*>malloc(sizeof(block_t) + 10 + whole + deflate.TAIL)
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
    n = deflate.deflate_message(&lane.deflater, pieces, 3, block.data + 10, whole + deflate.TAIL)
    charge(lane, t)  # in whatever part of the turn that was
    if n == 0:
        free(block)
        return NULL
    header_n = rfc.write_header(block.data, rfc.OP_BINARY | rfc.RSV1, True, n)
    memmove(block.data + header_n, block.data + 10, n)
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


cdef inline uint64_t block_start(client_t* c, uint64_t end) noexcept nogil:
    """Begin a compressed frame, which ends at `end` or before: the one that others send, if there is one.

    Returns the cursor, or else where a frame ends that is to go out as it is.
    """
    cdef terminal_t* t = c.terminal
    cdef int kind = CACHE_V1 if c.v1 else CACHE_RAW
    cdef block_cache_t* all = t.blocks[kind]
    cdef block_cache_t* found = NULL
    cdef uint8_t[16] head
    cdef uint64_t start, run
    cdef int i
    if t.keeps_blocks:
        for i in range(DEFLATE_KEPT):
            if all[i].start == c.cursor and all[i].start < all[i].end <= end:
                if found is NULL or all[i].end > found.end:
                    found = &all[i]
    if found is NULL:
        end = min(end, (c.cursor | (DEFLATE_FRAME - 1)) + 1)
        if end - c.cursor < DEFLATE_MIN:
            return end
        found = &all[t.blocks_next[kind] % DEFLATE_KEPT]
        t.blocks_next[kind] += 1
        if not t.keeps_blocks:
            t.keeps_blocks = True
            t.keepers_next = t.lane.keepers
            t.lane.keepers = t
            t.lane.compresses = True  # even if there is no memory to compress with: tidy() unlinks it
        if found.block is not NULL:
            block_unref(t.lane, found.block)
        start = c.cursor & (t.ring.size - 1)
        run = min(end - c.cursor, t.ring.size - start)
        found.start = c.cursor
        found.end = end
        found.block = compress(
            t, head, wire.write_output_header(head, c.cursor) if c.v1 else 0,
            t.ring.data + start, run, t.ring.data, end - c.cursor - run,
        )
    if found.block is NULL:
        return found.end
    c.frame.block = found.block
    c.frame.block.refs += 1
    c.frame.block_sent = 0
    c.frame.end = found.end
    t.lane.statistics.frames_out += 1
    return c.cursor


cdef inline void block_leave(client_t* c) noexcept nogil:
    """The frame under way was compressed, and is sent, or is to be sent no more."""
    block_unref(c.terminal.lane, c.frame.block)
    c.frame.block = NULL


cdef inline void block_took(client_t* c, size_t n) noexcept nogil:
    """So many more bytes of the block are sent; its output counts as sent when all of them are."""
    c.frame.block_sent += n
    if c.frame.block_sent == c.frame.block.n:
        block_leave(c)
        c.cursor = c.frame.end


cdef inline void forget_blocks(terminal_t* t) noexcept nogil:
    """Let go of what was kept for others to send. Who has not begun to is late, and has it made again."""
    cdef block_cache_t* each
    cdef int i
    t.keeps_blocks = False
    for i in range(2 * DEFLATE_KEPT):
        each = &t.blocks[i // DEFLATE_KEPT][i % DEFLATE_KEPT]
        each.end = each.start
        if each.block is not NULL:
            block_unref(t.lane, each.block)
            each.block = NULL


cdef inline void end_compression(lane_t* lane) noexcept nogil:
    """The end of a turn: what is kept is kept while a batch goes to client after client, and no longer."""
    cdef terminal_t** at = &lane.keepers
    cdef terminal_t* t
    lane.deflated_n = lane.inflated_n = 0
    while at[0] is not NULL:
        t = at[0]
        if t.fanning and t.clients is not NULL and t.move_to < 0:
            at = &t.keepers_next
        else:
            at[0] = t.keepers_next
            forget_blocks(t)
    lane.compresses = lane.keepers is not NULL
