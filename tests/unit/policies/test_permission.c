#include "policies/permission.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_name_is_known(void **state)
{
    (void)state;
    for (const char *const *name = permission_names(); *name != NULL; name++) {
        permission_set set = permission_named(span_of(*name));
        assert_true(set != 0);
        assert_string_equal(permission_name(set), *name);
    }
}

static void other_names_are_not(void **state)
{
    static const char *const names[] = {
        "",
        "org",
        "org.integration",
        "org.integration.",
        "org.integration.edit ",
        "ORG.INTEGRATION.READ",
        "org.integration.settings",
        "org.integration.*",
        "*",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(permission_named(span_of(names[i])), 0);
}

static permission_set named(const char *name)
{
    return permission_named(span_of(name));
}

static void edit_is_the_four_below_it(void **state)
{
    permission_set finer = named("org.integration.create") | named("org.integration.update") |
                           named("org.integration.delete") | named("org.integration.settings.edit");

    (void)state;
    assert_int_equal(named("org.integration.edit"), finer);
    assert_int_equal(finer & named("org.integration.read"), 0);
    assert_int_equal(__builtin_popcount(finer), 4);
}

static void no_permission_of_the_api_gives_one_of_the_gates(void **state)
{
    permission_set api = 0, gate = 0;

    (void)state;
    for (const char *const *name = permission_names(); *name != NULL; name++)
        *(strncmp(*name, "portcullis.", 11) == 0 ? &gate : &api) |= named(*name);
    assert_true(gate != 0);
    assert_int_equal(api & gate, 0);
}

static void a_set_without_a_name_has_the_first_in_it(void **state)
{
    (void)state;
    assert_string_equal(permission_name(named("org.integration.delete") | named("org.integration.update")),
                        "org.integration.update");
    assert_string_equal(permission_name(named("org.integration.edit") | named("org.integration.read")),
                        "org.integration.read");
    assert_string_equal(permission_name(named("org.integration.edit") | named("org.project.read")),
                        "org.integration.edit");
    assert_string_equal(permission_name(0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_known),
        cmocka_unit_test(other_names_are_not),
        cmocka_unit_test(edit_is_the_four_below_it),
        cmocka_unit_test(no_permission_of_the_api_gives_one_of_the_gates),
        cmocka_unit_test(a_set_without_a_name_has_the_first_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
