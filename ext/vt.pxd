"""The terminal engine's C functions (described in vt.h), and the Python object that owns one terminal."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "vt.h" nogil:
    int VT_MIN_ROWS, VT_MAX_ROWS, VT_MIN_COLS, VT_MAX_COLS

    ctypedef struct vt:
        pass

    ctypedef struct vt_limits:
        uint32_t scrollback_lines
        size_t scrollback_bytes

    ctypedef struct vt_buf:
        uint8_t* data
        size_t n
        size_t size
        int failed

    void vt_buf_free(vt_buf*)
    int vt_put(vt_buf*, const void*, size_t n)

    vt* vt_new(int rows, int cols, const vt_limits*)
    vt* vt_clone(const vt*, uint32_t scrollback_lines)
    void vt_free(vt*)
    size_t vt_memory(const vt*)

    size_t VT_BUDGET
    size_t vt_feed(vt*, const uint8_t*, size_t n, size_t budget)
    int vt_resize(vt*, int rows, int cols)
    void vt_mute(vt*, int on)
    ctypedef struct vt_theme:
        int dark
        uint32_t[16] palette
        uint32_t foreground, background, cursor
    int VT_MAX_CELL
    void vt_set_theme(vt*, const vt_theme*)
    void vt_set_pixels(vt*, int cell_height, int cell_width)

    uint32_t VT_BELL, VT_TITLE, VT_CWD, VT_RECORD, VT_REPLY, VT_PROGRESS, VT_POINTER
    uint32_t vt_events(vt*)
    uint32_t vt_bells(vt*)
    const uint8_t* vt_title(const vt*, size_t* n)
    const uint8_t* vt_cwd(const vt*, size_t* n)
    int vt_progress(const vt*, int* percent)
    const char* vt_pointer(const vt*)
    const uint8_t* vt_reply(vt*, size_t* n)
    int VT_NO_CODE
    ctypedef struct vt_record:
        uint8_t kind
        int32_t value
        uint64_t offset
        int64_t line
        uint32_t n
    void vt_records(vt*, vt_buf* out)

    uint64_t vt_offset(const vt*)
    void vt_set_offset(vt*, uint64_t)
    int vt_rows(const vt*)
    int vt_cols(const vt*)
    int vt_alternate(const vt*)
    int64_t vt_top(const vt*)
    void vt_set_top(vt*, int64_t)
    int64_t vt_oldest(const vt*)
    int64_t vt_original_oldest(const vt*)

    ctypedef struct vt_cursor:
        int row, col
        int visible
        int pending
        int shape
    void vt_get_cursor(const vt*, vt_cursor*)

    uint64_t vt_modes(const vt*)

    void vt_redraw(const vt*, vt_buf*, uint32_t scrollback_lines)
    ctypedef struct vt_viewer:
        uint64_t offset
        uint32_t screens
        int raw
    uint64_t vt_shown(const vt*)
    uint64_t vt_raw_end(const vt*, uint64_t offset)
    int vt_continues(const vt*, uint64_t offset)
    int vt_viewer_at(const vt*, uint64_t offset, vt_viewer*)
    void vt_viewer_redraw(vt*, vt_buf*, uint32_t scrollback_lines, vt_viewer*)
    int vt_damage(vt*, vt_buf*, vt_viewer*)
    uint32_t vt_lines(const vt*, vt_buf*, int64_t first, int64_t last)
    void vt_snapshot(const vt*, vt_buf*)
    void vt_text(const vt*, vt_buf*, int64_t first, int64_t last, int unwrap)
    void vt_html(const vt*, vt_buf*, int64_t first, int64_t last)
    int vt_picture_bytes(const vt*, uint64_t key, vt_buf*, uint32_t* width, uint32_t* height, int* zlib)
    void vt_picture_data_of(const vt*, vt_buf*, size_t most)
    void vt_json(const vt*, vt_buf*)
    void vt_dump(const vt*, vt_buf*)


cdef inline size_t next_record(const uint8_t* data, size_t n, size_t at, vt_record* record) noexcept nogil:
    """Read the record at data[at] of `n` bytes. Its own bytes are data[at + sizeof(vt_record) : the returned end].

    Returns 0 if no whole record is there.
    """
    if n - at < sizeof(vt_record):
        return 0
    memcpy(record, data + at, sizeof(vt_record))
    at += sizeof(vt_record)
    return at + record.n if record.n <= n - at else 0


cdef class Engine:  # final
    cdef vt* state     # owned
    cdef bint busy     # a thread that has released the GIL is using it
    cdef bint muted

    cdef vt* idle(self) except NULL
    cdef vt* begin(self, vt_buf* out) except NULL
    cdef bytes end(self, vt_buf* out)
    cdef int64_t absolute(self, object line) except? -1
    cdef int span(self, object first, object last, int64_t* span) except -1
    cdef size_t take(self, object data, size_t budget) except? 0


# The Clipboard, Mark, Notification or Variable of a record and the bytes that follow it.
cdef object event_of(const vt_record* record, bytes data, int64_t at_ns)

# A Engine that owns `state`, of vt_new() or vt_clone(). If it cannot be made, `state` is freed.
cdef Engine wrap(vt* state)
