"""The newest output of one session in shared memory, at 64-bit offsets, exact even after a SIGKILL.

The memory is a header page, then `size` bytes of data, a power of two, then room for two checkpoints. The keeper maps
it too, so it outlives the server. Only the lane that owns the session writes it. All bytes before the head in the
header are in the ring when the head moves.

A checkpoint brings a new terminal to the state that it had at an offset (vt_redraw). The two are written in turn, so
one is whole whenever the server is killed. The next server begins with the older one from which the ring still has all
output, since the bytes after it bring scrollback back too.

A server can be killed inside read(2), after the kernel has copied bytes into the ring and before they are counted.
Therefore the MARGIN bytes after the head always hold a pattern of bytes that no UTF-8 text contains (F8 to FF, by
position). The next server looks how far the pattern was overwritten, and knows what was read. (Output that is not text
can end in the pattern by chance, one byte in 256. Then that one byte is lost.)
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    #include <sys/mman.h>
    #include <sys/stat.h>
    #define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define acquire_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
    #define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
    static inline int64_t file_size(int fd) { struct stat s; return fstat(fd, &s) < 0 ? -1 : (int64_t)s.st_size; }
    static uint8_t ring_pattern[4096]; /* of MARGIN bytes; ring_open fills it */
    """
    uint8_t[4096] ring_pattern
    uint64_t load_acquire(uint64_t*) nogil
    void store_release(uint64_t*, uint64_t) nogil
    void acquire_fence() nogil
    int64_t load_relaxed(int64_t*) nogil
    void store_relaxed(int64_t*, int64_t) nogil
    int64_t file_size(int) nogil
    void* mmap(void*, size_t, int, int, int, long) nogil
    int munmap(void*, size_t) nogil
    int PROT_READ, PROT_WRITE, MAP_SHARED

cdef enum:
    HEADER_SIZE = 4096  # bytes before the data: one page
    MARGIN = 4096  # bytes after the head that hold the pattern; one read takes at most these, and a PTY gives no more
    MIN_SIZE = 32768  # bytes of data: room for the margin twice, a watermark and a batch
    SLOTS = 32  # input streams remembered per session
    TITLE_MAX = 512  # bytes
    FOLDER_MAX = 1024  # bytes
    POINTER_MAX = 24  # bytes of a shape's name
    CHECKPOINT_MAX = 1048576  # bytes; untouched pages cost nothing
    CHECKPOINTS = 2
    ID_SIZE = 16  # bytes of a client's UUID
    MAGIC_SIZE = 8


cdef struct InputSlot:
    uint8_t[ID_SIZE] id  # the client's UUID
    uint64_t accepted  # bytes of its input that the PTY has taken
    uint64_t used  # the count of attaches when it was last attached; 0: the slot is free
    uint64_t generation  # the count of attaches when this client got the slot


cdef struct Checkpoint:
    uint64_t number  # counts up; 0: there is none, or it is being written
    uint64_t offset  # of the output after which it was made
    int64_t top  # number of the screen's first line
    uint32_t n
    uint16_t rows
    uint16_t cols


cdef struct Header:
    uint8_t[MAGIC_SIZE] magic
    uint64_t size
    uint64_t head  # offset of the next byte
    uint64_t attaches
    uint64_t resized  # offset at the last change of size: older output was printed at another size
    uint16_t title_n
    uint16_t folder_n
    uint32_t reserved
    Checkpoint[CHECKPOINTS] checkpoints
    InputSlot[SLOTS] slots
    uint8_t[TITLE_MAX] title
    uint8_t[FOLDER_MAX] folder
    uint8_t size_claimed  # a client has had the size, or the control plane has set it
    uint8_t[ID_SIZE] size_owner  # the client that had the size last; zeros: none, or one without an id
    uint8_t progress  # vt_progress()
    uint8_t percent
    uint8_t[POINTER_MAX] pointer  # vt_pointer(), ended by a zero


cdef struct Ring:
    Header* header
    uint8_t* data
    uint64_t size
    uint64_t head


cdef inline void ring_mark(Ring* r, uint64_t offset, uint64_t n) noexcept nogil:
    """Write the pattern at [offset, offset + n)."""
    cdef uint64_t start, run
    while n:
        start = offset & (MARGIN - 1)
        run = min(n, MARGIN - start)  # the ring's size is a multiple of MARGIN, so this lies in one piece
        memcpy(r.data + (offset & (r.size - 1)), ring_pattern + start, run)
        offset += run
        n -= run


cdef inline uint64_t ring_overwritten(Ring* r) noexcept nogil:
    """How many bytes after the head are no longer the pattern: a killed server had read them last."""
    cdef uint64_t n = MARGIN
    cdef uint64_t offset
    while n:
        offset = r.head + n - 1
        if r.data[offset & (r.size - 1)] != ring_pattern[offset & (MARGIN - 1)]:
            return n
        n -= 1
    return 0


cdef inline uint64_t ring_capacity(Ring* r) noexcept nogil:
    """Bytes of output that are always kept."""
    return r.size - 2 * MARGIN


cdef inline uint64_t ring_oldest(Ring* r) noexcept nogil:
    return r.head - ring_capacity(r) if r.head > ring_capacity(r) else 0


cdef inline void ring_commit(Ring* r, uint64_t n) noexcept nogil:
    """Count n <= MARGIN bytes that were just written at the head. The pattern moves before the head."""
    ring_mark(r, r.head + MARGIN, n)
    r.head += n
    store_release(&r.header.head, r.head)


cdef inline int ring_open(Ring* r, int fd) noexcept nogil:
    """Map a ring. Returns 0; -1: mmap failed (errno); -2: bad size; -3: the header is of another format."""
    cdef int64_t whole = file_size(fd)
    cdef uint64_t size
    cdef void* base
    cdef uint32_t i
    for i in range(<uint32_t>MARGIN):
        ring_pattern[i] = 0xF8 | (((i * <uint32_t>2654435761) >> 27) & 7)
    memset(r, 0, sizeof(Ring))
    if whole < HEADER_SIZE + MIN_SIZE + CHECKPOINTS * CHECKPOINT_MAX:
        return -1 if whole < 0 else -2
    size = <uint64_t>whole - HEADER_SIZE - CHECKPOINTS * CHECKPOINT_MAX
    if size & (size - 1):
        return -2
    base = mmap(NULL, <size_t>whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    if base == <void*>-1:
        return -1
    r.header = <Header*>base
    r.data = <uint8_t*>base + HEADER_SIZE
    r.size = size
    if r.header.magic[0] == 0:
        r.header.size = size
        ring_mark(r, 0, MARGIN)
        memcpy(r.header.magic, b"VTRING3\0", MAGIC_SIZE)  # last: without the magic the next server starts afresh
        return 0
    if memcmp(r.header.magic, b"VTRING3\0", MAGIC_SIZE) or r.header.size != size:
        munmap(base, <size_t>whole)
        r.header = NULL
        return -3
    r.head = r.header.head
    ring_commit(r, ring_overwritten(r))
    if r.header.title_n > TITLE_MAX or r.header.folder_n > FOLDER_MAX:
        r.header.title_n = r.header.folder_n = 0
    r.header.pointer[POINTER_MAX - 1] = 0
    return 0


cdef inline void ring_close(Ring* r) noexcept nogil:
    if r.header is not NULL:
        munmap(r.header, HEADER_SIZE + <size_t>r.size + CHECKPOINTS * CHECKPOINT_MAX)
        r.header = NULL


cdef inline void ring_copy(Ring* r, uint64_t offset, uint8_t* out, uint64_t n) noexcept nogil:
    cdef uint64_t start = offset & (r.size - 1)
    cdef uint64_t first = min(n, r.size - start)
    memcpy(out, r.data + start, first)
    memcpy(out + first, r.data, n - first)


cdef inline uint8_t* checkpoint_data(Ring* r, int i) noexcept nogil:
    return r.data + r.size + <size_t>i * CHECKPOINT_MAX


cdef inline void checkpoint_write(
    Ring* r, uint64_t offset, int64_t top, int rows, int cols, const uint8_t* data, size_t n
) noexcept nogil:
    """Keep n <= CHECKPOINT_MAX bytes in place of the older of the two."""
    cdef Checkpoint* all = r.header.checkpoints
    cdef int i = 0 if all[0].number <= all[1].number else 1
    cdef uint64_t number = all[1 - i].number + 1
    store_release(&all[i].number, 0)
    acquire_fence()  # if the server is killed from here on, no half of it looks whole
    memcpy(checkpoint_data(r, i), data, n)
    all[i].offset = offset
    all[i].top = top
    all[i].n = <uint32_t>n
    all[i].rows = <uint16_t>rows
    all[i].cols = <uint16_t>cols
    store_release(&all[i].number, number)


cdef inline void checkpoint_forget_older(Ring* r) noexcept nogil:
    """Forget the older one: the newer has everything that it has."""
    cdef Checkpoint* all = r.header.checkpoints
    store_release(&all[0 if all[0].number <= all[1].number else 1].number, 0)


cdef inline int checkpoint_find(Ring* r) noexcept nogil:
    """The oldest checkpoint that the kept output goes on from, or -1.

    A checkpoint from before the last change of size is not used: the output after it was printed for another size. Of
    two at one offset the newer is used, for the same reason.
    """
    cdef Checkpoint* c
    cdef Checkpoint* found = NULL
    cdef int best = -1
    cdef int i
    for i in range(CHECKPOINTS):
        c = &r.header.checkpoints[i]
        if c.number == 0 or c.n > CHECKPOINT_MAX or c.offset > r.head:
            continue
        if c.offset < max(ring_oldest(r), r.header.resized):
            continue
        if found is NULL or c.offset < found.offset or c.offset == found.offset and c.number > found.number:
            found = c
            best = i
    return best


cdef inline int slot_known(Ring* r, const uint8_t* client) noexcept nogil:
    """The input stream of a client's UUID, or -1. Looking does not count as use."""
    cdef int i
    for i in range(SLOTS):
        if r.header.slots[i].used and memcmp(r.header.slots[i].id, client, ID_SIZE) == 0:
            return i
    return -1


cdef inline int slot_find(Ring* r, const uint8_t* client, uint32_t taken, bint* fresh) noexcept nogil:
    """The input stream of a client's UUID, or a new one in place of the least recently used.

    Returns -1 if all are `taken` (a bit for each).
    """
    cdef int i
    cdef int oldest = -1
    cdef InputSlot* slots = r.header.slots
    r.header.attaches += 1
    fresh[0] = False
    for i in range(SLOTS):
        if slots[i].used and memcmp(slots[i].id, client, ID_SIZE) == 0:
            slots[i].used = r.header.attaches
            return i
        if not taken >> i & 1 and (oldest < 0 or slots[i].used < slots[oldest].used):
            oldest = i
    if oldest >= 0:
        fresh[0] = True
        memcpy(slots[oldest].id, client, ID_SIZE)
        slots[oldest].accepted = 0
        slots[oldest].used = slots[oldest].generation = r.header.attaches
    return oldest
