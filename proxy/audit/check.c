#include "proxy/audit/check.h"

#include "proxy/audit/lines.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

/* A whole number that is not negative. */
static bool read_number(const json_t *record, const char *name, uint64_t *number)
{
    json_t *value = json_object_get(record, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_hash(const json_t *value, struct tree_hash *hash)
{
    return json_is_string(value) &&
           tree_hash_read((struct span){json_string_value(value), json_string_length(value)}, hash);
}

/* The tree before the segment, as its header has it. */
static bool read_tree(const json_t *header, uint64_t size, struct tree *tree)
{
    const json_t *edge = json_object_get(header, "edge");

    tree->size = size;
    if (!json_is_array(edge) || json_array_size(edge) != tree_edge_count(size))
        return false;
    for (size_t i = 0; i < json_array_size(edge); i++)
        if (!read_hash(json_array_get(edge, i), &tree->edge[i]))
            return false;
    return true;
}

/* Takes the log before the segment from its header. NULL, or what is wrong with it. */
static const char *begin(struct check *check, const json_t *header)
{
    const char *stage = json_string_value(json_object_get(header, "stage"));
    struct chain chain = {0};
    uint64_t format, size;

    if (stage == NULL || strcmp(stage, "segment") != 0)
        return "not the header of a segment";
    if (!read_number(header, "format", &format) || format != SEGMENT_FORMAT)
        return "a format that this version cannot continue; begin a new journal in another directory";
    if (!read_number(header, "tree_size", &size) || size != check->first_seq - 1 ||
        !read_tree(header, size, &chain.tree) || !read_hash(json_object_get(header, "prev"), &chain.last) ||
        !read_number(header, "run", &check->run) || !read_number(header, "open_from", &check->open_from))
        return "a header that lacks something";
    if (check->known != NULL && !chain_equal(check->known, &chain))
        return "its header does not continue the segment before";
    check->chain = chain;
    return check->visit != NULL ? check->visit(check->arg, &chain, (struct span){"", 0}) : NULL;
}

/* Is the line the record that must stand here? NULL, or what is wrong; *is_json tells whether it is JSON at
 * all. */
static const char *judge(struct check *check, struct span line, bool *is_json)
{
    json_t *record = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
    uint64_t seq, expected = check->line == 1 ? check->first_seq : chain_next(&check->chain);
    const char *wrong = NULL;
    struct tree_hash prev;

    *is_json = json_is_object(record);
    if (!*is_json)
        wrong = "not a record";
    else if (!json_is_integer(json_object_get(record, "seq")))
        wrong = "a record without its number";
    else if (!read_number(record, "seq", &seq) || seq != expected)
        wrong = check->line == 1 ? "its number is not the one in the file's name"
                                 : "its number does not follow the one before";
    else if (check->line == 1)
        wrong = begin(check, record);
    else if (!read_hash(json_object_get(record, "prev"), &prev) ||
             memcmp(prev.bytes, check->chain.last.bytes, TREE_HASH) != 0)
        wrong = "this line, or the one before it, was changed: `prev` is not that one's hash";
    json_decref(record);
    return wrong;
}

/* Is what lies behind the last good line small enough to be one group? */
static bool is_one_group(const struct check *check, const struct lines *lines)
{
    struct stat status;

    return fstat(lines->fd, &status) == 0 && status.st_size - check->whole <= (off_t)CHECK_GROUP;
}

/* May the bad line, and what is behind it, be what a crash left? */
static bool may_be_torn(const struct check *check, struct lines *lines, struct span line, bool is_json)
{
    struct span behind;

    if (check->line > 1 && memchr(line.data, '\0', line.length) != NULL && is_one_group(check, lines))
        return true;
    return !is_json && lines_next(lines, &behind) == LINE_END;
}

/* The next line must be good. */
static enum check_end step(struct check *check, struct lines *lines, struct span line, bool too_long)
{
    bool is_json = false;

    check->line = lines->number;
    check->wrong = too_long ? "a line longer than any record" : judge(check, line, &is_json);
    if (check->wrong != NULL)
        return !too_long && may_be_torn(check, lines, line, is_json) ? CHECK_CUT : CHECK_DAMAGED;
    check->whole = lines->next;
    chain_add(&check->chain, line);
    if (check->visit != NULL)
        check->wrong = check->visit(check->arg, &check->chain, line);
    return check->wrong != NULL ? CHECK_DAMAGED : CHECK_WHOLE;
}

enum check_end check_segment(struct check *check, int fd)
{
    struct lines lines = {.fd = fd};
    enum check_end end = CHECK_WHOLE;
    enum line_state state = LINE_END;
    struct span line;

    check->chain = check->known != NULL ? *check->known : (struct chain){0};
    check->line = 0;
    check->whole = 0;
    check->wrong = NULL;
    while (end == CHECK_WHOLE &&
           ((state = lines_next(&lines, &line)) == LINE_WHOLE || state == LINE_TOO_LONG))
        end = step(check, &lines, line, state == LINE_TOO_LONG);
    if (end == CHECK_WHOLE && state == LINE_ERROR)
        end = CHECK_FAILED;
    else if (end == CHECK_WHOLE && state == LINE_PARTIAL)
        end = CHECK_CUT;

    int fault = errno;
    lines_free(&lines);
    errno = fault;
    return end;
}
