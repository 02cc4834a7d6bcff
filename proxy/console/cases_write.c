/* The results of cases, for people and as JSON. */
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

void case_write_json(const struct case_result *result, struct text *out)
{
    const struct case_finding *finding = result->finding;

    text_add_string(out, "{\"file\":");
    text_add_json(out, span_of(result->suite->document.name));
    text_add_format(out, ",\"case\":%zu", result->test->index);
    add_member(out, "name", result->test->name);
    text_add_format(out, ",\"passed\":%s",
                    result->test->expect.verdict == CASE_UNSAID ? "null"
                    : result->differences == NULL               ? "true"
                                                                : "false");
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
    add_differences(result->differences, out);
    text_add_string(out, "}");
}

static void add_place(const struct case_result *result, struct text *out)
{
    const struct document *document = &result->suite->document;
    char pointer[48];
    unsigned line, column;

    (void)snprintf(pointer, sizeof pointer, "/cases/%zu", result->test->index);
    json_locate((struct span){document->text, document->length}, pointer, &line, &column);
    text_add_format(out, "%s:%u:%u", document->name, line, column);
}

void case_write_failed(const struct case_result *result, struct text *out)
{
    add_place(result, out);
    text_add_string(out, ": failed");
    if (result->test->name != NULL)
        text_add_format(out, ": %s", result->test->name);
    text_add_string(out, "\n");
    for (const struct case_difference *at = result->differences; at != NULL; at = at->next)
        text_add_format(out, "  %s: expected %s, found %s\n", at->what,
                        at->expected[0] ? at->expected : "none", at->found[0] ? at->found : "none");
}
