#include "proxy/audit/retention.h"

#include "proxy/audit/check.h"
#include "proxy/audit/cut.h"
#include "proxy/audit/recovery.h"
#include "proxy/base/clock.h"
#include "proxy/base/fault_point.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One look at the directory. */
struct look {
    const struct directory *directory;
    const struct segment_name *names;
    size_t count;
    struct intents intents;
    char *why;
};

static bool hold_back(struct look *look, const char *what)
{
    snprintf(look->why, RETENTION_WHY, "%s/%s: %s", look->directory->path, look->names[0].text, what);
    return false;
}

/* The oldest segment: every intent in it must find its end. */
static const char *on_oldest(void *arg, const struct chain *chain, struct span line)
{
    struct look *look = arg;

    (void)chain;
    return line.length == 0 || intents_note(&look->intents, line) ? NULL : "out of memory";
}

/* What a later segment's visitor says when all have found it. */
static const char enough[] = "all intents have an end";

static const char *on_later(void *arg, const struct chain *chain, struct span line)
{
    struct look *look = arg;

    (void)chain;
    intents_end(&look->intents, line);
    return json_object_size(look->intents.open) == 0 ? enough : NULL;
}

static enum check_end read_one(const struct look *look, size_t index, struct check *check)
{
    int fd = openat(look->directory->fd, look->names[index].text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    enum check_end end = CHECK_FAILED;
    int fault = errno;

    check->first_seq = look->names[index].first_seq;
    if (fd >= 0) {
        end = check_segment(check, fd);
        fault = errno;
        close(fd);
    }
    errno = fault;
    return end;
}

/* Is the segment at `index` whole? One behind the oldest is read as far as its ends are asked for only. */
static bool is_whole(struct look *look, size_t index, struct check *check)
{
    enum check_end end = read_one(look, index, check);

    if (end == CHECK_WHOLE || check->wrong == enough)
        return true;
    if (end == CHECK_CUT && index + 1 == look->count) /* being written */
        return true;
    if (end == CHECK_FAILED)
        return hold_back(look, segment_fault(errno));
    snprintf(look->why, RETENTION_WHY,
             "%s/%s:%" PRIu64 ": damaged: %s; look with: portcullis audit verify %s", look->directory->path,
             look->names[index].text, check->line, check->wrong != NULL ? check->wrong : "an incomplete line",
             look->directory->path);
    return false;
}

static bool is_covered(struct look *look, const struct note_key *key, uint64_t last_seq)
{
    struct tree_hash root;
    uint64_t size;

    if (!checkpoints_newest(look->directory, &size))
        return hold_back(look, segment_fault(errno));
    if (size < last_seq)
        return hold_back(look, "no checkpoint covers it yet");
    return checkpoints_read(look->directory, size, key, &root, look->why, RETENTION_WHY);
}

/* Is the oldest segment whole, does the next one continue it, and is every intent of it settled, there or
 * later? */
static bool is_settled(struct look *look, struct tree_hash *root)
{
    struct check oldest = {.visit = on_oldest, .arg = look};

    if (!is_whole(look, 0, &oldest))
        return false;
    *root = tree_root(&oldest.chain.tree);
    for (size_t i = 1; i < look->count; i++) {
        struct check check = {.known = i == 1 ? &oldest.chain : NULL, .visit = on_later, .arg = look};

        if (!is_whole(look, i, &check))
            return false;
        if (check.wrong == enough)
            return true;
    }
    return hold_back(look, "an intent in it has no end yet");
}

enum retention_answer retention_look(const struct directory *directory, const struct note_key *key,
                                     int64_t before_us, struct removal *removal,
                                     char why[static RETENTION_WHY])
{
    struct look look = {.directory = directory, .why = why};
    struct segment_name *names = NULL;
    char before[DIRECTORY_TIME];
    bool remove = false;

    why[0] = '\0';
    directory_time(before_us, before);
    if (!intents_init(&look.intents) || !directory_list(directory, &names, &look.count)) {
        snprintf(why, RETENTION_WHY, "%s: %s", directory->path, segment_fault(errno));
    } else if (look.count >= 2 && strncmp(segment_name_time(&names[1]), before, DIRECTORY_TIME - 1) < 0) {
        look.names = names;
        *removal = (struct removal){.name = names[0], .last_seq = names[1].first_seq - 1};
        remove = is_covered(&look, key, removal->last_seq) && is_settled(&look, &removal->root);
    }
    free(names);
    intents_free(&look.intents);
    return remove ? RETENTION_REMOVE : RETENTION_NOTHING;
}

bool retention_record(const struct removal *removal, struct record *record)
{
    char root[TREE_HEX];

    tree_hash_write(&removal->root, root);
    return record_build(
        &(struct record_fields){
            .stage = STAGE_REMOVED,
            .time_us = clock_now_us(),
            .segment = span_of(removal->name.text),
            .first_seq = record_number(removal->name.first_seq),
            .last_seq = record_number(removal->last_seq),
            .count = record_number(removal->last_seq + 1 - removal->name.first_seq),
            .root = span_of(root),
        },
        record);
}

/* What was cut off from the segment after a crash. */
static void remove_cuts(const struct directory *directory, const char *segment)
{
    DIR *handle = opendir(directory->path);
    struct dirent *item;

    while (handle != NULL && (item = readdir(handle)) != NULL)
        if (cut_is_of(item->d_name, segment))
            (void)unlinkat(directory->fd, item->d_name, 0);
    if (handle != NULL)
        closedir(handle);
}

const char *retention_remove(const struct directory *directory, const struct removal *removal)
{
    if (unlinkat(directory->fd, removal->name.text, 0) != 0)
        return segment_fault(errno);
    FAULT_POINT("removal-after-unlink");
    remove_cuts(directory, removal->name.text);
    checkpoints_forget(directory, removal->last_seq);
    return directory_sync(directory) ? NULL : segment_fault(errno);
}
