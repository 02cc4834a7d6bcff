/* Checkpoints as C2SP specifies them (tlog-checkpoint): the text of a signed note (note/note.h),
 * "<origin>\n<size>\n<base64(root)>\n". */
#ifndef PROXY_AUDIT_CHECKPOINT_H
#define PROXY_AUDIT_CHECKPOINT_H

#include "proxy/audit/tree.h"
#include "proxy/note/note.h"

struct checkpoint {
    struct span origin; /* into the text it was read from */
    uint64_t size;
    struct tree_hash root;
};

/* Appends the text of a checkpoint / reads one (extension lines behind the root are passed over); false with
 * *fault. */
void checkpoint_write(const char *origin, uint64_t size, const struct tree_hash *root, struct text *out);
bool checkpoint_read(struct span text, struct checkpoint *checkpoint, const char **fault);

#endif
