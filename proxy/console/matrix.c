/* `portcullis matrix`: who may do what where, by the policy. */
#include "proxy/console/matrix.h"

#include "proxy/base/clock.h"
#include "proxy/console/judged_by.h"
#include "proxy/console/options.h"
#include "proxy/console/output.h"

#include <stdlib.h>

#define FLUSH_BYTES ((size_t)64 << 10)

/* Values of an option that may be repeated; none: all. */
struct chosen {
    const char **values;
    size_t count;
};

struct options {
    struct judged_by judged_by;
    const struct matrix_format *format;
    struct chosen principals, organizations, operations;
};

/* A matrix being written. */
struct writing {
    struct matrix matrix;
    const struct matrix_format *format;
    const struct options *options;
    struct organizations organizations;
    int64_t now; /* the moment that is shown */
    struct cell *cells;
    struct arena arena;
    struct text out;
    bool begun;  /* a row was written */
    bool broken; /* stdout takes no more, or memory is out */
};

/* ---- options ---- */

static int take_chosen(const struct option_row *row, const char *value)
{
    struct chosen *chosen = row->arg;
    const char **more = reallocarray(chosen->values, chosen->count + 1, sizeof *more);

    if (more == NULL)
        return CONSOLE_BAD;
    chosen->values = more;
    chosen->values[chosen->count++] = value;
    return CONSOLE_DONE;
}

static int take_format(const struct option_row *row, const char *name)
{
    const struct matrix_format **format = row->arg;

    *format = matrix_format_named(name);
    if (*format != NULL)
        return CONSOLE_DONE;
    output_fault("there is no format \"%s\": table, csv, json or html", name);
    return CONSOLE_USAGE;
}

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {
        {"config", 'c', .text = &options->judged_by.config},
        {"policy", .text = &options->judged_by.policy},
        {"contract", .text = &options->judged_by.contract},
        {"format", .take = take_format, .arg = &options->format},
        {"principal", .take = take_chosen, .arg = &options->principals},
        {"organization", .take = take_chosen, .arg = &options->organizations},
        {"operation", .take = take_chosen, .arg = &options->operations},
        {0},
    };
    struct operands operands;

    options->format = matrix_format_named("table");
    int status = options_read(argc, argv, rows, &operands);
    if (status == CONSOLE_DONE && (!judged_by_complete(&options->judged_by) || operands.count > 0))
        status = CONSOLE_USAGE;
    return status;
}

/* ---- what is shown ---- */

static bool is_chosen(const struct chosen *chosen, const char *value)
{
    for (size_t i = 0; i < chosen->count; i++)
        if (strcasecmp(chosen->values[i], value) == 0)
            return true;
    return chosen->count == 0;
}

/* Each name must be one that there is: a slip of the keyboard must not look like an empty matrix. */
static bool principals_exist(const struct options *options, const struct policy *policy)
{
    for (size_t i = 0; i < options->principals.count; i++) {
        if (policy_principal_named(policy, span_of(options->principals.values[i])) != NULL)
            continue;
        output_fault("the policy has no principal \"%s\"", options->principals.values[i]);
        return false;
    }
    return true;
}

static bool choose_operations(struct writing *writing, const struct operation **chosen)
{
    const struct options *options = writing->options;
    struct matrix *matrix = &writing->matrix;
    size_t count;
    const struct operation *operations = contract_operations(matrix->contract, &count);

    for (size_t i = 0; i < count; i++)
        if (is_chosen(&options->operations, operations[i].id))
            chosen[matrix->operation_count++] = &operations[i];
    matrix->operations = chosen;
    for (size_t i = 0; i < options->operations.count; i++) {
        size_t at = 0;

        while (at < count && strcmp(operations[at].id, options->operations.values[i]) != 0)
            at++;
        if (at < count)
            continue;
        output_fault("the contract has no operation \"%s\"", options->operations.values[i]);
        return false;
    }
    return true;
}

/* An organisation that was asked for and that nothing names has a row, too: that of any other. */
static bool choose_organizations(struct writing *writing)
{
    const struct chosen *chosen = &writing->options->organizations;
    struct organizations *organizations = &writing->organizations;
    unsigned char id[UUID_BYTES];

    if (chosen->count == 0)
        return organizations_collect(writing->matrix.policy, NULL, organizations);
    organizations->ids = calloc(chosen->count, sizeof *organizations->ids);
    for (size_t i = 0; organizations->ids != NULL && i < chosen->count; i++) {
        if (strcmp(chosen->values[i], "*") == 0)
            continue;
        if (!uuid_parse(span_of(chosen->values[i]), id)) {
            output_fault("\"%s\" is neither a UUID nor \"*\"", chosen->values[i]);
            return false;
        }
        memcpy(organizations->ids[organizations->count++], id, UUID_BYTES);
    }
    return organizations->ids != NULL;
}

/* ---- writing ---- */

static void flush(struct writing *writing)
{
    struct text *out = &writing->out;

    writing->broken =
        writing->broken || out->failed || fwrite(out->data, 1, out->length, stdout) != out->length;
    text_clear(out);
}

/* The principal in the organisation; NULL is any that is not named. */
static void write_row(struct writing *writing, const struct principal *principal, const unsigned char *id)
{
    const struct cell_place place = cell_place(writing->matrix.policy, principal, id, writing->now);
    char organization[UUID_TEXT_SIZE] = "*";

    if (id != NULL)
        uuid_spell(id, organization);
    for (size_t i = 0; i < writing->matrix.operation_count; i++)
        if (!cell_of(&place, writing->matrix.operations[i], &writing->arena, &writing->cells[i]))
            writing->broken = true;
    if (!writing->broken)
        writing->format->row(&writing->matrix,
                             &(struct matrix_row){.principal = principal->name,
                                                  .organization = organization,
                                                  .cells = writing->cells},
                             !writing->begun, &writing->out);
    writing->begun = true;
    arena_reset(&writing->arena);
    if (writing->out.length >= FLUSH_BYTES)
        flush(writing);
}

static void write_rows(struct writing *writing)
{
    const struct policy *policy = writing->matrix.policy;
    const struct options *options = writing->options;
    size_t principals = policy_principal_count(policy);

    for (uint32_t i = 0; i < principals && !writing->broken; i++) {
        const struct principal *principal = policy_principal_at(policy, i);

        if (options->principals.count > 0 && !is_chosen(&options->principals, principal->name))
            continue;
        for (size_t at = 0; at < writing->organizations.count && !writing->broken; at++)
            write_row(writing, principal, writing->organizations.ids[at]);
        if (is_chosen(&options->organizations, "*"))
            write_row(writing, principal, NULL);
    }
}

static int write_matrix(const struct options *options, const struct ruleset *ruleset)
{
    struct writing writing = {
        .matrix = {.contract = ruleset_contract(ruleset), .policy = ruleset_policy(ruleset)},
        .format = options->format,
        .options = options,
        .now = clock_now_us() / 1000000,
    };
    int status = CONSOLE_BAD;
    size_t count;

    (void)contract_operations(writing.matrix.contract, &count);
    const struct operation **chosen = calloc(count + 1, sizeof *chosen);
    writing.cells = calloc(count + 1, sizeof *writing.cells);
    arena_init(&writing.arena);
    if (chosen == NULL || writing.cells == NULL) {
        output_fault("memory is out");
    } else if (principals_exist(options, writing.matrix.policy) && choose_operations(&writing, chosen) &&
               choose_organizations(&writing)) {
        writing.format->begin(&writing.matrix, &writing.out);
        write_rows(&writing);
        writing.format->end(&writing.matrix, &writing.out);
        flush(&writing);
        status = writing.broken || fflush(stdout) != 0 ? CONSOLE_BAD : CONSOLE_DONE;
        if (status != CONSOLE_DONE)
            output_fault("the matrix could not be written whole");
    }
    text_free(&writing.out);
    arena_reset(&writing.arena);
    organizations_free(&writing.organizations);
    free(writing.cells);
    free(chosen);
    return status;
}

int console_matrix(int argc, char **argv)
{
    struct options options = {0};
    struct problems problems = {0};
    int status = read_options(argc, argv, &options);

    if (status == CONSOLE_DONE) {
        struct ruleset *ruleset = judged_by_load(&options.judged_by, &problems);

        if (ruleset != NULL)
            status = write_matrix(&options, ruleset);
        else {
            output_problems(&problems);
            status = CONSOLE_BAD;
        }
        ruleset_release(ruleset);
    }
    free(options.principals.values);
    free(options.organizations.values);
    free(options.operations.values);
    problems_free(&problems);
    return status;
}
