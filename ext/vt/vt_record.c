/* Records: what the program said that is reported with a text and a place, in the order in which it came. */
#include "vt_state.h"

#define RECORDS_MAX (128 * 1024) /* bytes of records that wait for vt_records() */
#define NOTICES_MAX 64           /* notifications and variables among them; the rest is left to prompt marks */

void vt_record_put(vt *t, int kind, int32_t value, uint64_t offset, const void *data, size_t n)
{
    if ((kind == 'n' || kind == 'v') && t->notices++ >= NOTICES_MAX)
        return;
    if (t->muted || t->records.n + sizeof(vt_record) + n > RECORDS_MAX)
        return;
    const vt_record head = {(uint8_t)kind, value, offset, vt_top(t) + t->row, (uint32_t)n};
    size_t before = t->records.n;
    if (vt_put(&t->records, &head, sizeof head) || vt_put(&t->records, data, n)) {
        t->records.n = before;
        t->records.failed = 0;
        return;
    }
    t->events |= VT_RECORD;
}

void vt_records(vt *t, vt_buf *out)
{
    vt_put(out, t->records.data, t->records.n);
    if (t->records.size > RECORDS_MAX / 16)
        vt_buf_free(&t->records);
    t->records.n = 0;
    t->notices = 0;
}
