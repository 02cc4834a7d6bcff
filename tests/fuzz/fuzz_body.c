/* Bodies against the validators of the sample contract. Strict JSON is JSON to jansson too, and says the same
 * there; written anew it is judged alike; the masked record of any body is JSON, and holds nothing more to
 * mask. */
#include "policies/contract.h"
#include "tests/fuzz/fuzz.h"

static struct contract *contract;
static struct pattern_scratch *scratch;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct text text = fuzz_file("conf/integrations.openapi.json");
    struct problems problems = {0};
    struct document document;

    (void)argc, (void)argv;
    FUZZ_CHECK(document_read(&document, "contract", fuzz_of(&text), &problems));
    contract = contract_compile(&document, &problems);
    scratch = pattern_scratch_new();
    FUZZ_CHECK(contract != NULL && scratch != NULL);
    document_free(&document);
    text_free(&text);
    problems_free(&problems);
    return 0;
}

static void mask(void *arg, struct span secret, struct text *out)
{
    (void)arg, (void)secret;
    text_add_string(out, "masked");
}

static json_t *read_again(const char *bytes, size_t length)
{
    struct json_fault fault;
    json_t *value = json_read_strict((struct span){bytes, length}, DOCUMENT_DEPTH, &fault);

    FUZZ_CHECK(value != NULL);
    return value;
}

static void check_masked(const struct schema *schema, json_t *value)
{
    struct text first = {0}, second = {0};

    schema_write_masked(schema, value, mask, NULL, &first);
    json_t *masked = read_again(first.data, first.length);
    schema_write_masked(schema, masked, mask, NULL, &second);
    FUZZ_CHECK(span_equal(fuzz_of(&first), fuzz_of(&second)));
    json_decref(masked);
    text_free(&first);
    text_free(&second);
}

static bool validate(const struct schema *schema, json_t *value)
{
    struct findings findings = {0};
    struct arena arena;

    arena_init(&arena);
    bool valid = schema_validate(schema, value, scratch, &arena, &findings);
    FUZZ_CHECK(valid == (findings.count == 0) && findings.count <= 100);
    for (const struct finding *finding = findings.first; finding != NULL; finding = finding->next)
        FUZZ_CHECK(finding->detail[0] != '\0' && (finding->pointer[0] == '\0' || finding->pointer[0] == '/'));
    arena_reset(&arena);
    return valid;
}

static void check_value(json_t *value)
{
    size_t count, length = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    const struct operation *operations = contract_operations(contract, &count);
    char *bytes = malloc(length + 1);

    FUZZ_CHECK(bytes != NULL && length > 0);
    FUZZ_CHECK(json_dumpb(value, bytes, length, JSON_COMPACT | JSON_ENCODE_ANY) == length);
    json_t *again = read_again(bytes, length);
    FUZZ_CHECK(json_equal(value, again));
    check_masked(NULL, value);
    for (size_t i = 0; i < count; i++) {
        if (operations[i].body == NULL)
            continue;
        FUZZ_CHECK(validate(operations[i].body, value) == validate(operations[i].body, again));
        check_masked(operations[i].body, value);
    }
    json_decref(again);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_fault fault = {0};
    struct span text = fuzz_span(data, size);
    json_t *value = json_read_strict(text, DOCUMENT_DEPTH, &fault);

    if (value == NULL) {
        FUZZ_CHECK(fault.line > 0 && fault.column > 0 && fault.message[0] != '\0');
        return 0;
    }
    json_t *other = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(other != NULL && json_equal(value, other));
    json_decref(other);
    check_value(value);
    json_decref(value);
    return 0;
}
