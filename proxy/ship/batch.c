#include "proxy/ship/batch.h"

bool batch_is_full(const struct batch *batch, size_t length)
{
    return batch->count == BATCH_LINES ||
           (batch->count > 0 && batch->bytes.length + length + 1 > BATCH_BYTES);
}

bool batch_add(struct batch *batch, uint64_t seq, struct span line)
{
    if (batch->count == BATCH_LINES)
        return false;
    if (!text_reserve(&batch->bytes, line.length + 1)) {
        batch->bytes.failed = false; /* a later line may find room */
        return false;
    }
    text_add(&batch->bytes, line.data, line.length);
    text_add(&batch->bytes, "\n", 1);
    if (batch->count == 0)
        batch->first_seq = seq;
    batch->ends[batch->count++] = batch->bytes.length;
    return true;
}

static size_t begin_of(const struct batch *batch, size_t index)
{
    return index > 0 ? batch->ends[index - 1] : 0;
}

struct span batch_line(const struct batch *batch, size_t index)
{
    size_t begin = begin_of(batch, index);

    return (struct span){batch->bytes.data + begin, batch->ends[index] - begin - 1};
}

struct span batch_rest(const struct batch *batch)
{
    size_t begin = begin_of(batch, batch->taken);

    return (struct span){batch->bytes.data + begin, batch->bytes.length - begin};
}

void batch_clear(struct batch *batch)
{
    text_clear(&batch->bytes);
    batch->bytes.failed = false;
    batch->count = batch->taken = 0;
}

void batch_free(struct batch *batch)
{
    text_free(&batch->bytes);
    *batch = (struct batch){0};
}
