#include "proxy/audit/points.h"
#include "proxy/audit/proof.h"
#include "proxy/audit/query.h"
#include "proxy/audit/trail.h"
#include "proxy/console/audit.h"
#include "proxy/console/audit_options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGES_TOLD 8

struct options {
    const char *path, *id, *stage, *output;
    struct trust keys;
};

/* A proof in the making. */
struct making {
    const struct options *options;
    struct scan scan;
    struct trust own;
    struct points points;
    uint64_t seq; /* of the record; 0: not found */
    struct text record, proof;
    char error[1024];
};

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"stage", .text = &options->stage},
                                      {"output", 'o', .text = &options->output},
                                      {"key", .take = audit_take_key, .arg = &options->keys},
                                      {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 2)
        return CONSOLE_USAGE;
    options->path = operands.items[0];
    options->id = operands.items[1];
    return CONSOLE_DONE;
}

/* Sets the message. */
#define FAIL(making, status, ...) (snprintf((making)->error, sizeof(making)->error, __VA_ARGS__), (status))

static const struct trust *trust_of(const struct making *making)
{
    return making->options->keys.count > 0 ? &making->options->keys : &making->own;
}

/* ---- which record ---- */

/* Appends "17 (intent)" to the list of records that could be meant. */
static void add_candidate(const struct making *making, uint64_t seq, struct text *list)
{
    struct text stage = {0};

    audit_add_value(&stage, scan_find(&making->scan, "stage"));
    text_add_format(list, "%s%" PRIu64 " (%s)", list->length > 0 ? ", " : "", seq,
                    stage.data != NULL ? stage.data : "");
    text_free(&stage);
}

/* Looks for the request's record: its number, and of all that it could be a list. False: unreadable. */
static bool find_candidates(struct making *making, struct trail *trail, const struct query *query,
                            uint64_t *found, struct text *list)
{
    enum trail_state state;
    struct trail_line line;
    uint64_t seq;

    while ((state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR) {
        if (state != TRAIL_LINE || query_match(query, line.text, &making->scan) != QUERY_YES ||
            !scan_number(scan_find(&making->scan, "seq"), &seq))
            continue;
        making->seq = seq;
        if (++*found <= STAGES_TOLD)
            add_candidate(making, seq, list);
    }
    return state == TRAIL_END;
}

/* By request id, and stage where one is given. */
static int find_by_request(struct making *making, struct trail *trail)
{
    const struct options *options = making->options;
    struct query query = {0};
    struct text list = {0};
    uint64_t found = 0;
    int status = CONSOLE_DONE;

    if (!query_set(&query, QUERY_REQUEST_ID, options->id) ||
        (options->stage != NULL && !query_set(&query, QUERY_STAGE, options->stage)))
        status = FAIL(making, CONSOLE_BAD, "out of memory");
    else if (!find_candidates(making, trail, &query, &found, &list))
        status = FAIL(making, CONSOLE_BAD, "%s", trail_error(trail));
    else if (found == 0)
        status = FAIL(making, CONSOLE_NO, "no record has this number or request id%s: %s",
                      options->stage != NULL ? " and this stage" : "", options->id);
    else if (found > 1)
        status = FAIL(making, CONSOLE_BAD,
                      "the request has several records: %s%s; name one by its number or --stage",
                      list.data != NULL ? list.data : "", found > STAGES_TOLD ? ", ..." : "");
    query_free(&query);
    text_free(&list);
    return status;
}

static int find_record(struct making *making, struct trail *trail)
{
    if (scan_number(span_of(making->options->id), &making->seq) && making->seq > 0)
        return CONSOLE_DONE;
    making->seq = 0;
    return find_by_request(making, trail);
}

/* ---- its way to the root ---- */

static bool read_header(const struct scan *scan, struct tree *tree)
{
    struct span edge = scan_find(scan, "edge"), element;
    size_t count = 0;

    if (!scan_number(scan_find(scan, "tree_size"), &tree->size))
        return false;
    for (size_t at = 0; scan_element(edge, &at, &element); count++)
        if (count == tree_edge_count(tree->size) || !tree_hash_read(scan_text(element), &tree->edge[count]))
            return false;
    return count == tree_edge_count(tree->size);
}

/* Reads from the beginning of the record's segment to the checkpoint. */
static bool climb(struct making *making, struct trail *trail, struct prover *prover, uint64_t size)
{
    struct tree tree = {.size = 0};
    struct trail_line line;

    if (!trail_seek(trail, making->seq) || trail_next(trail, &line) != TRAIL_LINE ||
        !scan_line(line.text, &making->scan) || !read_header(&making->scan, &tree) ||
        tree.size >= making->seq)
        return false;
    prover_begin(prover, &tree, making->seq - 1);
    do {
        struct tree_hash leaf = tree_leaf(line.text);

        if (prover->tree.size + 1 == making->seq)
            text_add(&making->record, line.text.data, line.text.length);
        prover_add(prover, &leaf);
    } while (prover->tree.size < size && trail_next(trail, &line) == TRAIL_LINE);
    if (prover->tree.size != size || making->record.failed)
        return false;
    prover_end(prover);
    return true;
}

/* The smallest checkpoint that covers the record is the cheapest one, and as good as any. */
static int make_proof(struct making *making, struct trail *trail)
{
    const char *path = making->options->path;
    const struct point *point = points_covering(&making->points, making->seq);
    struct prover *prover = NULL;
    struct proof proof;
    const char *fault;

    if (point == NULL)
        return FAIL(making, CONSOLE_NO,
                    "no good checkpoint covers number %" PRIu64 " yet: the gate signs one every "
                    "audit.checkpoint_seconds, and when it stops; try again then (portcullis audit stats %s)",
                    making->seq, path);
    prover = calloc(1, sizeof *prover);
    if (prover == NULL || !climb(making, trail, prover, point->size)) {
        free(prover);
        return FAIL(making, CONSOLE_NO,
                    "number %" PRIu64 " is not in the log, or the log is damaged: portcullis audit verify %s",
                    making->seq, path);
    }
    proof_write((struct span){making->record.data, making->record.length}, making->seq - 1, prover->hashes,
                prover->count, span_of(point->note), &making->proof);
    free(prover);
    if (making->proof.failed)
        return FAIL(making, CONSOLE_BAD, "out of memory");
    if (!proof_verify((struct span){making->proof.data, making->proof.length}, trust_of(making), &proof,
                      &fault))
        return FAIL(making, CONSOLE_NO, "the log does not fit %s: it is damaged: portcullis audit verify %s",
                    point->file, path);
    proof_free(&proof);
    return CONSOLE_DONE;
}

/* ---- where it goes ---- */

static int write_proof(struct making *making)
{
    const char *path = making->options->output;
    struct span proof = {making->proof.data, making->proof.length};

    if (path == NULL)
        return audit_print(&making->proof) ? CONSOLE_DONE
                                           : FAIL(making, CONSOLE_BAD, "cannot write to stdout");

    FILE *file = fopen(path, "we");
    bool written = file != NULL && fwrite(proof.data, 1, proof.length, file) == proof.length;
    int fault = errno;
    if (file != NULL && fclose(file) != 0 && written) {
        fault = errno;
        written = false;
    }
    return written ? CONSOLE_DONE : FAIL(making, CONSOLE_BAD, "%s: %s", path, strerrordesc_np(fault));
}

static int prove(struct making *making)
{
    const char *path = making->options->path;
    struct trail *trail = trail_open(path, making->error, sizeof making->error);
    struct stat about;
    int status = CONSOLE_BAD;

    if (trail == NULL)
        return CONSOLE_BAD;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        (void)FAIL(making, CONSOLE_BAD, "%s: not a journal's directory", path);
    else if ((making->options->keys.count > 0 ||
              trust_add_directory(&making->own, path, making->error, sizeof making->error)) &&
             points_add_directory(&making->points, path, trust_of(making), making->error,
                                  sizeof making->error))
        status = find_record(making, trail);
    if (status == CONSOLE_DONE)
        status = make_proof(making, trail);
    if (status == CONSOLE_DONE)
        status = write_proof(making);
    trail_free(trail);
    return status;
}

int audit_prove(int argc, char **argv)
{
    struct options options = {0};
    int status = read_options(argc, argv, &options);
    struct making *making = status == CONSOLE_DONE ? calloc(1, sizeof *making) : NULL;

    if (making != NULL) {
        making->options = &options;
        status = prove(making);
        if (status != CONSOLE_DONE)
            output_fault("%s", making->error);
        points_free(&making->points);
        trust_free(&making->own);
        text_free(&making->record);
        text_free(&making->proof);
        free(making);
    } else if (status == CONSOLE_DONE) {
        output_fault("out of memory");
        status = CONSOLE_BAD;
    }
    trust_free(&options.keys);
    return status;
}
