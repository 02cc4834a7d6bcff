/* One line of the journal, taken apart. What the scanner reads is JSON to jansson too, with the same members;
 * what it finds without fault is spelled as the journal spells it, so that no byte of it can be changed
 * without being seen. */
#include "proxy/audit/scan.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>

/* What jansson refuses though it is JSON by its grammar. It calls half of a surrogate pair a fault of syntax.
 */
static bool beyond_jansson(const json_error_t *error, struct span line)
{
    switch (json_error_code(error)) {
    case json_error_numeric_overflow:
    case json_error_null_character:
    case json_error_null_byte_in_key:
    case json_error_invalid_utf8:
        return true;
    case json_error_invalid_syntax:
        return memmem(line.data, line.length, "\\u", 2) != NULL;
    default:
        return false;
    }
}

static void check_member(struct span line, const struct scan_member *member, json_t *root)
{
    struct span element, text = scan_text(member->value);
    uint64_t number;
    size_t at = 0, count = 0;
    char *name = fuzz_string(member->name);
    json_t *value = json_object_get(root, name);

    FUZZ_CHECK(member->name.data > line.data && member->value.data > member->name.data);
    FUZZ_CHECK(member->value.data + member->value.length < line.data + line.length);
    /* A name with escapes is another text to jansson. */
    if (memchr(member->name.data, '\\', member->name.length) == NULL && value != NULL) {
        FUZZ_CHECK((text.data != NULL) == json_is_string(value));
        if (scan_number(member->value, &number))
            FUZZ_CHECK(json_is_integer(value) && (uint64_t)json_integer_value(value) == number);
        while (scan_element(member->value, &at, &element))
            count++;
        FUZZ_CHECK(count == json_array_size(value));
    }
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span line = fuzz_span(data, size);
    static struct scan scan;
    json_error_t error = {0};

    if (!scan_line(line, &scan)) {
        FUZZ_CHECK(scan.fault != NULL);
        return 0;
    }
    FUZZ_CHECK(scan.count <= SCAN_MEMBERS && scan.at <= size);
    json_t *root =
        json_loadb(line.data, line.length, scan.fault == NULL ? JSON_REJECT_DUPLICATES : 0, &error);
    FUZZ_CHECK(root != NULL || beyond_jansson(&error, line));
    for (size_t i = 0; root != NULL && scan.fault == NULL && i < scan.count; i++)
        check_member(line, &scan.members[i], root);
    json_decref(root);
    return 0;
}
