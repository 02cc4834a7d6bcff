/* The results of cases and cells, for people and as JSON. */
#include "proxy/console/cases.h"

static void add_member(struct text *out, const char *name, const char *value)
{
    text_add_format(out, ",\"%s\":", name);
    if (value == NULL)
        text_add_string(out, "null");
    else
        text_add_json(out, span_of(value));
}

static void add_differences(const struct case_difference *differences, struct text *out)
{
    text_add_string(out, ",\"differences\":[");
    for (const struct case_difference *at = differences; at != NULL; at = at->next) {
        text_add_format(out, "%s{\"member\":\"%s\"", at == differences ? "" : ",", at->what);
        add_member(out, "expected", at->expected);
        add_member(out, "found", at->found);
        text_add_string(out, "}");
    }
    text_add_string(out, "]");
}

static void add_finding(const struct case_finding *finding, struct text *out)
{
    add_member(out, "verdict", case_verdict_name(finding->verdict));
    add_member(out, "gate", finding->gate);
    add_member(out, "rule", finding->rule);
    if (finding->status > 0)
        text_add_format(out, ",\"status\":%d", finding->status);
    else
        text_add_string(out, ",\"status\":null");
    add_member(out, "code", finding->code);
    text_add_string(out, ",\"obligations\":[");
    for (size_t i = 0; i < finding->obligation_count; i++) {
        text_add_string(out, i > 0 ? "," : "");
        text_add_json(out, span_of(finding->obligations[i]));
    }
    text_add_string(out, "]");
    add_member(out, "would_refuse", finding->would_refuse);
}

static void add_cell(const struct case_result *result, struct text *out)
{
    const struct test_cell *cell = result->test_cell;

    text_add_format(out, ",\"row\":%zu", cell->row);
    add_member(out, "principal", cell->principal);
    add_member(out, "organization", cell->organization);
    add_member(out, "operation", cell->operation);
    add_member(out, "verdict", cell_word(result->cell->verdict));
    add_member(out, "rule", result->cell->rule);
}

void case_write_json(const struct case_result *result, struct text *out)
{
    bool held = result->test == NULL || result->test->expect.verdict != CASE_UNSAID;

    text_add_string(out, "{\"file\":");
    text_add_json(out, span_of(result->suite->document.name));
    text_add_format(out, ",\"passed\":%s", !held ? "null" : result->differences == NULL ? "true" : "false");
    if (result->test == NULL) {
        add_cell(result, out);
    } else {
        text_add_format(out, ",\"case\":%zu", result->test->index);
        add_member(out, "name", result->test->name);
        add_finding(result->finding, out);
    }
    add_differences(result->differences, out);
    text_add_string(out, "}");
}

void case_write_name(const struct case_result *result, struct text *out)
{
    const struct test_cell *cell = result->test_cell;

    if (result->test == NULL)
        text_add_format(out, "%s: %s in %s", cell->operation, cell->principal, cell->organization);
    else if (result->test->name != NULL)
        text_add_string(out, result->test->name);
    else
        text_add_format(out, "case %zu", result->test->index);
}

static void add_place(const struct case_result *result, struct text *out)
{
    const struct document *document = &result->suite->document;
    struct text pointer = {0};
    unsigned line, column;

    if (result->test != NULL) {
        text_add_format(&pointer, "/cases/%zu", result->test->index);
    } else {
        text_add_format(&pointer, "/table/%zu/operations", result->test_cell->row);
        pointer_add(&pointer, result->test_cell->operation);
    }
    json_locate((struct span){document->text, document->length}, pointer.data ? pointer.data : "", &line,
                &column);
    text_add_format(out, "%s:%u:%u", document->name, line, column);
    text_free(&pointer);
}

void case_write_failed(const struct case_result *result, struct text *out)
{
    add_place(result, out);
    text_add_string(out, ": failed: ");
    case_write_name(result, out);
    text_add_string(out, "\n");
    for (const struct case_difference *at = result->differences; at != NULL; at = at->next)
        text_add_format(out, "  %s: expected %s, found %s\n", at->what,
                        at->expected[0] ? at->expected : "none", at->found[0] ? at->found : "none");
    if (result->test == NULL)
        text_add_format(out, "  by %s\n", result->cell->rule);
}
