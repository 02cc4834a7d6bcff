/* The table form of cases: who may do what where, a cell for each operation. Held against the matrix, which
 * says what holds whatever else a request is like; only cases look at one request. */
#include "policies/ascii.h"
#include "policies/uuid.h"
#include "proxy/console/cases.h"

#include <stdlib.h>

static const struct {
    const char *word;
    enum cell_verdict verdict;
} verdicts[] = {{"allow", CELL_ALLOWED}, {"refuse", CELL_DENIED}, {"conditional", CELL_CONDITIONAL}};

#define VERDICTS (sizeof verdicts / sizeof *verdicts)

const char *cell_word(enum cell_verdict verdict)
{
    for (size_t i = 0; i < VERDICTS; i++)
        if (verdicts[i].verdict == verdict)
            return verdicts[i].word;
    return "";
}

static void cell_read(struct strict *strict, const struct place *above, const char *operation, json_t *value,
                      struct test_cell *cell)
{
    static const char *const known[] = {"allow", "refuse", "conditional", NULL};
    const struct place place = {.above = above, .member = operation};
    const char *word = json_string_value(value);
    char room[96];

    cell->operation = operation;
    for (size_t i = 0; word != NULL && i < VERDICTS; i++) {
        if (strcmp(word, verdicts[i].word) != 0)
            continue;
        cell->expect = verdicts[i].verdict;
        return;
    }
    strict_note(strict, &place, "must be \"allow\", \"refuse\" or \"conditional\"%s",
                word ? suggestion(word, known, room, sizeof room) : "");
}

static void row_read(struct strict *strict, const struct place *place, json_t *value, struct suite *suite,
                     size_t row)
{
    static const char *const known[] = {"principal", "organization", "operations", "description", NULL};
    const struct place at_organization = {.above = place, .member = "organization"};
    const struct place at_operations = {.above = place, .member = "operations"};
    unsigned char id[UUID_BYTES];
    const char *operation;
    json_t *verdict;

    if (!strict_object(strict, place, value, known))
        return;
    (void)strict_string(strict, place, value, "description");
    const char *principal = strict_demand(strict, place, value, "principal");
    const char *organization = strict_demand(strict, place, value, "organization");
    json_t *operations = json_object_get(value, "operations");
    if (organization != NULL && strcmp(organization, "*") != 0 && !uuid_parse(span_of(organization), id))
        strict_note(strict, &at_organization, "must be a UUID, or \"*\": any that the policy does not name");
    if (json_object_size(operations) == 0)
        strict_note(strict, operations ? &at_operations : place,
                    "needs operations: an object of operationIds and verdicts");
    json_object_foreach (operations, operation, verdict) {
        struct test_cell *cell = &suite->cells[suite->cell_count++];
        *cell = (struct test_cell){.row = row, .principal = principal, .organization = organization};
        cell_read(strict, &at_operations, operation, verdict, cell);
    }
}

void cells_read(struct strict *strict, const struct place *root, json_t *list, struct suite *suite)
{
    const struct place place = {.above = root, .member = "table"};
    size_t rows = list ? strict_array(strict, &place, list) : 0, count = 0;

    for (size_t i = 0; i < rows; i++)
        count += json_object_size(json_object_get(json_array_get(list, i), "operations"));
    suite->cells = calloc(count + 1, sizeof *suite->cells);
    if (suite->cells == NULL)
        strict_note(strict, NULL, "memory is out");
    for (size_t i = 0; suite->cells != NULL && i < rows; i++) {
        const struct place here = {.above = &place, .element = i};
        row_read(strict, &here, json_array_get(list, i), suite, i);
    }
}

static const struct operation *operation_named(const struct contract *contract, const char *id)
{
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(operations[i].id, id) == 0)
            return &operations[i];
    return NULL;
}

bool cell_judge(const struct test_cell *cell, const struct contract *contract, const struct policy *policy,
                int64_t now, struct arena *arena, struct cell *found)
{
    unsigned char id[UUID_BYTES];
    bool named = uuid_parse(span_of(cell->organization), id);
    const struct cell_place place =
        cell_place(policy, policy_principal_named(policy, span_of(cell->principal)), named ? id : NULL, now);

    return cell_of(&place, operation_named(contract, cell->operation), arena, found);
}

static void note_unknown(struct strict *strict, const struct test_cell *cell, const char *member,
                         const char *what, const char *name, const char *const *known)
{
    const struct place root = {0}, table = {.above = &root, .member = "table"};
    const struct place row = {.above = &table, .element = cell->row};
    const struct place operations = {.above = &row, .member = "operations"};
    const struct place place = {.above = member ? &row : &operations, .member = member ? member : name};
    char room[96];

    strict_note(strict, &place, "%s \"%s\"%s", what, name, suggestion(name, known, room, sizeof room));
}

void cells_check(struct strict *strict, const struct suite *suite, const struct contract *contract,
                 const struct policy *policy, const char *const *principals)
{
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);
    const char **ids = calloc(count + 1, sizeof *ids);

    if (ids == NULL) {
        strict_note(strict, NULL, "memory is out");
        return;
    }
    for (size_t i = 0; i < count; i++)
        ids[i] = operations[i].id;
    for (size_t i = 0; i < suite->cell_count; i++) {
        const struct test_cell *cell = &suite->cells[i];
        bool first = i == 0 || cell->row != suite->cells[i - 1].row;
        if (first && policy_principal_named(policy, span_of(cell->principal)) == NULL)
            note_unknown(strict, cell, "principal", "the policy has no principal", cell->principal,
                         principals);
        if (operation_named(contract, cell->operation) == NULL)
            note_unknown(strict, cell, NULL, "the contract has no operation", cell->operation, ids);
    }
    free(ids);
}
