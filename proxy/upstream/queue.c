#include "proxy/upstream/queue.h"

#include <stdlib.h>

struct line {
    TAILQ_ENTRY(line) turn;
    LIST_ENTRY(line) chain;
    struct upstream_owner owner;
    struct place_list places;
    size_t yielding;
};

void queue_begin(struct queue *queue)
{
    *queue = (struct queue){0};
    TAILQ_INIT(&queue->turns);
}

void queue_end(struct queue *queue)
{
    struct line *line;

    while ((line = LIST_FIRST(&queue->spare)) != NULL) {
        LIST_REMOVE(line, chain);
        free(line);
    }
}

bool queue_reserve(struct queue *queue)
{
    if (queue->places == queue->lines) {
        struct line *line = calloc(1, sizeof *line);
        if (line == NULL)
            return false;
        TAILQ_INIT(&line->places);
        LIST_INSERT_HEAD(&queue->spare, line, chain);
        queue->lines++;
    }
    queue->places++;
    return true;
}

void queue_release(struct queue *queue)
{
    queue->places--;
}

static struct line_chain *chain_of(struct queue *queue, const struct upstream_owner *owner)
{
    return &queue->chains[owner->words[0] % QUEUE_CHAINS];
}

/* The owner's line; a new one has its turn last. */
static struct line *line_of(struct queue *queue, const struct upstream_owner *owner)
{
    struct line *line;

    LIST_FOREACH (line, chain_of(queue, owner), chain)
        if (owner_equal(&line->owner, owner))
            return line;
    line = LIST_FIRST(&queue->spare); /* there is one: it was reserved */
    LIST_REMOVE(line, chain);
    line->owner = *owner;
    LIST_INSERT_HEAD(chain_of(queue, owner), line, chain);
    TAILQ_INSERT_TAIL(&queue->turns, line, turn);
    return line;
}

static struct line *enter(struct queue *queue, struct place *place)
{
    place->line = line_of(queue, &place->owner);
    place->line->yielding += !place->firm;
    queue->yielding += !place->firm;
    return place->line;
}

void queue_add(struct queue *queue, struct place *place)
{
    struct line *line = enter(queue, place);

    TAILQ_INSERT_TAIL(&line->places, place, entry);
}

void queue_add_first(struct queue *queue, struct place *place)
{
    struct line *line = enter(queue, place);

    TAILQ_INSERT_HEAD(&line->places, place, entry);
    TAILQ_REMOVE(&queue->turns, line, turn);
    TAILQ_INSERT_HEAD(&queue->turns, line, turn);
}

void queue_remove(struct queue *queue, struct place *place)
{
    struct line *line = place->line;

    if (line == NULL)
        return;
    bool first = TAILQ_FIRST(&line->places) == place;
    TAILQ_REMOVE(&line->places, place, entry);
    place->line = NULL;
    line->yielding -= !place->firm;
    queue->yielding -= !place->firm;
    if (TAILQ_EMPTY(&line->places)) {
        TAILQ_REMOVE(&queue->turns, line, turn);
        LIST_REMOVE(line, chain);
        LIST_INSERT_HEAD(&queue->spare, line, chain);
    } else if (first) {
        TAILQ_REMOVE(&queue->turns, line, turn);
        TAILQ_INSERT_TAIL(&queue->turns, line, turn);
    }
}

struct place *queue_first(const struct queue *queue)
{
    const struct line *line = TAILQ_FIRST(&queue->turns);

    return line != NULL ? TAILQ_FIRST(&line->places) : NULL;
}

struct place *queue_newest(const struct queue *queue)
{
    const struct line *line, *longest = NULL;
    struct place *place = NULL;

    TAILQ_FOREACH (line, &queue->turns, turn)
        if (line->yielding > (longest != NULL ? longest->yielding : 0))
            longest = line;
    if (longest != NULL)
        for (place = TAILQ_LAST(&longest->places, place_list); place->firm;
             place = TAILQ_PREV(place, place_list, entry))
            ;
    return place;
}
