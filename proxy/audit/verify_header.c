/* The lines that speak of the log itself: segment headers, starts, stops, removals. */
#include "proxy/audit/verify_internal.h"

#include "proxy/audit/when.h"

#include <inttypes.h>

/* What a header says. */
struct header {
    uint64_t first_seq, format, tree_size, run, open_from;
    struct tree tree;
};

static bool find_number(const struct scan *scan, const char *name, uint64_t *number)
{
    return scan_number(scan_find(scan, name), number);
}

static bool read_edge(struct span edge, struct tree *tree)
{
    unsigned count = 0, expected = tree_edge_count(tree->size);
    struct span element;

    for (size_t at = 0; scan_element(edge, &at, &element); count++)
        if (count == expected || !tree_hash_read(scan_text(element), &tree->edge[count]))
            return false;
    return edge.length >= 2 && edge.data[0] == '[' && count == expected;
}

/* All headers name the same log. */
static bool same_origin(struct verifier *verifier)
{
    struct span origin = scan_text(scan_find(&verifier->scan, "origin"));

    if (origin.length == 0 || origin.length >= sizeof verifier->origin)
        return false;
    if (verifier->origin[0] == '\0')
        memcpy(verifier->origin, origin.data, origin.length); /* the rest is zeros */
    return span_is(origin, verifier->origin);
}

/* NULL, or what is wrong with the header in itself. */
static const char *read_header(const struct scan *scan, uint64_t seq, struct header *header)
{
    *header = (struct header){.format = 0};
    if (!span_is(scan_text(scan_find(scan, "stage")), "segment"))
        return "a segment must begin with its header, and this is none";
    if (!find_number(scan, "format", &header->format) || header->format != VERIFY_FORMAT)
        return "this header is of a format that this version does not know";
    if (!find_number(scan, "first_seq", &header->first_seq) || header->first_seq != seq)
        return "this header's `first_seq` is not its own number";
    if (!find_number(scan, "tree_size", &header->tree_size) || header->tree_size != seq - 1)
        return "this header's `tree_size` is not the number of lines before it";
    header->tree.size = header->tree_size;
    if (!read_edge(scan_find(scan, "edge"), &header->tree))
        return "this header's `edge` is not that of a tree of its `tree_size`";
    if (!find_number(scan, "run", &header->run) || header->run > seq)
        return "this header does not say which run of the gate it belongs to";
    if (!find_number(scan, "open_from", &header->open_from))
        return "this header does not say from which line on changes may be open";
    return NULL;
}

/* The name of a segment begins with the number of its first line. */
static void check_name(struct verifier *verifier, const struct link *link)
{
    const char *name = verifier->files[link->place.file].name;
    uint64_t number;

    if (verify_name_number(name, &number) && number != link->seq)
        verify_tell_at(verifier, VERIFY_HEADER, link->place,
                       "the file's name says that it begins with number %" PRIu64
                       ", but this is number %" PRIu64 ": the file was renamed or exchanged",
                       number, link->seq);
}

void verify_header(struct verifier *verifier, const struct link *link)
{
    struct header header;

    check_name(verifier, link);
    const char *wrong = read_header(&verifier->scan, link->seq, &header);
    if (wrong == NULL && !same_origin(verifier))
        wrong = "this header names another log than the one before";
    if (wrong != NULL) {
        verify_tell_at(verifier, VERIFY_HEADER, link->place, "%s", wrong);
        return;
    }
    if (header.run >= verifier->run) {
        if (header.run > verifier->run)
            verifier->run_place = link->place;
        verifier->run = header.run;
    }
    if (!verifier->has_begin && verifier->pieces.added == 1) {
        verifier->begin = header.tree;
        verifier->has_begin = true;
    }
    switch (growth_compare(&verifier->growth, &header.tree)) {
    case GROWTH_AGREES:
        break;
    case GROWTH_DIFFERS:
        verify_tell_at(
            verifier, VERIFY_HEADER, link->place,
            "this header's `edge` is not that of the lines before it: they, or it, were changed and "
            "hashed anew");
        break;
    case GROWTH_UNKNOWN:
        growth_adopt(&verifier->growth, &header.tree);
        break;
    }
}

/* A segment was removed. Of several such records, the one that reaches furthest says where the log begins. */
static void note_removal(struct verifier *verifier, const struct link *link)
{
    uint64_t last_seq;

    if (!find_number(&verifier->scan, "last_seq", &last_seq) || last_seq <= verifier->removed_to)
        return;
    verifier->removed_to = last_seq;
    verifier->removed_place = link->place;
    verifier->has_removed_root =
        tree_hash_read(scan_text(scan_find(&verifier->scan, "root")), &verifier->removed_root);
}

/* How long the lines behind the newest checkpoint wait for one. */
static void note_time(struct verifier *verifier, const struct link *link)
{
    int64_t time;

    if (link->seq <= verifier->newest_point ||
        !when_read(scan_text(scan_find(&verifier->scan, "time")), 0, &time))
        return;
    if (verifier->uncovered.line == 0) {
        verifier->uncovered = link->place;
        verifier->uncovered_us = time;
    }
    verifier->last_us = time;
}

void verify_stage(struct verifier *verifier, const struct link *link)
{
    struct span stage = scan_text(scan_find(&verifier->scan, "stage"));

    if (verifier->stopped && link->place.file == verifier->last_place.file)
        verify_tell_at(
            verifier, VERIFY_APPENDED, link->place,
            "this line was appended: the gate had stopped, and writes nothing into a segment behind that");
    verifier->stopped = span_is(stage, "stop");
    verifier->last_place = link->place;
    if (link->place.line > 1 && span_is(stage, "segment"))
        verify_tell_at(verifier, VERIFY_HEADER, link->place, "a segment's header inside of a segment");
    if (span_is(stage, "removed"))
        note_removal(verifier, link);
    if (span_is(stage, "recovered"))
        verify_cut_record(verifier, link);
    note_time(verifier, link);
}
