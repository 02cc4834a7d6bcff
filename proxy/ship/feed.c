#include "proxy/ship/feed.h"

#include "proxy/audit/directory.h"
#include "proxy/audit/trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct feed {
    char *directory;
    struct trail *trail;
    struct position after; /* where it began; its line is held against the journal when it comes by */
    uint64_t next;         /* number of the line to hand out */
    bool sought;           /* the trail was just led to that line */
    char error[512];
};

static bool seek(struct feed *feed)
{
    /* One before: the position's own line must come by. */
    feed->sought = trail_seek(feed->trail, feed->next > 1 ? feed->next - 1 : 1);
    if (!feed->sought)
        (void)snprintf(feed->error, sizeof feed->error, "%s", trail_error(feed->trail));
    return feed->sought;
}

struct feed *feed_open(const char *directory, const struct position *after, char *error, size_t error_size)
{
    struct feed *feed = calloc(1, sizeof *feed);

    if (feed == NULL || (feed->directory = strdup(directory)) == NULL) {
        (void)snprintf(error, error_size, "memory is out");
        goto failed;
    }
    feed->after = *after;
    feed->next = after->seq + 1;
    feed->trail = trail_open(directory, error, error_size);
    if (feed->trail == NULL)
        goto failed;
    if (!seek(feed)) {
        (void)snprintf(error, error_size, "%s", feed->error);
        goto failed;
    }
    return feed;

failed:
    feed_free(feed);
    return NULL;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL)
        return;
    trail_free(feed->trail);
    free(feed->directory);
    free(feed);
}

const char *feed_error(const struct feed *feed)
{
    return feed->error;
}

/* Numbers have no gaps within a segment, and its name begins with its first. 0: not a segment's name. */
static uint64_t number_of(const struct trail_line *line)
{
    struct segment_name name;

    return segment_name_read(line->file, &name) ? name.first_seq + line->number - 1 : 0;
}

/* What the trail read ahead may have been cut off since. Nothing grows again that was cut off, so this can be
 * told once the number is known to be durable. */
static bool is_there(const struct feed *feed, const struct trail_line *line)
{
    struct text path = {0};
    struct stat status;

    text_add_format(&path, "%s/%s", feed->directory, line->file);
    bool there = !path.failed && stat(path.data, &status) == 0 &&
                 (uint64_t)status.st_size > line->offset + line->text.length;
    text_free(&path);
    return there;
}

static enum feed_state begin_anew(struct feed *feed)
{
    feed->after = (struct position){0};
    feed->next = 1;
    return seek(feed) ? FEED_OTHER : FEED_ERROR;
}

static enum feed_state hand_out(struct feed *feed, const struct trail_line *found, uint64_t seq,
                                struct feed_line *line)
{
    *line = (struct feed_line){seq, found->file, found->text, seq - feed->next};
    feed->next = seq + 1;
    feed->sought = false;
    feed->after = (struct position){0}; /* far behind */
    return FEED_LINE;
}

/* Judges a line of the trail. FEED_WAIT with *again: look at the next one. */
static enum feed_state take(struct feed *feed, const struct trail_line *found, uint64_t durable,
                            struct feed_line *line, bool *again)
{
    uint64_t seq = number_of(found);

    *again = true;
    if (seq == feed->after.seq && seq > 0) {
        struct tree_hash hash = tree_leaf(found->text);
        *again = memcmp(hash.bytes, feed->after.hash.bytes, sizeof hash.bytes) == 0;
        return *again ? FEED_WAIT : begin_anew(feed);
    }
    if (seq < feed->next)
        return FEED_WAIT;
    bool expected = seq == feed->next || feed->sought; /* else it is looked for once more */
    if (expected && seq <= durable && is_there(feed, found))
        return hand_out(feed, found, seq, line);
    *again = !feed->sought;
    return seek(feed) ? FEED_WAIT : FEED_ERROR;
}

enum feed_state feed_next(struct feed *feed, uint64_t durable, struct feed_line *line)
{
    struct trail_line found;
    bool again = true;

    if (feed->after.seq > durable)
        return begin_anew(feed);
    while (again && feed->next <= durable) {
        enum feed_state state = FEED_WAIT;

        switch (trail_next(feed->trail, &found)) {
        case TRAIL_LINE:
            state = take(feed, &found, durable, line, &again);
            break;
        case TRAIL_PARTIAL:
        case TRAIL_TOO_LONG: /* is among the missing of the next line */
            break;
        case TRAIL_END:
            again = false;
            break;
        case TRAIL_ERROR:
            (void)snprintf(feed->error, sizeof feed->error, "%s", trail_error(feed->trail));
            state = FEED_ERROR;
            break;
        }
        if (state != FEED_WAIT)
            return state;
    }
    return FEED_WAIT;
}
