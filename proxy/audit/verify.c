#include "proxy/audit/verify_internal.h"

#include "proxy/audit/trail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PROGRESS_LINES 4096

/* The index of the file that the line is in. SIZE_MAX when memory is out. */
static size_t find_file(struct verifier *verifier, const struct trail_line *line)
{
    size_t count = verifier->file_count;

    if (count > 0 && strcmp(verifier->files[count - 1].name, line->file) == 0)
        return count - 1;

    struct verify_file *files = reallocarray(verifier->files, count + 1, sizeof *files);
    if (files == NULL)
        return SIZE_MAX;
    verifier->files = files;
    files[count] = (struct verify_file){.name = strdup(line->file)};
    if (files[count].name == NULL)
        return SIZE_MAX;
    verifier->file_count++;
    verifier->report->segments++;
    return count;
}

/* What must stand in a line that cannot be read. */
static uint64_t presumed_number(const struct verifier *verifier, const struct link *link)
{
    uint64_t number = 1;

    if (verifier->pieces.count > 0)
        return verifier->pieces.last.seq + 1;
    (void)verify_name_number(verifier->files[link->place.file].name, &number);
    return number;
}

/* Reads what the chain needs from the line, and says what is wrong with its form. */
static void read_link(struct verifier *verifier, struct span line, struct link *link)
{
    struct scan *scan = &verifier->scan;
    const char *wrong = NULL;
    bool read = scan_line(line, scan);

    link->leaf = tree_leaf(line);
    link->readable = scan_number(scan_find(scan, "seq"), &link->seq) && link->seq > 0 &&
                     tree_hash_read(scan_text(scan_find(scan, "prev")), &link->prev);
    if (!link->readable)
        wrong = "it has no `seq` and `prev`";
    if (!read || scan->fault != NULL)
        wrong = scan->fault;
    if (!link->readable)
        link->seq = presumed_number(verifier, link);
    if (wrong != NULL)
        verify_tell_at(verifier, VERIFY_FORM, link->place,
                       "this line is not as the journal writes it: %s (byte %zu)", wrong, scan->at + 1);
}

/* The zeros that the first line names. */
static void check_first(struct verifier *verifier, const struct link *link)
{
    static const struct tree_hash zeros;
    static const struct tree empty;

    if (link->seq != 1)
        return;
    growth_adopt(&verifier->growth, &empty);
    if (link->readable && memcmp(link->prev.bytes, zeros.bytes, TREE_HASH) != 0)
        verify_tell_at(verifier, VERIFY_CHANGED, link->place,
                       "this line was changed: `prev` of the log's first line must be zeros");
}

/* False when memory is out. */
static bool add_line(struct verifier *verifier, const struct trail_line *line)
{
    struct link link = {.place = {find_file(verifier, line), line->number}};

    if (link.place.file == SIZE_MAX)
        return false;
    read_link(verifier, line->text, &link);

    bool first = verifier->pieces.count == 0;
    enum joint joint = pieces_add(&verifier->pieces, &link);
    growth_add(&verifier->growth, &link, joint);
    if (first)
        check_first(verifier, &link);
    if (line->number == 1) {
        verifier->files[link.place.file].first_seq = link.seq;
        verify_header(verifier, &link);
    }
    verify_stage(verifier, &link);

    verifier->files[link.place.file].lines++;
    verifier->report->lines++;
    if (link.seq > verifier->high_seq) {
        verifier->high_seq = link.seq;
        verifier->high_place = link.place;
    }
    return true;
}

/* The segment behind that one, by name; its first number in *seq. False when there is none. */
static bool find_newer(const struct verifier *verifier, const char *file, uint64_t *seq)
{
    const struct directory directory = {.path = verifier->directory};
    struct segment_name *names;
    bool found = false;
    size_t count;

    if (!directory_list(&directory, &names, &count))
        return false;
    for (size_t i = 0; i < count && !found; i++) {
        found = strcmp(names[i].text, file) > 0;
        *seq = names[i].first_seq;
    }
    free(names);
    return found;
}

/* Bytes without a newline at a segment's end. */
static void on_partial(struct verifier *verifier, const struct trail_line *line)
{
    uint64_t seq;

    if (find_newer(verifier, line->file, &seq))
        verify_tell(verifier, VERIFY_TRUNCATED, line->file, line->number,
                    "this line is cut off, and its segment is not the newest");
    else
        verify_tell(
            verifier, VERIFY_UNFINISHED, line->file, line->number,
            "an incomplete line: it is being written, or the gate was stopped in the middle of it and will "
            "cut it off when it starts");
}

static void on_too_long(struct verifier *verifier, const struct trail_line *line)
{
    verify_tell(verifier, VERIFY_FORM, line->file, line->number, "this line is longer than any record");
    verifier->growth.known = false;
}

static void report_progress(const struct verifier *verifier, const struct trail *trail)
{
    uint64_t done, all;

    if (verifier->options->progress == NULL)
        return;
    trail_progress(trail, &done, &all);
    verifier->options->progress(verifier->options->arg, done, all);
}

/* Reads all lines. False when memory is out. */
static bool read_lines(struct verifier *verifier, struct trail *trail)
{
    struct trail_line line;
    enum trail_state state;
    uint64_t all;

    while ((state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR) {
        if (state == TRAIL_PARTIAL)
            on_partial(verifier, &line);
        else if (state == TRAIL_TOO_LONG)
            on_too_long(verifier, &line);
        else if (!add_line(verifier, &line))
            return false;
        if (verifier->report->lines % PROGRESS_LINES == 0)
            report_progress(verifier, trail);
    }
    if (state == TRAIL_ERROR) {
        verifier->broken_off = true;
        verify_tell(verifier, VERIFY_UNREADABLE, NULL, 0, "%s", trail_error(trail));
    }
    growth_end(&verifier->growth);
    trail_progress(trail, &verifier->report->bytes, &all);
    report_progress(verifier, trail);
    return true;
}

/* A segment alone must end where the one behind it begins. */
static void check_single_end(struct verifier *verifier)
{
    const char *name = verifier->file_count > 0 ? verifier->files[0].name : "";
    uint64_t own, next;

    if (!verifier->single || !verify_name_number(name, &own) || !find_newer(verifier, name, &next))
        return;
    if (verifier->high_seq + 1 < next)
        verify_tell_at(verifier, VERIFY_TRUNCATED, verifier->high_place,
                       "this segment ends here, with number %" PRIu64
                       ", but the one behind it begins with %" PRIu64,
                       verifier->high_seq, next);
}

/* Reads the keys in the directory, and holds them against the ones given. */
static void read_keys(struct verifier *verifier)
{
    const struct trust *given = verifier->options->trust;
    char error[512];

    if (!trust_add_directory(&verifier->own, verifier->directory, error, sizeof error))
        verify_tell(verifier, VERIFY_KEY, NULL, 0, "%s", error);
    verifier->trust = given != NULL ? given : &verifier->own;
    if (given == NULL)
        return;
    for (size_t i = 0; i < verifier->own.count; i++)
        if (!trust_has(given, &verifier->own.keys[i]))
            verify_tell(verifier, VERIFY_KEY, "verifier.vkey", 0,
                        "the journal's own key, %s, is not the one given with --key",
                        verifier->own.keys[i].name);
}

/* Before the lines are read, so that none of them is behind what is read of a log that grows. */
static bool read_points(struct verifier *verifier, char *error, size_t error_size)
{
    const struct verify_options *options = verifier->options;
    char message[512];

    if (!points_add_directory(&verifier->points, verifier->directory, verifier->trust, message,
                              sizeof message))
        verify_tell(verifier, VERIFY_UNREADABLE, NULL, 0, "%s", message);
    for (size_t i = 0; i < options->checkpoint_count; i++)
        if (!points_add_file(&verifier->points, options->checkpoints[i], verifier->trust, error, error_size))
            return false;

    const struct point *newest = points_newest(&verifier->points);
    verifier->newest_point = newest != NULL ? newest->size : 0;
    verifier->growth.points = &verifier->points;
    return true;
}

/* Finds out what the path leads to. False with a message. */
static bool find_directory(struct verifier *verifier, char *error, size_t error_size)
{
    const char *path = verifier->options->path, *slash = strrchr(path, '/');
    struct stat status;

    if (stat(path, &status) != 0) {
        snprintf(error, error_size, "%s: %s", path, strerrordesc_np(errno));
        return false;
    }
    verifier->single = !S_ISDIR(status.st_mode);
    verifier->directory = !verifier->single ? strdup(path)
                          : slash == NULL   ? strdup(".")
                          : slash == path   ? strdup("/")
                                            : strndup(path, (size_t)(slash - path));
    if (verifier->directory == NULL || !pieces_init(&verifier->pieces)) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    return true;
}

static void judge(struct verifier *verifier)
{
    struct verify_report *report = verifier->report;

    verify_joints(verifier);
    check_single_end(verifier);
    verify_points(verifier);
    verify_coverage(verifier);
    verify_cuts(verifier);
    verify_sort(report);
    report->first_seq = verifier->pieces.count > 0 ? verifier->pieces.items[0].first_seq : 0;
    report->last_seq = verifier->high_seq;
}

static bool run(struct verifier *verifier, char *error, size_t error_size)
{
    struct trail *trail = NULL;
    bool done = false;

    if (!find_directory(verifier, error, error_size))
        return false;
    read_keys(verifier);
    if (!read_points(verifier, error, error_size))
        return false;
    trail = trail_open(verifier->options->path, error, error_size);
    if (trail == NULL)
        return false;
    if (!verify_cuts_find(verifier) || !read_lines(verifier, trail))
        snprintf(error, error_size, "out of memory");
    else if (verifier->report->lines == 0 && verifier->report->count == 0 && verifier->points.count == 0)
        snprintf(error, error_size, "%s: no journal is here", verifier->options->path);
    else
        done = true;
    trail_free(trail);
    if (done)
        judge(verifier);
    return done;
}

bool verify_run(const struct verify_options *options, struct verify_report *report, char *error,
                size_t error_size)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    bool done = false;

    *report = (struct verify_report){0};
    if (verifier == NULL) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    verifier->options = options;
    verifier->report = report;
    done = run(verifier, error, error_size);

    for (size_t i = 0; i < verifier->file_count; i++)
        free(verifier->files[i].name);
    free(verifier->files);
    free(verifier->directory);
    verify_cuts_free(verifier);
    points_free(&verifier->points);
    trust_free(&verifier->own);
    pieces_free(&verifier->pieces);
    free(verifier);
    return done;
}
