/* `portcullis approve`: what waits for approval, as a person sees and answers it. */
#include "proxy/console/output.h"
#include "proxy/console/people_call.h"

#include <stdlib.h>

#define PAGE "/approvals"

struct approve {
    struct people_options people;
    const char *id, *organization;
    bool list, show, withdraw;
};

static int read_options(int argc, char **argv, struct approve *approve)
{
    const struct option_row rows[] = {{"list", .flag = &approve->list},
                                      {"organization", .text = &approve->organization},
                                      {"show", .flag = &approve->show},
                                      {"withdraw", .flag = &approve->withdraw},
                                      {"reason", .text = &approve->people.reason},
                                      PEOPLE_ROWS(&approve->people),
                                      {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);
    bool reads = approve->list || approve->show;

    if (status != CONSOLE_DONE)
        return status;
    if (approve->list + approve->show + approve->withdraw > 1 || operands.count != (approve->list ? 0 : 1) ||
        reads != (approve->people.reason == NULL) || (approve->organization != NULL && !approve->list))
        return CONSOLE_USAGE;
    approve->id = approve->list ? NULL : operands.items[0];
    return CONSOLE_DONE;
}

/* ---- what is said ---- */

static void add_pair(struct text *out, const json_t *object, const char *title, const char *name)
{
    if (json_object_get(object, name) == NULL)
        return;
    text_add_format(out, "  %-12s ", title);
    people_add(out, object, name);
    text_add_string(out, "\n");
}

static void add_count(struct text *out, const json_t *attributes)
{
    text_add_format(out, "%zu of %" JSON_INTEGER_FORMAT,
                    json_array_size(json_object_get(attributes, "given")),
                    json_integer_value(json_object_get(attributes, "people")));
}

static void add_line(struct text *out, const json_t *one)
{
    const json_t *attributes = json_object_get(one, "attributes");

    people_add(out, one, "id");
    text_add_string(out, "  ");
    add_count(out, attributes);
    text_add_string(out, ", until ");
    people_add(out, attributes, "expires");
    text_add_string(out, ": \"");
    people_add(out, attributes, "principal");
    text_add_string(out, "\" wants ");
    people_add(out, attributes, "operation");
    text_add_string(out, " of ");
    people_add(out, attributes, "resource");
    text_add_string(out, " in ");
    people_add(out, attributes, "organization");
    text_add_string(out, "\n");
}

static void write_list(const json_t *data)
{
    struct text out = {0};
    size_t i;
    json_t *one;

    json_array_foreach (data, i, one)
        add_line(&out, one);
    if (json_array_size(data) == 0)
        text_add_string(&out, "nothing waits\n");
    output_text(stdout, &out);
}

/* What would be changed, as JSON: nothing in it can break out of its line. */
static void add_json(struct text *out, const json_t *attributes, const char *name)
{
    const json_t *value = json_object_get(attributes, name);
    char *dump =
        value != NULL ? json_dumps(value, JSON_INDENT(4) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY) : NULL;

    if (value == NULL)
        return;
    text_add_format(out, "  %s:\n", name);
    if (dump == NULL)
        out->failed = true;
    else
        text_add_format(out, "%s\n", dump);
    free(dump);
}

static void add_given(struct text *out, const json_t *attributes)
{
    size_t i;
    json_t *one;

    text_add_format(out, "  %-12s ", "agreed");
    add_count(out, attributes);
    text_add_string(out, "\n");
    json_array_foreach (json_object_get(attributes, "given"), i, one) {
        text_add_format(out, "  %-12s   ", "");
        people_add(out, one, "principal");
        text_add_string(out, ", ");
        people_add(out, one, "time");
        text_add_string(out, "\n");
    }
}

static void write_one(const json_t *data)
{
    static const char *const pairs[][2] = {
        {"wanted by", "principal"}, {"operation", "operation"}, {"organization", "organization"},
        {"resource", "resource"},   {"method", "method"},       {"target", "target"},
        {"reason", "reason"},       {"request", "request_id"},  {"rule", "rule"},
        {"asked", "requested"},     {"until", "expires"}};
    const json_t *attributes = json_object_get(data, "attributes");
    struct text out = {0};

    text_add_string(&out, "approval ");
    people_add(&out, data, "id");
    text_add_string(&out, "\n");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        add_pair(&out, attributes, pairs[i][0], pairs[i][1]);
    add_given(&out, attributes);
    add_pair(&out, attributes, "not shown", "hidden");
    add_json(&out, attributes, "before");
    add_json(&out, attributes, "radius");
    add_json(&out, attributes, "body");
    output_text(stdout, &out);
}

/* After a word: how it stands now. */
static void write_state(const json_t *data)
{
    const json_t *attributes = json_object_get(data, "attributes");
    struct text out = {0};

    text_add_string(&out, "approval ");
    people_add(&out, data, "id");
    text_add_string(&out, ": ");
    if (json_object_get(attributes, "people") != NULL) {
        add_count(&out, attributes);
        text_add_string(&out, " agreed, until ");
        people_add(&out, attributes, "expires");
    } else {
        people_add(&out, attributes, "state");
    }
    text_add_string(&out, "\n");
    output_text(stdout, &out);
}

int console_approve(int argc, char **argv)
{
    struct approve approve = {.id = NULL};
    struct text path = {0};
    json_t *data;
    int status = read_options(argc, argv, &approve);

    if (status != CONSOLE_DONE)
        return status;
    if ((approve.id != NULL && !people_word("id of an approval", approve.id)) ||
        (approve.organization != NULL && !people_word("id of an organization", approve.organization)))
        return CONSOLE_BAD;
    text_add_string(&path, PAGE);
    if (approve.id != NULL)
        text_add_format(&path, "/%s", approve.id);
    people_add_filter(&path, approve.organization);
    const char *method = approve.withdraw ? "DELETE" : approve.list || approve.show ? "GET" : "POST";
    status = path.failed ? CONSOLE_BAD : people_call(&approve.people, method, path.data, &data);
    if (status == CONSOLE_DONE && data != NULL)
        (approve.list ? write_list : approve.show ? write_one : write_state)(data);
    if (!path.failed)
        json_decref(data);
    text_free(&path);
    return status;
}
