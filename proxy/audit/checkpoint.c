#include "proxy/audit/checkpoint.h"

#include "policies/ascii.h"
#include "proxy/note/base64.h"
#include "proxy/note/note_internal.h"

void checkpoint_write(const char *origin, uint64_t size, const struct tree_hash *root, struct text *out)
{
    text_add_string(out, origin);
    text_add(out, "\n", 1);
    text_add_number(out, size);
    text_add(out, "\n", 1);
    base64_write(root->bytes, TREE_HASH, out);
    text_add(out, "\n", 1);
}

/* Decimal, without a sign or leading zeroes, below 2^63 as everybody else's. */
static bool read_size(struct span text, uint64_t *size)
{
    *size = 0;
    if (text.length == 0 || text.length > 19 || (text.data[0] == '0' && text.length > 1))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.data[i]))
            return false;
        *size = *size * 10 + (uint64_t)(text.data[i] - '0');
    }
    return *size <= INT64_MAX;
}

bool checkpoint_read(struct span text, struct checkpoint *checkpoint, const char **fault)
{
    struct span rest = text, origin, size, root, line;

    *fault = note_text_fault(text);
    if (*fault != NULL)
        return false;
    *fault = "it has fewer than three lines: origin, size, root";
    if (!note_next_line(&rest, &origin) || !note_next_line(&rest, &size) || !note_next_line(&rest, &root))
        return false;
    checkpoint->origin = origin;
    *fault = "it has no origin";
    if (origin.length == 0)
        return false;
    *fault = "its second line is not the number of leaves";
    if (!read_size(size, &checkpoint->size))
        return false;
    *fault = "its third line is not the base64 of a root";
    if (!base64_read(root, checkpoint->root.bytes, TREE_HASH))
        return false;
    *fault = "an empty line is in it";
    while (note_next_line(&rest, &line))
        if (line.length == 0)
            return false;
    *fault = NULL;
    return true;
}
