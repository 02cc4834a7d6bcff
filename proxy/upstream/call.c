#include "proxy/base/clock.h"
#include "proxy/upstream/message.h"
#include "proxy/upstream/upstream_internal.h"

#include <stdio.h>

void call_move(struct upstream_call *call, struct call_list *list)
{
    struct upstream *upstream = call->upstream;
    TAILQ_REMOVE(call->list, call, entry);
    upstream->waiting_count -= call->list == &upstream->waiting;
    queue_remove(&upstream->queue, &call->place);
    TAILQ_INSERT_TAIL(list, call, entry);
    upstream->waiting_count += list == &upstream->waiting;
    if (list == &upstream->waiting)
        queue_add(&upstream->queue, &call->place);
    call->list = list;
}

void call_attach(struct upstream_call *call, struct connection *connection)
{
    call_move(call, &call->upstream->active);
    call->stage = CALL_CONNECTING;
    call->connection = connection;
    connection->call = call;
}

static void wipe_request(struct upstream_call *call)
{
    if (!call->wiped)
        explicit_bzero(call->request, call->length);
    call->wiped = true;
}

void call_over(struct upstream_call *call)
{
    wipe_request(call);
    call->stage = CALL_OVER;
    if (call->connection != NULL)
        pool_drop(call->connection);
    call->connection = NULL;
    call_move(call, &call->upstream->over);
    pool_schedule(call->upstream);
}

void call_fail(struct upstream_call *call, enum upstream_failure failure, const char *detail)
{
    call_over(call);
    call->events.fail(call->arg, failure, detail, call->sent);
}

/* May it be tried again on a fresh connection, now that this one is lost? */
static bool may_resend(const struct upstream_call *call)
{
    if (call->stage != CALL_RUNNING || call->resent || call->wiped || answer_began(call->connection->answer))
        return false;
    return !call->sent || (call->idempotent && call->connection->served);
}

static void note_sent(struct upstream_call *call)
{
    if (call->stage == CALL_RUNNING && call->connection->transport.sent > call->sent_before)
        call->sent = true;
}

/* The address is to blame for what ends a request, but not for the news that a kept connection was closed
 * meanwhile. While connecting, each that fails is blamed by itself; what is left is the time that ran out. */
static bool is_to_blame(const struct upstream_call *call, enum upstream_failure failure)
{
    const struct connection *connection = call->connection;
    if (call->stage == CALL_CONNECTING)
        return failure == UPSTREAM_TIMEOUT;
    return call->stage == CALL_RUNNING &&
           !(failure == UPSTREAM_CLOSED && connection->served && !answer_began(connection->answer));
}

void call_lost(struct upstream_call *call, enum upstream_failure failure, const char *detail)
{
    note_sent(call);
    if (is_to_blame(call, failure))
        connection_blame(call->connection);
    if (failure != UPSTREAM_CLOSED || !may_resend(call)) {
        call_fail(call, failure, detail);
        return;
    }
    pool_drop(call->connection);
    call->connection = NULL;
    call->stage = CALL_WAITING;
    call->resent = call->fresh = true;
    call->stuck = false;
    call_move(call, &call->upstream->waiting);
    TAILQ_REMOVE(&call->upstream->waiting, call, entry); /* it waited its turn before */
    TAILQ_INSERT_HEAD(&call->upstream->waiting, call, entry);
    queue_remove(&call->upstream->queue, &call->place);
    queue_add_first(&call->upstream->queue, &call->place);
}

static void lose_transport(struct upstream_call *call, const char *when)
{
    char fault[128], detail[192];
    transport_fault(&call->connection->transport, fault, sizeof(fault));
    snprintf(detail, sizeof(detail), "%s: %s", when, fault);
    call_lost(call, UPSTREAM_CLOSED, detail);
}

static void await_first_byte(struct upstream_call *call)
{
    int64_t now = clock_monotonic_us();
    call->first_due = now + call->upstream->config->upstream.first_byte_timeout_ms * INT64_C(1000);
    upstream_due(call->upstream, call_due(call), now);
}

void call_run(struct upstream_call *call)
{
    struct connection *connection = call->connection;
    call->stage = CALL_RUNNING;
    call->written = 0;
    call->sent_before = connection->transport.sent;
    answer_begin(connection->answer, call->head_request);
    call_write(call);
}

static void on_written(struct upstream_call *call)
{
    if (!call->idempotent || call->resent || !call->connection->served)
        wipe_request(call); /* it will not be sent again */
    if (call->paused)
        connection_pause(call->connection);
}

void call_write(struct upstream_call *call)
{
    struct connection *connection = call->connection;
    if (call->stuck || call->written == call->length) {
        call_read(call); /* it is TLS itself that had something to write; reading drives it */
        return;
    }
    await_first_byte(call); /* anew with each step forward: a long body takes its time */
    while (call->written < call->length) {
        size_t taken = 0;
        switch (transport_write(&connection->transport, call->request + call->written,
                                call->length - call->written, &taken)) {
        case TRANSPORT_DONE:
            call->written += taken;
            break;
        case TRANSPORT_WANTS_WRITE:
            connection_await_writable(connection);
            return;
        default:
            /* A refusal may lie there already. The read event brings it, or the news that the connection is
             * gone. */
            if (connection->transport.ssl == NULL && connection->transport.sent > call->sent_before)
                call->stuck = true;
            else
                lose_transport(call, "writing the request");
            return;
        }
    }
    on_written(call);
}

/* Hands the header up. False when the call is over. */
static bool give_head(struct upstream_call *call)
{
    const struct answer *answer = call->connection->answer;
    struct upstream *upstream = call->upstream;
    size_t count;
    const struct field *fields = answer_fields(answer, &count);
    const struct upstream_answer given = {
        .status = answer_status(answer),
        .fields = upstream->fields,
        .field_count = message_end_to_end(fields, count, upstream->fields),
        .length = answer_length(answer),
    };
    wipe_request(call); /* it is not sent again once an answer began */
    call->head_given = true;
    call->events.head(call->arg, &given);
    return call->stage != CALL_OVER;
}

/* The answer is whole, and nothing lies behind it. */
static void finish(struct upstream_call *call)
{
    struct connection *connection = call->connection;
    address_succeeded(connection->address);
    if (call->written == call->length && answer_keeps_connection(connection->answer)) {
        pool_keep(connection);
        call->connection = NULL;
    }
    call_over(call);
    call->events.end(call->arg);
}

static void refuse_answer(struct upstream_call *call, const char *fault)
{
    char detail[96];
    snprintf(detail, sizeof(detail), "the answer is not HTTP as it should be: %s", fault);
    call_lost(call, UPSTREAM_INVALID, detail);
}

/* Reads what came; pieces are handed up from where they lie. */
static void take_bytes(struct upstream_call *call, struct span bytes)
{
    struct answer *answer = call->connection->answer;
    for (;;) {
        struct span piece;
        size_t taken = answer_read(answer, bytes, &piece);
        enum answer_state state = answer_state(answer);
        bytes.data += taken;
        bytes.length -= taken;
        if (state == ANSWER_INVALID) {
            refuse_answer(call, answer_fault(answer));
            return;
        }
        if (state == ANSWER_DONE && bytes.length > 0) {
            refuse_answer(call, "surplus"); /* one of the two is not ours to pass on; who knows which */
            return;
        }
        if (!call->head_given && state != ANSWER_HEAD && !give_head(call))
            return;
        if (piece.length > 0) {
            call->events.body(call->arg, piece);
            if (call->stage == CALL_OVER)
                return;
        }
        if (state == ANSWER_DONE) {
            finish(call);
            return;
        }
        if (bytes.length == 0)
            return;
    }
}

/* The upstream closed: that ends some answers, and cuts off all others. */
static void take_end(struct upstream_call *call)
{
    struct answer *answer = call->connection->answer;
    if (answer_finish(answer) == ANSWER_DONE)
        finish(call);
    else
        call_lost(call, UPSTREAM_CLOSED,
                  answer_began(answer) ? "closed in the middle of the answer" : "closed before the answer");
}

/* May the bytes just read be an answer to this request? Those that begin one may have been sent before it.
 * For a read, which harms nobody but its own owner, the moment in which that can happen is worth a system
 * call only where it is long: the length of a round trip. */
static bool is_asked_for(const struct upstream_call *call)
{
    const struct connection *connection = call->connection;
    if (answer_began(connection->answer) ||
        (call->idempotent && !connection->far && connection->transport.sent > call->sent_before))
        return true;
    return !connection_spoke_first(connection, call->sent_before);
}

void call_read(struct upstream_call *call)
{
    struct upstream *upstream = call->upstream;
    struct connection *connection = call->connection;
    size_t length = 0;
    if (connection->paused)
        return;
    switch (transport_read(&connection->transport, upstream->scratch, sizeof(upstream->scratch), &length)) {
    case TRANSPORT_DONE:
        if (is_asked_for(call))
            take_bytes(call, (struct span){upstream->scratch, length});
        else
            refuse_answer(call, "unsolicited");
        return;
    case TRANSPORT_WANTS_READ:
        return;
    case TRANSPORT_WANTS_WRITE:
        connection_await_writable(connection);
        return;
    case TRANSPORT_ENDED:
        take_end(call);
        return;
    default:
        lose_transport(call, "reading the answer");
    }
}

int64_t call_due(const struct upstream_call *call)
{
    int64_t due = call->paused ? INT64_MAX : call->total_due, other = INT64_MAX;
    if (call->stage == CALL_CONNECTING)
        other = connection_due(call->connection);
    else if (call->stage == CALL_RUNNING && !call->paused && !answer_began(call->connection->answer))
        other = call->first_due;
    if (call->last_due < due)
        due = call->last_due;
    return other < due ? other : due;
}

void call_expire(struct upstream_call *call, int64_t now)
{
    bool total = !call->paused && now >= call->total_due, last = now >= call->last_due;
    if (call->stage == CALL_CONNECTING && !total && !last) {
        connection_expire(call->connection, now);
        return;
    }
    char detail[128];
    if (last)
        snprintf(detail, sizeof(detail), "the client's exchange had its time (limits.exchange_timeout_ms)");
    else if (total)
        snprintf(detail, sizeof(detail), "no whole answer within %u ms (total_timeout_ms)%s",
                 call->upstream->config->upstream.total_timeout_ms,
                 call->stage == CALL_WAITING ? ": no connection came free" : "");
    else
        snprintf(detail, sizeof(detail), "no answer began within %u ms (first_byte_timeout_ms)",
                 call->upstream->config->upstream.first_byte_timeout_ms);
    call_lost(call, UPSTREAM_TIMEOUT, detail);
}
