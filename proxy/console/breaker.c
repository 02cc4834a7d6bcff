/* `portcullis breaker`: budgets that stay shut until somebody opens them. */
#include "policies/ascii.h"
#include "proxy/console/output.h"
#include "proxy/console/people_call.h"

#define PAGE "/breakers"

static void add_line(struct text *out, const json_t *one)
{
    const json_t *attributes = json_object_get(one, "attributes");

    people_add(out, one, "id");
    text_add_string(out, "  tripped ");
    people_add(out, attributes, "tripped");
    if (json_object_get(attributes, "removed") != NULL) {
        text_add_string(out, ": the policy has no such rule any more\n");
        return;
    }
    text_add_format(out, ", %" JSON_INTEGER_FORMAT " requests in %" JSON_INTEGER_FORMAT " s: ",
                    json_integer_value(json_object_get(attributes, "requests")),
                    json_integer_value(json_object_get(attributes, "seconds")));
    people_add(out, attributes, "reason");
    text_add_string(out, "\n");
}

static int list(int argc, char **argv)
{
    struct people_options people = {.at = NULL};
    const char *organization = NULL;
    const struct option_row rows[] = {{"organization", .text = &organization}, PEOPLE_ROWS(&people), {0}};
    struct operands operands;
    struct text path = {0}, out = {0};
    json_t *data = NULL, *one;
    size_t i;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE || operands.count > 0)
        return status != CONSOLE_DONE ? status : CONSOLE_USAGE;
    if (organization != NULL && !people_word("id of an organization", organization))
        return CONSOLE_BAD;
    text_add_string(&path, PAGE);
    people_add_filter(&path, organization);
    status = path.failed ? CONSOLE_BAD : people_call(&people, "GET", path.data, &data);
    text_free(&path);
    if (status != CONSOLE_DONE || data == NULL)
        return status;
    json_array_foreach (data, i, one)
        add_line(&out, one);
    if (json_array_size(data) == 0)
        text_add_string(&out, "none has tripped\n");
    json_decref(data);
    output_text(stdout, &out);
    return CONSOLE_DONE;
}

/* The name of a principal may have any characters but controls. */
static void add_escaped(struct text *path, const char *name)
{
    for (; *name != '\0'; name++)
        if (ascii_is_unreserved(*name) || *name == '/')
            text_add(path, name, 1);
        else
            text_add_format(path, "%%%02X", (unsigned)(unsigned char)*name);
}

static int reset(int argc, char **argv)
{
    struct people_options people = {.at = NULL};
    const struct option_row rows[] = {{"reason", .text = &people.reason}, PEOPLE_ROWS(&people), {0}};
    struct operands operands;
    struct text path = {0}, out = {0};
    json_t *data = NULL;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 1 || people.reason == NULL)
        return CONSOLE_USAGE;
    text_add_string(&path, PAGE "/");
    add_escaped(&path, operands.items[0]);
    status = path.failed ? CONSOLE_BAD : people_call(&people, "POST", path.data, &data);
    text_free(&path);
    if (status != CONSOLE_DONE || data == NULL)
        return status;
    text_add_string(&out, "breaker ");
    people_add(&out, data, "id");
    text_add_string(&out, ": open again\n");
    json_decref(data);
    output_text(stdout, &out);
    return CONSOLE_DONE;
}

static const struct command commands[] = {
    {"list", list, "[--organization ID] (--at ADDRESS | -c FILE) [--token-file FILE] [--ca FILE] [--json]",
     "Lists those that have tripped, as far as you may open them.",
     "      --organization ID   only those of this organisation\n" PEOPLE_HELP, NULL},
    {"reset", reset,
     "RULE[/KEY] --reason TEXT (--at ADDRESS | -c FILE) [--token-file FILE] [--ca FILE] [--json]",
     "Opens one again.",
     "  RULE[/KEY]              as `list` shows it; KEY is the organisation or principal that the budget is "
     "of\n"
     "      --reason TEXT       why: it stands in the journal\n" PEOPLE_HELP "\n"
     "What was spent is forgiven. Exit status 1 when the gate refuses.\n",
     NULL},
    {0},
};

int console_breaker(int argc, char **argv)
{
    return console_group("portcullis breaker", commands, argc, argv);
}
