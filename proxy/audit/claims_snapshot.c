/* The state as records carry it from one segment to the next. What is JSON itself is in it as a string: so it
 * comes back byte by byte, and nothing that looks for the members of a record finds them in here. */
#include "proxy/audit/claims_state.h"

#include <stdio.h>
#include <stdlib.h>

/* The lists of a part, in the byte order of their names, and what is in them. */
static const struct list {
    const char *name;
    enum held_kind kind;
} lists[HELD_KINDS] = {
    {"approvals", HELD_APPROVAL}, {"budgets", HELD_BUDGET}, {"flights", HELD_FLIGHT},
    {"keys", HELD_KEY},           {"twins", HELD_TWIN},
};

/* ---- writing ---- */

static void add_text(struct text *text, const char *name, const char *value)
{
    text_add_format(text, ",\"%s\":", name);
    text_add_json(text, span_of(value));
}

static void add_number(struct text *text, const char *name, uint64_t value)
{
    text_add_format(text, ",\"%s\":", name);
    text_add_number(text, value);
}

static void add_given(struct text *text, const struct held_approval *approval)
{
    text_add_string(text, ",\"given\":[");
    for (size_t i = 0; i < approval->given_count; i++) {
        text_add_string(text, i > 0 ? ",{\"person\":" : "{\"person\":");
        text_add_json(text, span_of(approval->given[i].person));
        add_text(text, "principal", approval->given[i].principal);
        add_number(text, "time", (uint64_t)approval->given[i].time_us);
        text_add_string(text, "}");
    }
    text_add_string(text, "]");
}

static void write_approval(struct text *text, const struct held *held)
{
    const struct held_approval *approval = (const struct held_approval *)held;

    add_number(text, "expires", (uint64_t)approval->expires_us);
    add_text(text, "facts", approval->facts);
    add_given(text, approval);
    add_number(text, "people", approval->people);
    add_text(text, "principal", approval->principal);
    if (approval->projects != CLAIM_NO_RADIUS)
        add_number(text, "projects", approval->projects);
    add_text(text, "record", approval->record);
    add_text(text, "request", approval->request);
    add_text(text, "rule", approval->rule);
    if (approval->targets != CLAIM_NO_RADIUS)
        add_number(text, "targets", approval->targets);
    add_number(text, "time", (uint64_t)approval->time_us);
    if (approval->state == APPROVAL_USED)
        text_add_string(text, ",\"used\":true");
}

/* Each time but the first is how long after the one before. */
static void write_budget(struct text *text, const struct held *held)
{
    const struct held_budget *budget = (const struct held_budget *)held;

    add_number(text, "seconds", budget->seconds);
    text_add_string(text, ",\"times\":[");
    for (size_t i = 0; i < budget->count; i++) {
        if (i > 0)
            text_add_string(text, ",");
        text_add_number(text, (uint64_t)(budget->times[i] - (i > 0 ? budget->times[i - 1] : 0)));
    }
    text_add_string(text, "]");
    if (budget->tripped_us != 0)
        add_number(text, "tripped", (uint64_t)budget->tripped_us);
}

static void write_key(struct text *text, const struct held *held)
{
    const struct held_key *key = (const struct held_key *)held;

    add_text(text, "found", key->found);
    if (key->principal != NULL)
        add_text(text, "principal", key->principal);
    if (key->replay != NULL)
        add_text(text, "replay", key->replay);
    add_text(text, "request", key->request);
    add_text(text, "request_id", key->request_id);
    add_number(text, "state", key->state);
    add_number(text, "status", key->status);
    add_number(text, "time", (uint64_t)key->time_us);
}

/* "called" sorts before all other members. */
static void write_item(struct text *text, const struct held *held)
{
    text_add_string(text, "{\"called\":");
    text_add_json(text, span_of(held->name));
    switch (held->kind) {
    case HELD_APPROVAL:
        write_approval(text, held);
        break;
    case HELD_BUDGET:
        write_budget(text, held);
        break;
    case HELD_FLIGHT:
        add_text(text, "claims", ((const struct held_flight *)held)->claims);
        add_number(text, "time", (uint64_t)((const struct held_flight *)held)->time_us);
        break;
    case HELD_KEY:
        write_key(text, held);
        break;
    case HELD_TWIN:
        add_number(text, "time", (uint64_t)((const struct held_twin *)held)->time_us);
        break;
    case HELD_KINDS:
        break;
    }
    text_add_string(text, "}");
}

static int by_name(const void *left, const void *right)
{
    return strcmp((*(const struct held *const *)left)->name, (*(const struct held *const *)right)->name);
}

/* All of a kind, sorted; to be freed. NULL when memory is out. */
static const struct held **sort_shelf(const struct book *book, enum held_kind kind)
{
    const struct held **all = malloc((book->shelves[kind].count + 1) * sizeof(struct held *));
    size_t count = 0;

    if (all == NULL)
        return NULL;
    for (const struct held *held = book_next(book, kind, NULL); held != NULL;
         held = book_next(book, kind, held))
        all[count++] = held;
    all[count] = NULL;
    qsort(all, count, sizeof(struct held *), by_name);
    return all;
}

struct writing {
    struct text text;
    bool item; /* the list begun has one */
    const struct list *list;
    claims_part *part;
    void *arg;
};

/* Hands out what is written, if it is long enough; always at the end (`list` NULL then). */
static bool finish_part(struct writing *writing, bool always)
{
    if (writing->text.length == 0 || (!always && writing->text.length < CLAIMS_PART))
        return !writing->text.failed;
    text_add_string(&writing->text, "]}");
    bool done = !writing->text.failed &&
                writing->part(writing->arg, (struct span){writing->text.data, writing->text.length});
    text_clear(&writing->text);
    writing->list = NULL;
    return done;
}

static bool write_shelf(struct writing *writing, const struct book *book, const struct list *list)
{
    const struct held **all = sort_shelf(book, list->kind);
    bool done = all != NULL;

    for (size_t i = 0; done && all[i] != NULL; i++) {
        if (writing->list != list)
            text_add_format(&writing->text, "%s\"%s\":[", writing->list == NULL ? "{" : "],", list->name);
        else
            text_add_string(&writing->text, ",");
        writing->list = list;
        write_item(&writing->text, all[i]);
        done = finish_part(writing, false);
    }
    free(all);
    return done;
}

bool claims_state_write(const struct claims_state *state, claims_part *part, void *arg)
{
    struct writing writing = {.part = part, .arg = arg};
    bool done = true;

    for (size_t i = 0; done && i < HELD_KINDS; i++)
        done = write_shelf(&writing, &state->book, &lists[i]);
    done = done && finish_part(&writing, true);
    text_free(&writing.text);
    return done;
}

/* ---- reading ---- */

static bool get_text(const json_t *item, const char *name, char **value)
{
    const char *text = json_string_value(json_object_get(item, name));

    *value = text != NULL ? strdup(text) : NULL;
    return *value != NULL;
}

static uint64_t get_number(const json_t *item, const char *name, uint64_t otherwise)
{
    const json_t *value = json_object_get(item, name);

    return json_is_integer(value) ? (uint64_t)json_integer_value(value) : otherwise;
}

static int64_t get_time(const json_t *item, const char *name)
{
    return (int64_t)get_number(item, name, 0);
}

static bool read_given(const json_t *item, struct held_approval *approval)
{
    const json_t *given = json_object_get(item, "given"), *one;
    size_t index;

    if (json_array_size(given) > CLAIM_PEOPLE)
        return false;
    json_array_foreach (given, index, one) {
        struct agreement *agreement = &approval->given[approval->given_count++];

        agreement->time_us = get_time(one, "time");
        if (!get_text(one, "principal", &agreement->principal) ||
            !get_text(one, "person", &agreement->person))
            return false;
    }
    return true;
}

static bool read_approval(const json_t *item, struct held *held)
{
    struct held_approval *approval = (struct held_approval *)held;

    approval->expires_us = get_time(item, "expires");
    approval->time_us = get_time(item, "time");
    approval->people = (unsigned)get_number(item, "people", 1);
    approval->projects = get_number(item, "projects", CLAIM_NO_RADIUS);
    approval->targets = get_number(item, "targets", CLAIM_NO_RADIUS);
    approval->state = json_is_true(json_object_get(item, "used")) ? APPROVAL_USED : APPROVAL_PENDING;
    return get_text(item, "facts", &approval->facts) && get_text(item, "principal", &approval->principal) &&
           get_text(item, "request", &approval->request) && get_text(item, "rule", &approval->rule) &&
           approval_set_record(approval, span_of(json_string_value(json_object_get(item, "record")))) &&
           read_given(item, approval);
}

static bool read_budget(const json_t *item, struct held *held)
{
    struct held_budget *budget = (struct held_budget *)held;
    const json_t *times = json_object_get(item, "times"), *one;
    size_t index;

    budget->seconds = (unsigned)get_number(item, "seconds", 1);
    budget->tripped_us = get_time(item, "tripped");
    budget->room = json_array_size(times);
    budget->times = malloc((budget->room + 1) * sizeof *budget->times);
    if (budget->times == NULL)
        return false;
    json_array_foreach (times, index, one) {
        int64_t before = index > 0 ? budget->times[index - 1] : 0;

        budget->times[budget->count++] = before + (int64_t)json_integer_value(one);
    }
    return true;
}

static bool read_key(const json_t *item, struct held *held)
{
    struct held_key *key = (struct held_key *)held;
    const char *found = json_string_value(json_object_get(item, "found"));

    key->time_us = get_time(item, "time");
    key->state = (enum key_state)get_number(item, "state", KEY_UNKNOWN);
    key->status = (unsigned)get_number(item, "status", 0);
    (void)snprintf(key->found, sizeof key->found, "%s", found != NULL ? found : "");
    return key->state <= KEY_DONE && get_text(item, "request", &key->request) &&
           get_text(item, "request_id", &key->request_id) &&
           (json_object_get(item, "principal") == NULL || get_text(item, "principal", &key->principal)) &&
           (json_object_get(item, "replay") == NULL || get_text(item, "replay", &key->replay));
}

static bool read_flight(const json_t *item, struct held_flight *flight)
{
    struct claim claims[CLAIMS_MOST];
    size_t count;

    flight->time_us = get_time(item, "time");
    if (!get_text(item, "claims", &flight->claims))
        return false;
    json_t *array = json_loads(flight->claims, 0, NULL);
    bool read = claims_read(array, claims, &count) && flight_list(flight, claims, count);
    json_decref(array);
    return read;
}

static bool read_item(const json_t *item, struct held *held)
{
    switch (held->kind) {
    case HELD_APPROVAL:
        return read_approval(item, held);
    case HELD_BUDGET:
        return read_budget(item, held);
    case HELD_FLIGHT:
        return read_flight(item, (struct held_flight *)held);
    case HELD_KEY:
        return read_key(item, held);
    case HELD_TWIN:
        ((struct held_twin *)held)->time_us = get_time(item, "time");
        return true;
    case HELD_KINDS:
        break;
    }
    return false;
}

static const char *add_item(struct book *book, enum held_kind kind, const json_t *item)
{
    const char *name = json_string_value(json_object_get(item, "called"));
    struct held *held;

    if (name == NULL || book_find(book, kind, span_of(name)) != NULL)
        return "a state that the journal did not write";
    held = book_make(kind, span_of(name));
    if (held == NULL)
        return claims_no_memory;
    if (!read_item(item, held)) {
        book_drop(held);
        return "a state that the journal did not write";
    }
    return book_change(book, NULL, held) ? NULL : claims_no_memory;
}

const char *claims_state_add(struct claims_state *state, const json_t *part)
{
    const char *wrong = NULL;
    const json_t *item;
    size_t index;

    for (size_t i = 0; i < HELD_KINDS && wrong == NULL; i++)
        json_array_foreach (json_object_get(part, lists[i].name), index, item) {
            wrong = add_item(&state->book, lists[i].kind, item);
            if (wrong != NULL)
                break;
        }
    book_keep(&state->book);
    return wrong;
}
