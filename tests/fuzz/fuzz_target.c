/* The one spelling of a target: "host\ntarget". What is accepted, written in that spelling and read again, is
 * the same; the spelling holds nothing that another reader could take for something else. */
#include "policies/ascii.h"
#include "policies/target.h"
#include "tests/fuzz/fuzz.h"

static void check_segment(struct span segment)
{
    FUZZ_CHECK(segment.length > 0 && !span_is(segment, ".") && !span_is(segment, ".."));
    FUZZ_CHECK(memchr(segment.data, '/', segment.length) == NULL);
    FUZZ_CHECK(memchr(segment.data, '\\', segment.length) == NULL);
    FUZZ_CHECK(memchr(segment.data, ';', segment.length) == NULL);
}

static void check_text(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        FUZZ_CHECK(!ascii_is_control(text.data[i]));
}

static void check_target(const struct target *target)
{
    FUZZ_CHECK(target->segment_count <= TARGET_SEGMENTS && target->parameter_count <= TARGET_PARAMETERS);
    for (size_t i = 0; i < target->segment_count; i++) {
        check_segment(target->segments[i]);
        check_text(target->segments[i]);
    }
    for (size_t i = 0; i < target->parameter_count; i++) {
        FUZZ_CHECK(target->parameters[i].name.length > 0 && target->parameters[i].value.length > 0);
        check_text(target->parameters[i].name);
        check_text(target->parameters[i].value);
        for (size_t j = 0; j < i; j++)
            FUZZ_CHECK(!span_equal(target->parameters[i].name, target->parameters[j].name));
    }
}

static void check_spelling(struct span text)
{
    FUZZ_CHECK(text.length > 0 && text.data[0] == '/');
    for (size_t i = 0; i < text.length; i++)
        FUZZ_CHECK(ascii_is_unreserved(text.data[i]) || memchr("/?&=%", text.data[i], 5) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span raw = fuzz_span(data, size), host = {NULL, 0}, first, second;
    const char *newline = memchr(raw.data, '\n', raw.length);
    struct target target, again;
    struct target_fault fault = {0};
    struct arena arena;

    if (newline != NULL) {
        host = (struct span){raw.data, (size_t)(newline - raw.data)};
        raw = (struct span){newline + 1, raw.length - host.length - 1};
    }
    arena_init(&arena);
    if (target_parse(raw, host, &arena, &target, &fault)) {
        check_target(&target);
        first = target_write(&target, &arena);
        check_spelling(first);
        FUZZ_CHECK(target_parse(first, span_of("another"), &arena, &again, &fault));
        second = target_write(&again, &arena);
        FUZZ_CHECK(span_equal(first, second));
        FUZZ_CHECK(span_equal(first, target_spell(&target, &arena)));
        FUZZ_CHECK(again.segment_count == target.segment_count &&
                   again.parameter_count == target.parameter_count);
    } else {
        FUZZ_CHECK(fault.code != NULL && fault.code[0] != '\0' && fault.detail != NULL);
    }
    arena_reset(&arena);
    return 0;
}
