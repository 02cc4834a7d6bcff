#include "policies/target.h"

#include "policies/uuid.h"
#include "tests/unit/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOST "gate.example"

static bool parse(const char *raw, struct arena *arena, struct target *target, struct target_fault *fault)
{
    return target_parse(span_of(raw), span_of(HOST), arena, target, fault);
}

/* The canonical spelling must read back as the same target and be written the same again. */
static bool survives_round_trip(const struct target *target, struct span written, struct arena *arena)
{
    struct target again;
    struct target_fault fault;

    if (!target_parse(written, span_of(HOST), arena, &again, &fault))
        return false;
    if (again.segment_count != target->segment_count || again.parameter_count != target->parameter_count)
        return false;
    for (size_t i = 0; i < target->segment_count; i++)
        if (!span_equal(again.segments[i], target->segments[i]))
            return false;
    for (size_t i = 0; i < target->parameter_count; i++)
        if (!span_equal(again.parameters[i].name, target->parameters[i].name) ||
            !span_equal(again.parameters[i].value, target->parameters[i].value))
            return false;
    return span_equal(target_write(&again, arena), written) &&
           span_equal(target_spell(&again, arena), written) &&
           span_equal(target_spell(target, arena), written);
}

static bool run_row(const struct table_row *row, void *arg)
{
    struct span expected = table_column(row, 2), found;
    struct target target;
    struct target_fault fault;
    struct arena arena;
    bool whole = true;

    (void)arg;
    arena_init(&arena);
    /* The target is handed over in memory of exactly its size, so that a sanitizer sees any step beyond it.
     */
    struct span raw = table_column(row, 0);
    char *exact = malloc(raw.length > 0 ? raw.length : 1);
    assert_non_null(exact);
    memcpy(exact, raw.data, raw.length);
    if (target_parse((struct span){exact, raw.length}, table_column(row, 1), &arena, &target, &fault)) {
        found = target_write(&target, &arena);
        whole = survives_round_trip(&target, found, &arena);
    } else {
        found = span_of(fault.code);
        whole = fault.detail[0] != '\0';
    }
    bool same = span_equal(found, expected);
    if (!same)
        (void)fprintf(stderr, "%s:%u: got %.*s, expected %.*s\n", row->file, row->line, (int)found.length,
                      found.data, (int)expected.length, expected.data);
    else if (!whole)
        (void)fprintf(stderr, "%s:%u: %.*s does not survive a round trip\n", row->file, row->line,
                      (int)found.length, found.data);
    free(exact);
    arena_reset(&arena);
    return same && whole;
}

static void table_of_targets(void **state)
{
    unsigned cases = 0;

    (void)state;
    assert_int_equal(table_run("tests/tables/targets.tsv", 3, run_row, NULL, &cases), 0);
    assert_true(cases >= 300);
}

static void segments_and_parameters_are_decoded(void **state)
{
    struct arena arena;
    struct target target;
    struct target_fault fault;

    (void)state;
    arena_init(&arena);
    assert_true(parse("/rest/a%20b/C9?%76ersion=beta&x=1+2", &arena, &target, &fault));
    assert_int_equal(target.segment_count, 3);
    assert_true(span_is(target.segments[1], "a b"));
    assert_true(span_is(target.segments[2], "C9"));
    assert_int_equal(target.parameter_count, 2);
    assert_true(span_is(target_parameter(&target, SPAN("version")), "beta"));
    assert_true(span_is(target_parameter(&target, SPAN("x")), "1+2"));
    assert_null(target_parameter(&target, SPAN("Version")).data);
    assert_null(target_parameter(&target, SPAN("")).data);
    arena_reset(&arena);
}

/* A fault of the query names the parameter where it has a name that can be read; one of the path names none.
 */
static void faults_name_the_parameter(void **state)
{
    static const struct {
        const char *target, *code, *parameter;
    } cases[] = {
        {"/a?x=1&x=2", "repeated-parameter", "x"},
        {"/a?%78=1&x=2", "repeated-parameter", "x"},
        {"/a?limit=", "empty-value", "limit"},
        {"/a?limit", "missing-value", "limit"},
        {"/a?a=1&limit=%zz", "broken-encoding", "limit"},
        {"/a?a=1&limit=%2541", "double-encoding", "limit"},
        {"/a?a=1&b=%FF", "not-utf8", "b"},
        {"/a?a=1&%FF=1", "not-utf8", ""},
        {"/a?a=1&&", "empty-parameter", ""},
        {"/a?a=1&=1", "empty-name", ""},
        {"/a//b?a=1", "empty-segment", ""},
        {"/a?", "empty-query", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct target target;
        struct target_fault fault;
        arena_init(&arena);
        assert_false(parse(cases[i].target, &arena, &target, &fault));
        assert_string_equal(fault.code, cases[i].code);
        assert_true(span_is(fault.parameter, cases[i].parameter));
        arena_reset(&arena);
    }
}

/* Whatever single byte stands in a path or a query, raw or encoded: the result is canonical or refused, never
 * anything else. */
static void every_byte_everywhere(void **state)
{
    static const char *const forms[] = {"/a%cb",       "/a?b=%c",     "/a?%c=b", "/a%%%02Xb",
                                        "/a?b=%%%02x", "/a?%%%02X=b", "%c",      "/%c"};

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
            char raw[32];
            struct arena arena;
            struct target target;
            struct target_fault fault;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            int length = snprintf(raw, sizeof raw, forms[form], byte);
#pragma GCC diagnostic pop
            arena_init(&arena);
            if (target_parse((struct span){raw, (size_t)length}, span_of(HOST), &arena, &target, &fault)) {
                struct span written = target_write(&target, &arena);
                assert_true(byte >= 0x20 && byte != 0x7f && byte < 0x80);
                assert_true(survives_round_trip(&target, written, &arena));
            }
            arena_reset(&arena);
        }
}

static void uuids_have_one_form(void **state)
{
    (void)state;
    assert_true(is_uuid(span_of("0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e6")));
    assert_true(is_uuid(span_of("0F3C1A52-6E1B-4C8E-9B5D-2A7F10C4D8E6")));
    assert_true(is_uuid(span_of("00000000-0000-0000-0000-000000000000")));
    assert_false(is_uuid(span_of("")));
    assert_false(is_uuid(span_of("0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e")));
    assert_false(is_uuid(span_of("0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e66")));
    assert_false(is_uuid(span_of("0f3c1a526e1b-4c8e-9b5d-2a7f10c4d8e6--")));
    assert_false(is_uuid(span_of("0f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8eg")));
    assert_false(is_uuid(span_of("{f3c1a52-6e1b-4c8e-9b5d-2a7f10c4d8e}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_targets),          cmocka_unit_test(segments_and_parameters_are_decoded),
        cmocka_unit_test(faults_name_the_parameter), cmocka_unit_test(every_byte_everywhere),
        cmocka_unit_test(uuids_have_one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
