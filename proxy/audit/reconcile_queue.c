#include "proxy/audit/reconcile_queue.h"

#include "proxy/base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct reconcile_queue {
    int descriptor; /* eventfd */
    pthread_mutex_t lock;
    struct reconcile_cases cases; /* under the lock */
    size_t count;
};

struct reconcile_queue *reconcile_queue_new(void)
{
    struct reconcile_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL || pthread_mutex_init(&queue->lock, NULL) != 0) {
        free(queue);
        return NULL;
    }
    STAILQ_INIT(&queue->cases);
    queue->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->descriptor < 0) {
        (void)pthread_mutex_destroy(&queue->lock);
        free(queue);
        return NULL;
    }
    return queue;
}

static void free_cases(struct reconcile_cases *cases)
{
    struct reconcile_case *subject;

    while ((subject = STAILQ_FIRST(cases)) != NULL) {
        STAILQ_REMOVE_HEAD(cases, next);
        reconcile_case_free(subject);
    }
}

void reconcile_queue_free(struct reconcile_queue *queue)
{
    if (queue == NULL)
        return;
    free_cases(&queue->cases);
    (void)close(queue->descriptor);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

int reconcile_queue_descriptor(const struct reconcile_queue *queue)
{
    return queue->descriptor;
}

/* Takes the case over if there is room. */
static bool put(struct reconcile_queue *queue, struct reconcile_case *subject)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool room = queue->count < RECONCILE_CASES;
    if (room) {
        STAILQ_INSERT_TAIL(&queue->cases, subject, next);
        if (queue->count++ == 0)
            (void)eventfd_write(queue->descriptor, 1);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return room;
}

void reconcile_hand_over(struct reconcile_queue *queue, const struct record_fields *intent)
{
    json_t *body =
        intent->body.length > 0 ? json_loadb(intent->body.data, intent->body.length, 0, NULL) : NULL;
    struct reconcile_case *subject = reconcile_case_make(intent, body);

    json_decref(body);
    if (subject != NULL && put(queue, subject))
        return;
    reconcile_case_free(subject);
    log_event(LOG_WARNING, "reconcile",
              "request %.*s: no room to remember it; it is looked into at the next start",
              (int)intent->request_id.length, intent->request_id.data);
}

void reconcile_queue_take(struct reconcile_queue *queue, struct reconcile_cases *cases)
{
    eventfd_t count;

    STAILQ_INIT(cases);
    (void)pthread_mutex_lock(&queue->lock);
    (void)eventfd_read(queue->descriptor, &count);
    STAILQ_CONCAT(cases, &queue->cases);
    queue->count = 0;
    (void)pthread_mutex_unlock(&queue->lock);
}
