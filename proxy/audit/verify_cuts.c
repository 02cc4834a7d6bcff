/* What was cut off from segments: the side files, held against the records that tell of them. */
#include "proxy/audit/cut.h"
#include "proxy/audit/verify_internal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool add(struct verifier *verifier, const char *name)
{
    struct verify_cut *cuts = reallocarray(verifier->cuts, verifier->cut_count + 1, sizeof *cuts);

    if (cuts == NULL)
        return false;
    verifier->cuts = cuts;
    cuts[verifier->cut_count] = (struct verify_cut){.name = strdup(name)};
    return cuts[verifier->cut_count].name != NULL && ++verifier->cut_count > 0;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(((const struct verify_cut *)one)->name, ((const struct verify_cut *)other)->name);
}

bool verify_cuts_find(struct verifier *verifier)
{
    DIR *handle = verifier->single ? NULL : opendir(verifier->directory);
    struct dirent *item;
    bool found = true;

    while (found && handle != NULL && (item = readdir(handle)) != NULL)
        found = !cut_is(item->d_name) || add(verifier, item->d_name);
    if (handle != NULL)
        closedir(handle);
    if (verifier->cut_count > 0)
        qsort(verifier->cuts, verifier->cut_count, sizeof *verifier->cuts, by_name);
    return found;
}

/* The side file that the text names; NULL when it is none that is here. */
static struct verify_cut *named(struct verifier *verifier, struct span text)
{
    for (size_t i = 0; i < verifier->cut_count; i++)
        if (memmem(text.data, text.length, verifier->cuts[i].name, strlen(verifier->cuts[i].name)) != NULL)
            return &verifier->cuts[i];
    return NULL;
}

void verify_cut_record(struct verifier *verifier, const struct link *link)
{
    struct span detail = scan_text(scan_find(&verifier->scan, "detail"));
    struct span segment = scan_text(scan_find(&verifier->scan, "segment"));
    struct verify_cut *cut = named(verifier, detail);
    uint64_t bytes = 0, count = 0;

    if (cut != NULL)
        cut->told = true;
    if (!scan_number(scan_find(&verifier->scan, "bytes"), &bytes))
        return; /* of something else */
    (void)scan_number(scan_find(&verifier->scan, "count"), &count);
    verify_tell_at(verifier, VERIFY_CUT, link->place,
                   "on record here: %" PRIu64 " bytes (lines: %" PRIu64
                   ") were cut off the end of %.*s as what a crash had left damaged; %s%s",
                   bytes, count, (int)segment.length, segment.data,
                   cut != NULL ? "they are in " : "the file that kept them is not here any more",
                   cut != NULL ? cut->name : "");
}

void verify_cuts(struct verifier *verifier)
{
    for (size_t i = 0; i < verifier->cut_count; i++)
        if (!verifier->cuts[i].told)
            verify_tell(verifier, VERIFY_CUT, verifier->cuts[i].name, 0,
                        "what was cut off from a segment, of which no record tells: the gate's next start "
                        "records it, where the segment is the newest; otherwise somebody put the file here");
}

void verify_cuts_free(struct verifier *verifier)
{
    for (size_t i = 0; i < verifier->cut_count; i++)
        free(verifier->cuts[i].name);
    free(verifier->cuts);
}
