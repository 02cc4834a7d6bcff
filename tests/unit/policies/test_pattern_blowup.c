/* Which patterns are found to blow up. */
#include "policies/pattern_blowup.h"
#include "tests/unit/policies/fixture.h"

#define MATCHES ((size_t)200 * 1000)

static enum blowup_verdict look(const char *source, size_t *matches, struct blowup *blowup)
{
    char error[256] = "";
    struct pattern *pattern = pattern_compile(span_of(source), error, sizeof error);
    struct pattern_scratch *scratch = pattern_scratch_new();

    if (pattern == NULL)
        fail_msg("%s: %s", source, error);
    enum blowup_verdict verdict = pattern_blowup(pattern, scratch, matches, blowup);
    pattern_scratch_free(scratch);
    pattern_free(pattern);
    return verdict;
}

/* What it says is so: the value uses up the steps. */
static void assert_shown(const char *source, const struct blowup *blowup)
{
    char error[256];
    struct pattern *pattern = pattern_compile(span_of(source), error, sizeof error);
    struct pattern_scratch *scratch = pattern_scratch_new();
    struct text value = {0};

    text_add(&value, blowup->before.data, blowup->before.length);
    for (unsigned i = 0; i < blowup->times; i++)
        text_add(&value, blowup->again.data, blowup->again.length);
    text_add(&value, blowup->behind.data, blowup->behind.length);
    assert_int_equal(pattern_match(pattern, scratch, (struct span){value.data, value.length}), MATCH_LIMIT);
    text_free(&value);
    pattern_scratch_free(scratch);
    pattern_free(pattern);
}

static void what_blows_up_is_found(void **state)
{
    static const struct {
        const char *source, *part;
    } rows[] = {
        {"(a+)+$", "(a+)+"},
        {"(a|a)*b", "(a|a)*"},
        {"(.*)*x", "(.*)*"},
        {"^(\\w+\\s?)*$", "(\\w+\\s?)*"},
        {"^(a?){0,40}b$", "(a?){0,40}"},
        {"^([a-z]+)*!", "([a-z]+)*"},
        {"^(?:[a-f]|[e-k])+$", "(?:[a-f]|[e-k])+"},
        {"^(?:foo|foob|oo|bfoo)+$", NULL},
        {"^(\\w|\\d)*$", "(\\w|\\d)*"},
        {"^OPS-\\d{3}: (?:\\w+ ?)+\\.$", "(?:\\w+ ?)+"},
        {"^prod/(?<name>(?:[^/]+)*)/x$", NULL},
        {"^(?i)team-(a|A|b)*$", NULL},
        {"^((ab)*|(ab)+)*c", NULL},
        {"^\\x61+(\\x{62}+)+$", NULL},
        {"^(\\p{L}+)*\\.$", NULL},
        {"^\xc3\xa9(\xc3\xb1+)+$", NULL},
        {"(?=(x+)+$)y*", NULL},
        {"^([^\"]*)*\"$", NULL},
        {"^[[:alpha:]]+([[:alpha:]_]+)+-$", NULL},
        {"^.*a.*a.*a.*a.*a.*b$", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t matches = MATCHES;
        struct blowup blowup;
        if (look(rows[i].source, &matches, &blowup) != BLOWUP_FOUND)
            fail_msg("%s is not found", rows[i].source);
        if (rows[i].part != NULL)
            assert_string_equal(blowup.part.data, rows[i].part);
        assert_non_null(strstr(rows[i].source, blowup.part.data));
        assert_shown(rows[i].source, &blowup);
        blowup_free(&blowup);
    }
}

#define VERSIONS                                                                                             \
    "^(wip|work-in-progress|experimental|beta|((([0-9]{4})-([0-1][0-9]))-((3[01])|(0[1-9])|([12][0-9]))"     \
    "(~(wip|work-in-progress|experimental|beta))?))$"

static void what_is_quick_is_let_be(void **state)
{
    static const char *const rows[] = {
        "^prod-",
        "",
        "^[A-Z]+-[0-9]+: .{10,}$",
        VERSIONS,
        "^[0-9]{12}$",
        "^(?:[a-z0-9]+-)*[a-z0-9]+$",
        "^(a++)+$",
        "(?>a+)+$",
        "^(?:a|b)*c",
        "^(?:[a-z]+\\.)+com$",
        "\\bDROP\\b.*\\bTABLE\\b",
        "^[^@ ]+@[^@ ]+$",
        "^\\s*\\w+\\s*$",
        "^https://.*\\.example\\.com/.*$",
        "(?#a comment)x+",
        "^[]a]+[^]]$",
        "a{,3}{x}",
        "^(?<year>\\d{4})-\\d\\d$",
        "(*UCP)^\\w+$",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t matches = MATCHES;
        struct blowup blowup;
        if (look(rows[i], &matches, &blowup) != BLOWUP_NONE)
            fail_msg("%s: it is not quick, or not sure", rows[i]);
        assert_null(blowup.part.data);
    }
}

static void matches_are_bounded(void **state)
{
    size_t matches = 5;
    struct blowup blowup;

    (void)state;
    assert_int_equal(look("^[a-z]+[0-9]+$", &matches, &blowup), BLOWUP_UNSURE);
    assert_int_equal(matches, 0);
    matches = MATCHES;
    assert_int_equal(look("^abc$", &matches, &blowup), BLOWUP_NONE);
    assert_int_equal(matches, MATCHES); /* nothing goes round in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_blows_up_is_found),
        cmocka_unit_test(what_is_quick_is_let_be),
        cmocka_unit_test(matches_are_bounded),
    };

    return cmocka_run_group_tests_name("pattern_blowup", tests, NULL, NULL);
}
