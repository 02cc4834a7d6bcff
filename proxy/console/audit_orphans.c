/* `portcullis audit orphans`: what a hard delete left behind, and the calls that remove it. The gate does not
 * make these calls, and does not forward them: they are not in its contract. */
#include "policies/document.h"
#include "proxy/audit/query.h"
#include "proxy/audit/trail.h"
#include "proxy/console/audit.h"
#include "proxy/console/audit_options.h"

#include <jansson.h>
#include <stdlib.h>

#define VERSION "version=2024-10-15"

/* The newest delete that the id is about. */
struct search {
    const struct audit_options *options;
    struct scan scan;
    struct text intent, request_id;
    struct text result; /* of what ended it: "204", "absent", … */
    enum { END_OPEN, END_DELETED, END_REFUSED, END_UNKNOWN } end;
};

/* ---- reading the journal ---- */

static void set(struct text *text, struct span value)
{
    text_clear(text);
    text_add(text, value.data, value.length);
}

static struct span member(const struct search *search, const char *name)
{
    return scan_text(scan_find(&search->scan, name));
}

static void note_end(struct search *search)
{
    struct span status = scan_find(&search->scan, "upstream_status"), result = member(search, "result");
    bool reconciled = span_is(member(search, "stage"), "reconciled");

    if (span_is(result, "unknown"))
        search->end = END_UNKNOWN;
    else if (reconciled)
        search->end = span_is(result, "absent") ? END_DELETED : END_REFUSED;
    else
        search->end = status.length == 3 && status.data[0] == '2' ? END_DELETED : END_REFUSED;
    set(&search->result, result.data != NULL ? result : status);
}

static void take(struct search *search, struct span line)
{
    struct span stage = member(search, "stage"), request = member(search, "request_id");
    struct span known = {search->request_id.data, search->request_id.length};

    if (span_is(stage, "intent") && span_is(member(search, "effect"), "hard-delete")) {
        set(&search->intent, line);
        set(&search->request_id, request);
        search->end = END_OPEN;
    } else if (known.length > 0 && span_equal(request, known) &&
               (span_is(stage, "outcome") || span_is(stage, "reconciled"))) {
        note_end(search);
    }
}

/* Goes through the records whose member is the id. False with a message. */
static bool look(struct search *search, enum query_member by, char *error, size_t error_size)
{
    struct query query = {0};
    struct trail *trail = trail_open(search->options->path, error, error_size);
    enum trail_state state = TRAIL_ERROR;
    struct trail_line line;

    if (trail == NULL)
        return false;
    snprintf(error, error_size, "out of memory");
    if (query_set(&query, by, search->options->id)) {
        while ((state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR)
            if (state == TRAIL_LINE && query_match(&query, line.text, &search->scan) == QUERY_YES)
                take(search, line.text);
        if (state == TRAIL_ERROR)
            snprintf(error, error_size, "%s", trail_error(trail));
    }
    query_free(&query);
    trail_free(trail);
    return state != TRAIL_ERROR && !search->intent.failed;
}

/* ---- the list ---- */

/* "/rest/orgs/ID": the target of the delete up to its integration. */
static json_t *place_of(const json_t *intent)
{
    const char *target = json_string_value(json_object_get(intent, "target"));
    const char *end = target != NULL ? strstr(target, "/integrations/") : NULL;

    return end != NULL ? json_stringn(target, (size_t)(end - target)) : NULL;
}

static json_t *calls_for(const char *place, const char *id)
{
    return json_pack("[o,o,o]", json_sprintf("GET %s/projects?" VERSION "&limit=100&target_id=%s", place, id),
                     json_sprintf("DELETE %s/projects/{each id of that list}?" VERSION, place),
                     json_sprintf("DELETE %s/targets/%s?" VERSION, place, id));
}

/* A target without projects needs no more than its own removal. */
static json_t *target_entry(const char *place, const json_t *listed)
{
    const char *id = json_string_value(json_object_get(listed, "id"));
    json_t *projects = json_object_get(listed, "projects"), *calls = id ? calls_for(place, id) : NULL;

    if (calls == NULL)
        return NULL;
    if (projects != NULL && json_integer_value(projects) == 0) {
        (void)json_array_remove(calls, 0);
        (void)json_array_remove(calls, 0);
    }
    return json_pack("{s:s, s:O*, s:o}", "id", id, "projects", projects, "calls", calls);
}

/* The whole answer as one object; NULL when memory is out, or when the record is none of a gate's. */
static json_t *make_list(const struct search *search, const json_t *intent)
{
    static const char *const ends[] = {
        [END_OPEN] = "open", [END_DELETED] = "yes", [END_REFUSED] = "no", [END_UNKNOWN] = "unknown"};
    json_t *radius = json_object_get(intent, "radius"), *listed = json_object_get(radius, "listed"), *one;
    json_t *place = place_of(intent), *targets = json_array();
    size_t index;
    int failed = place == NULL || targets == NULL;

    json_array_foreach (listed, index, one) {
        if (!failed)
            failed = json_array_append_new(targets, target_entry(json_string_value(place), one));
    }
    json_decref(place);
    json_t *list =
        json_pack("{s:s, s:O*, s:O*, s:O*, s:o, s:O*, s:O*, s:O*, s:o}", "deleted", ends[search->end],
                  "request_id", json_object_get(intent, "request_id"), "organization",
                  json_object_get(intent, "organization"), "resource", json_object_get(intent, "resource"),
                  "known", json_boolean(json_is_true(json_object_get(radius, "known"))), "detail",
                  json_object_get(radius, "detail"), "targets", json_object_get(radius, "targets"),
                  "projects", json_object_get(radius, "projects"), "orphans", targets);
    if (!failed)
        return list;
    json_decref(list);
    return NULL;
}

static void add_text(struct text *out, const json_t *list, const char *name)
{
    const json_t *value = json_object_get(list, name);

    audit_add_shown(out, (struct span){json_string_value(value), json_string_length(value)});
}

static void add_count(struct text *out, const json_t *list, const char *name)
{
    const json_t *value = json_object_get(list, name);

    if (value != NULL)
        text_add_format(out, "%lld %s", (long long)json_integer_value(value), name);
    else
        text_add_format(out, "an unknown number of %s", name);
}

static void add_end(struct text *out, const struct search *search)
{
    static const char *const says[] = {
        [END_OPEN] = "how the delete ended is not known yet",
        [END_DELETED] = "it was deleted",
        [END_REFUSED] = "it was NOT deleted: what is listed still hangs on it",
        [END_UNKNOWN] = "whether it was deleted is not known: look before you remove anything",
    };

    text_add_string(out, says[search->end]);
    if (search->result.length > 0) {
        text_add_string(out, " (");
        audit_add_shown(out, (struct span){search->result.data, search->result.length});
        text_add_string(out, ")");
    }
    text_add_string(out, "\n");
}

static void add_targets(struct text *out, const json_t *list)
{
    const json_t *orphans = json_object_get(list, "orphans"), *one, *call;
    size_t index, number;

    json_array_foreach (orphans, index, one) {
        text_add_string(out, "\ntarget ");
        add_text(out, one, "id");
        text_add_string(out, ", ");
        add_count(out, one, "projects");
        text_add_string(out, ":\n");
        json_array_foreach (json_object_get(one, "calls"), number, call) {
            text_add_string(out, "  ");
            audit_add_shown(out, (struct span){json_string_value(call), json_string_length(call)});
            text_add_string(out, "\n");
        }
    }
}

static void write_list(const struct search *search, const json_t *list, struct text *out)
{
    size_t listed = json_array_size(json_object_get(list, "orphans"));
    json_int_t all = json_integer_value(json_object_get(list, "targets"));

    text_add_string(out, "integration ");
    add_text(out, list, "resource");
    text_add_string(out, " of organization ");
    add_text(out, list, "organization");
    text_add_string(out, ", request ");
    add_text(out, list, "request_id");
    text_add_string(out, ":\n");
    add_end(out, search);
    add_count(out, list, "targets");
    text_add_string(out, " and ");
    add_count(out, list, "projects");
    text_add_string(out, " hung on it\n");
    if (json_object_get(list, "detail") != NULL) {
        text_add_string(out, "not all could be told: ");
        add_text(out, list, "detail");
        text_add_string(out, "\n");
    }
    if (all > (json_int_t)listed)
        text_add_format(out, "%zu targets are listed\n", listed);
    add_targets(out, list);
    if (listed > 0)
        text_add_string(out,
                        "\nThe calls go to the API itself, with a key that has org.project.delete there.\n");
}

static int print_list(const struct search *search, json_t *list)
{
    struct text out = {0};

    if (search->options->json) {
        char *line = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
        text_add_string(&out, line ? line : "{}");
        text_add_string(&out, "\n");
        free(line);
    } else {
        write_list(search, list, &out);
    }
    bool printed = audit_print(&out);
    text_free(&out);
    return printed ? CONSOLE_DONE : CONSOLE_BAD;
}

static int tell(const struct search *search)
{
    struct json_fault fault;

    if (search->intent.length == 0) {
        output_fault("no delete has this id as its request's or its integration's: %s", search->options->id);
        return CONSOLE_NO;
    }
    json_t *intent = json_read_strict((struct span){search->intent.data, search->intent.length},
                                      DOCUMENT_DEPTH * 2, &fault);
    if (!json_is_object(json_object_get(intent, "radius"))) {
        json_decref(intent);
        output_fault("what hung on it was not looked up before this delete (facts.radius)");
        return CONSOLE_NO;
    }
    json_t *list = make_list(search, intent);
    json_decref(intent);
    if (list == NULL) {
        output_fault("the intent cannot be read");
        return CONSOLE_BAD;
    }
    int status = print_list(search, list);
    json_decref(list);
    return status;
}

int audit_orphans(int argc, char **argv)
{
    struct audit_options options = {0};
    char error[512];
    int status = audit_options_read(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) {
        output_fault("out of memory");
        return CONSOLE_BAD;
    }
    search->options = &options;
    bool read = look(search, QUERY_REQUEST_ID, error, sizeof error);
    if (read && search->intent.length == 0)
        read = look(search, QUERY_RESOURCE, error, sizeof error);
    if (!read)
        output_fault("%s", error);
    status = read ? tell(search) : CONSOLE_BAD;
    text_free(&search->intent);
    text_free(&search->request_id);
    text_free(&search->result);
    free(search);
    return status;
}
