/* The contract, an OpenAPI document. It is compiled, or there is an error that says why; every operation is
 * found by its own path and method, with any text in its parameters; what changes something has no method
 * that changes nothing. */
#include "policies/contract.h"
#include "policies/decide.h"
#include "tests/fuzz/fuzz.h"

/* A text that no document of this size holds as a literal. */
#define PARAMETER "6d9f3d7e-parameter"

static void check_operation(const struct contract *contract, const struct operation *operation)
{
    struct span segments[OPERATION_SEGMENTS], method = span_of(operation->method);
    struct route_match match;

    FUZZ_CHECK(operation->segment_count <= OPERATION_SEGMENTS && operation->id != NULL);
    for (size_t i = 0; i < operation->segment_count; i++)
        segments[i] = operation->segments[i].literal.data ? operation->segments[i].literal : SPAN(PARAMETER);
    FUZZ_CHECK(contract_route(contract, method, segments, operation->segment_count, &match) == ROUTE_FOUND);
    FUZZ_CHECK(match.operation == operation);
    FUZZ_CHECK(method_is_safe(method) || operation->effect != EFFECT_READ);
    FUZZ_CHECK(operation->organization < (int)operation->segment_count &&
               operation->resource < (int)operation->segment_count);
}

/* Texts against the schemas of parameters: no pattern and no bound may do worse than refuse. */
static void check_parameters(const struct operation *operation, struct pattern_scratch *scratch)
{
    static const char *const texts[] = {"",           "a",    "0",   "-1", "99999999999999999999",
                                        "2024-10-15", "true", "\xff"};
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < operation->query_count; i++)
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
            (void)schema_validate_text(operation->query[i].schema, span_of(texts[j]), scratch, &arena);
    arena_reset(&arena);
}

static void check_contract(const struct contract *contract)
{
    static struct pattern_scratch *scratch;
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    if (scratch == NULL)
        scratch = pattern_scratch_new();
    for (size_t i = 0; i < count; i++) {
        check_operation(contract, &operations[i]);
        check_parameters(&operations[i], scratch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = {0};
    struct document document;

    if (document_read(&document, "contract", fuzz_span(data, size), &problems)) {
        struct contract *contract = contract_compile(&document, &problems);
        FUZZ_CHECK((contract == NULL) == (problems.errors > 0));
        document_free(&document); /* the contract holds all it needs */
        if (contract != NULL)
            check_contract(contract);
        contract_free(contract);
    } else {
        FUZZ_CHECK(problems.errors > 0);
        document_free(&document);
    }
    problems_free(&problems);
    return 0;
}
