/* What the tests of documents, schemas and contracts share. JSON is written with ' for ". */
#ifndef TESTS_UNIT_POLICIES_FIXTURE_H
#define TESTS_UNIT_POLICIES_FIXTURE_H

#include "policies/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A copy with " for each '. The caller frees it. */
static inline char *fixture_json(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

/* A JSON value; the caller drops it. */
static inline json_t *fixture_value(const char *text)
{
    struct json_fault fault;
    char *json = fixture_json(text);
    json_t *value = json_read_strict(span_of(json), DOCUMENT_DEPTH, &fault);

    if (value == NULL)
        fail_msg("%s: %s", text, fault.message);
    free(json);
    return value;
}

/* A document named "d"; document_free afterwards. */
static inline struct document fixture_document(const char *text)
{
    struct document document;
    struct problems problems = {0};
    char *json = fixture_json(text);

    if (!document_read(&document, "d", span_of(json), &problems))
        fail_msg("%s: %s", text, problems.items[0].message);
    free(json);
    return document;
}

/* The bytes of a file; text_free afterwards. */
static inline struct text fixture_file(const char *path)
{
    struct text text = {0};
    char part[4096];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        text_add(&text, part, got);
    assert_int_equal(fclose(file), 0);
    assert_false(text.failed);
    return text;
}

/* "pointer: detail" for each finding, a line each; text_free afterwards. */
static inline struct text fixture_findings(const struct findings *findings)
{
    struct text text = {0};
    size_t count = 0;

    text_add(&text, "", 0);
    for (const struct finding *finding = findings->first; finding != NULL; finding = finding->next, count++)
        text_add_format(&text, "%s: %s\n", finding->pointer, finding->detail);
    assert_int_equal(count, findings->count);
    return text;
}

/* Counts a case that does not give what it should, and shows it. */
static inline void fixture_expect(unsigned *failed, const char *what, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) == 0)
        return;
    (void)fprintf(stderr, "%s\n  gave   %s\n  wanted %s\n", what, got, wanted);
    ++*failed;
}

#endif
