/* The forms of a matrix that are lines: a table for people, CSV and JSON for programs. A line is a cell. */
#include "proxy/audit/export.h"
#include "proxy/console/audit.h"
#include "proxy/console/matrix.h"

static void pad(struct text *out, size_t from, size_t width)
{
    do {
        text_add(out, " ", 1);
    } while (out->length < from + width + 1);
}

#define PRINCIPAL_WIDTH    20
#define ORGANIZATION_WIDTH 36
#define OPERATION_WIDTH    26
#define VERDICT_WIDTH      11

static void add_padded(struct text *out, const char *word, size_t width)
{
    size_t from = out->length;

    audit_add_shown(out, span_of(word));
    pad(out, from, width);
}

static void table_begin(const struct matrix *matrix, struct text *out)
{
    (void)matrix;
    add_padded(out, "PRINCIPAL", PRINCIPAL_WIDTH);
    add_padded(out, "ORGANIZATION", ORGANIZATION_WIDTH);
    add_padded(out, "OPERATION", OPERATION_WIDTH);
    add_padded(out, "VERDICT", VERDICT_WIDTH);
    text_add_string(out, "BY\n");
}

static void table_row(const struct matrix *matrix, const struct matrix_row *row, bool first, struct text *out)
{
    (void)first;
    for (size_t i = 0; i < matrix->operation_count; i++) {
        const struct cell *cell = &row->cells[i];

        add_padded(out, row->principal, PRINCIPAL_WIDTH);
        add_padded(out, row->organization, ORGANIZATION_WIDTH);
        add_padded(out, matrix->operations[i]->id, OPERATION_WIDTH);
        add_padded(out, cell_verdict_name(cell->verdict), VERDICT_WIDTH);
        if (cell->enforced != cell->verdict)
            text_add_format(out, "(observed; would be %s) ", cell_verdict_name(cell->enforced));
        audit_add_shown(out, span_of(cell->rule));
        for (const struct cell_condition *at = cell->conditions; at != NULL; at = at->next) {
            text_add_string(out, at == cell->conditions ? " if: " : ", ");
            audit_add_shown(out, span_of(at->what));
            text_add_string(out, at->rule[0] != '\0' ? " " : "");
            audit_add_shown(out, span_of(at->rule));
        }
        text_add(out, "\n", 1);
    }
}

static void csv_begin_rows(const struct matrix *matrix, struct text *out)
{
    (void)matrix;
    text_add_string(out, "principal,organization,operation,verdict,enforced,by,conditions\r\n");
}

static void csv_row(const struct matrix *matrix, const struct matrix_row *row, bool first, struct text *out)
{
    struct text conditions = {0};

    (void)first;
    for (size_t i = 0; i < matrix->operation_count; i++) {
        const struct cell *cell = &row->cells[i];
        const char *const members[] = {row->principal,
                                       row->organization,
                                       matrix->operations[i]->id,
                                       cell_verdict_name(cell->verdict),
                                       cell_verdict_name(cell->enforced),
                                       cell->rule};

        for (size_t member = 0; member < sizeof members / sizeof *members; member++) {
            csv_add_cell(out, span_of(members[member]));
            text_add(out, ",", 1);
        }
        text_clear(&conditions);
        for (const struct cell_condition *at = cell->conditions; at != NULL; at = at->next)
            text_add_format(&conditions, "%s%s%s%s", at == cell->conditions ? "" : "; ", at->what,
                            at->rule[0] != '\0' ? " " : "", at->rule);
        csv_add_cell(out, (struct span){conditions.data, conditions.length});
        text_add(out, "\r\n", 2);
    }
    out->failed = out->failed || conditions.failed;
    text_free(&conditions);
}

static void json_begin(const struct matrix *matrix, struct text *out)
{
    text_add_string(out, "{\"policy\":");
    text_add_json(out, span_of(policy_digest(matrix->policy)));
    text_add_string(out, ",\"cells\":[");
}

static void json_row(const struct matrix *matrix, const struct matrix_row *row, bool first, struct text *out)
{
    for (size_t i = 0; i < matrix->operation_count; i++) {
        const struct cell *cell = &row->cells[i];
        const struct {
            const char *name, *value;
        } members[] = {{"\n{\"principal\":", row->principal},
                       {",\"organization\":", row->organization},
                       {",\"operation\":", matrix->operations[i]->id},
                       {",\"verdict\":", cell_verdict_name(cell->verdict)},
                       {",\"enforced\":", cell_verdict_name(cell->enforced)},
                       {",\"by\":", cell->rule}};

        text_add_string(out, first && i == 0 ? "" : ",");
        for (size_t member = 0; member < sizeof members / sizeof *members; member++) {
            text_add_string(out, members[member].name);
            text_add_json(out, span_of(members[member].value));
        }
        text_add_string(out, ",\"conditions\":[");
        for (const struct cell_condition *at = cell->conditions; at != NULL; at = at->next) {
            text_add_string(out, at == cell->conditions ? "{\"what\":" : ",{\"what\":");
            text_add_json(out, span_of(at->what));
            text_add_string(out, ",\"rule\":");
            text_add_json(out, span_of(at->rule));
            text_add_string(out, "}");
        }
        text_add_string(out, "]}");
    }
}

static void json_end(const struct matrix *matrix, struct text *out)
{
    (void)matrix;
    text_add_string(out, "\n]}\n");
}

static void no_end(const struct matrix *matrix, struct text *out)
{
    (void)matrix;
    (void)out;
}

static const struct matrix_format formats[] = {
    {"table", table_begin, table_row, no_end},
    {"csv", csv_begin_rows, csv_row, no_end},
    {"json", json_begin, json_row, json_end},
    {"html", matrix_page_begin, matrix_page_row, matrix_page_end},
};

const struct matrix_format *matrix_format_named(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}
