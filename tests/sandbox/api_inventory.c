/* Targets and projects: what an integration brought in, and what is orphaned when it is deleted. */
#include "tests/sandbox/paging.h"

/* What a target is related to; the API may leave it out. */
static void add_relations(struct call *call, const struct target *target)
{
    call_add_member(call, ",\"relationships\":{\"integration\":{\"data\":{\"type\":\"integration\",\"id\":",
                    target->integration_id);
    call_add_member(call, ",\"attributes\":{\"integration_type\":", target->type ? target->type->name : NULL);
    call_add_member(
        call, "}}},\"organization\":{\"data\":{\"type\":\"organization\",\"id\":", call->organization->id);
    text_add_string(&call->answer->body, "}}}");
}

static void add_target(struct call *call, const struct target *target)
{
    text_add_string(&call->answer->body, "{\"type\":\"target\"");
    call_add_member(call, ",\"id\":", target->record.id);
    call_add_member(call, ",\"attributes\":{\"display_name\":", target->display_name);
    call_add_member(call, ",\"is_private\":true,\"created_at\":", target->created_at);
    text_add_string(&call->answer->body, "}");
    if (!target->unrelated)
        add_relations(call, target);
    text_add_string(&call->answer->body, "}");
}

static void add_project(struct call *call, const struct project *project)
{
    text_add_string(&call->answer->body, "{\"type\":\"project\"");
    call_add_member(call, ",\"id\":", project->record.id);
    call_add_member(call, ",\"attributes\":{\"name\":", project->name);
    call_add_member(call, ",\"type\":\"dockerfile\",\"status\":\"active\",\"created\":", project->created_at);
    call_add_member(
        call, "},\"relationships\":{\"target\":{\"data\":{\"type\":\"target\",\"id\":", project->target_id);
    call_add_member(
        call, "}},\"organization\":{\"data\":{\"type\":\"organization\",\"id\":", call->organization->id);
    text_add_string(&call->answer->body, "}}}}");
}

/* Is the word one of the values separated by commas? Every word is in a list that is missing. */
static bool is_listed(struct span list, const char *word)
{
    if (list.data == NULL)
        return true;
    while (list.length > 0) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma ? (size_t)(comma - list.data) : list.length;

        if (span_is((struct span){list.data, length}, word))
            return true;
        length += comma != NULL;
        list = (struct span){list.data + length, list.length - length};
    }
    return false;
}

/* The parameter as true or false; false after an error. */
static bool read_flag(struct call *call, const char *name, bool *flag)
{
    struct span value = call_parameter(call, name);

    if (value.data == NULL)
        return true;
    if (!span_is(value, "true") && !span_is(value, "false")) {
        call_refuse_parameter(call, name, "must be true or false");
        return false;
    }
    *flag = span_is(value, "true");
    return true;
}

/* Room for as many records as the shelf has. */
static struct record **take_records(struct call *call, const struct shelf *shelf)
{
    struct record **records = arena_take(&call->arena, (shelf->count + 1) * sizeof *records);

    if (records == NULL)
        answer_error(call->answer, 500, "Memory is out.");
    return records;
}

void targets_list(struct call *call)
{
    const struct shelf *shelf = &call->organization->targets;
    struct record **found = take_records(call, shelf);
    struct span types = call_parameter(call, "source_types");
    bool exclude_empty = true;
    size_t count = 0;
    struct page page;

    if (found == NULL || !read_flag(call, "exclude_empty", &exclude_empty))
        return;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct target *target = (const void *)shelf->records[i];

        if ((target->projects > 0 || !exclude_empty) &&
            is_listed(types, target->type ? target->type->name : ""))
            found[count++] = shelf->records[i];
    }
    if (!page_cut(call, found, count, &page))
        return;
    answer_begin(call->answer, 200);
    text_add_string(&call->answer->body, ",\"data\":[");
    for (size_t i = page.from; i < page.to; i++) {
        text_add_string(&call->answer->body, i > page.from ? "," : "");
        add_target(call, (const void *)found[i]);
    }
    text_add_string(&call->answer->body, "]");
    page_add_links(call, &page);
}

void targets_get(struct call *call)
{
    const struct target *target = call_find(call, &call->organization->targets);

    if (target == NULL)
        return;
    answer_begin(call->answer, 200);
    text_add_string(&call->answer->body, ",\"data\":");
    add_target(call, target);
    call_add_self(call, NULL);
}

void targets_delete(struct call *call)
{
    struct target *target = call_find(call, &call->organization->targets);

    if (target == NULL)
        return;
    store_remove_target(call->organization, target);
    call->answer->status = 204;
}

/* The projects of the organisation, or of the target that the call names; NULL after an error. */
static struct record **find_projects(struct call *call, size_t *count)
{
    const struct shelf *shelf = &call->organization->projects;
    struct span wanted = call_parameter(call, "target_id");
    char target_id[UUID_LENGTH + 1];

    if (wanted.data != NULL && !uuid_read(wanted, target_id)) {
        call_refuse_parameter(call, "target_id", "must be a UUID");
        return NULL;
    }
    struct record **found = take_records(call, shelf);
    for (size_t i = 0; found != NULL && i < shelf->count; i++) {
        const struct project *project = (const void *)shelf->records[i];

        if (wanted.data == NULL || memcmp(project->target_id, target_id, UUID_LENGTH) == 0)
            found[(*count)++] = shelf->records[i];
    }
    return found;
}

void projects_list(struct call *call)
{
    struct span meta_count = call_parameter(call, "meta_count");
    struct text *body = &call->answer->body;
    size_t count = 0;
    struct page page;

    if (meta_count.data != NULL && !span_is(meta_count, "only") && !span_is(meta_count, "with")) {
        call_refuse_parameter(call, "meta_count", "must be only or with");
        return;
    }
    struct record **found = find_projects(call, &count);
    if (found == NULL || !page_cut(call, found, count, &page))
        return;
    answer_begin(call->answer, 200);
    if (meta_count.data != NULL)
        text_add_format(body, ",\"meta\":{\"count\":%zu}", count);
    if (span_is(meta_count, "only")) {
        text_add_string(body, ",\"data\":[],\"links\":{}");
        return;
    }
    text_add_string(body, ",\"data\":[");
    for (size_t i = page.from; i < page.to; i++) {
        text_add_string(body, i > page.from ? "," : "");
        add_project(call, (const void *)found[i]);
    }
    text_add_string(body, "]");
    page_add_links(call, &page);
}

void projects_get(struct call *call)
{
    const struct project *project = call_find(call, &call->organization->projects);

    if (project == NULL)
        return;
    answer_begin(call->answer, 200);
    text_add_string(&call->answer->body, ",\"data\":");
    add_project(call, project);
    call_add_self(call, NULL);
}

void projects_delete(struct call *call)
{
    struct project *project = call_find(call, &call->organization->projects);

    if (project == NULL)
        return;
    store_remove_project(call->organization, project);
    call->answer->status = 204;
}
