#include "policies/audit_level.h"

#include "policies/contract.h"
#include "policies/policy.h"

#include <stdlib.h>

static const char *const names[AUDIT_LEVELS] = {
    [AUDIT_NONE] = "none",
    [AUDIT_METADATA] = "metadata",
    [AUDIT_REQUEST] = "request",
    [AUDIT_ANSWER] = "request-response",
};

const char *audit_level_name(enum audit_level level)
{
    return names[level];
}

bool audit_level_named(struct span name, enum audit_level *level)
{
    for (size_t i = 0; i < AUDIT_LEVELS; i++) {
        if (span_is(name, names[i])) {
            *level = (enum audit_level)i;
            return true;
        }
    }
    return false;
}

/* By effect: what is never gone below, what holds where the policy says nothing, and what such an operation
 * is called in a message. */
static const struct {
    enum audit_level least, standard;
    const char *called;
} effects[] = {
    [EFFECT_READ] = {AUDIT_NONE, AUDIT_NONE, "a read"},
    [EFFECT_CREATE] = {AUDIT_METADATA, AUDIT_REQUEST, "a change"},
    [EFFECT_UPDATE] = {AUDIT_METADATA, AUDIT_REQUEST, "a change"},
    [EFFECT_HARD_DELETE] = {AUDIT_REQUEST, AUDIT_REQUEST, "a hard delete"},
};

enum audit_level audit_level_of(const struct policy *policy, const struct operation *operation)
{
    enum audit_level least = effects[operation->effect].least, level = effects[operation->effect].standard;

    if (!policy_audit_level(policy, operation->id, &level))
        (void)policy_audit_level(policy, "*", &level);
    return level < least ? least : level;
}

/* ---- check ---- */

struct checking {
    const struct policy *policy;
    const struct operation *operations;
    size_t count;
    const struct document *document;
    struct problems *problems;
};

__attribute__((format(printf, 3, 4))) static void note(const struct checking *checking, const char *row,
                                                       const char *format, ...)
{
    struct text pointer = {0};
    char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    text_add_string(&pointer, "/audit/levels");
    pointer_add(&pointer, row);
    problems_add(checking->problems, SEVERITY_ERROR, checking->document, pointer.data ? pointer.data : "",
                 "%s", message ? message : "memory is out");
    text_free(&pointer);
    free(message);
}

static const struct operation *operation_named(const struct checking *checking, const char *id)
{
    for (size_t i = 0; i < checking->count; i++)
        if (strcmp(checking->operations[i].id, id) == 0)
            return &checking->operations[i];
    return NULL;
}

static void note_unknown(const struct checking *checking, const char *row)
{
    const char **known = calloc(checking->count + 1, sizeof *known);
    const char *near = NULL;

    for (size_t i = 0; known != NULL && i < checking->count; i++)
        known[i] = checking->operations[i].id;
    if (known != NULL)
        near = nearest_name(row, known);
    if (near != NULL)
        note(checking, row, "is no operation of the contract; did you mean \"%s\"?", near);
    else
        note(checking, row, "is no operation of the contract; its operationIds and \"*\" can stand here");
    free(known);
}

/* The row for all: every operation that has none of its own must bear it. */
static void check_rest(const struct checking *checking, enum audit_level level)
{
    for (size_t i = 0; i < checking->count; i++) {
        const struct operation *operation = &checking->operations[i];
        enum audit_level own, least = effects[operation->effect].least;
        if (level < least && !policy_audit_level(checking->policy, operation->id, &own))
            note(checking, "*",
                 "\"%s\" is too low for %s, %s: give it a row of its own, \"%s\": \"%s\" or higher",
                 audit_level_name(level), operation->id, effects[operation->effect].called, operation->id,
                 audit_level_name(least));
    }
}

static void check_row(const struct checking *checking, const char *row, enum audit_level level)
{
    const struct operation *operation = operation_named(checking, row);

    if (strcmp(row, "*") == 0) {
        check_rest(checking, level);
        return;
    }
    if (operation == NULL) {
        note_unknown(checking, row);
        return;
    }
    enum audit_level least = effects[operation->effect].least;
    if (level < least)
        note(checking, row, "\"%s\" is too low for %s: \"%s\" or higher must stand here",
             audit_level_name(level), effects[operation->effect].called, audit_level_name(least));
}

void audit_levels_check(const struct policy *policy, const struct contract *contract,
                        const struct document *document, struct problems *problems)
{
    struct checking checking = {.policy = policy, .document = document, .problems = problems};
    size_t count;
    const struct audit_row *rows = policy_audit_rows(policy, &count);

    checking.operations = contract_operations(contract, &checking.count);
    for (size_t i = 0; i < count; i++)
        check_row(&checking, rows[i].operation, rows[i].level);
}
