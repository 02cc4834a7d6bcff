/* The types that can be deleted are those that can be made: the shipped contract's, and no others. */
#include "policies/container_registry.h"
#include "policies/document.h"
#include "tests/unit/policies/fixture.h"

/* The first object named `mapping` anywhere below. */
static json_t *find_mapping(json_t *value)
{
    json_t *found = json_object_get(value, "mapping"), *member;
    const char *name;
    size_t index;

    if (json_is_object(found))
        return found;
    found = NULL;
    json_object_foreach (value, name, member)
        found = found != NULL ? found : find_mapping(member);
    json_array_foreach (value, index, member)
        found = found != NULL ? found : find_mapping(member);
    return found;
}

static void are_those_of_the_contract(void **state)
{
    struct text text = fixture_file("conf/integrations.openapi.json");
    struct json_fault fault;
    json_t *contract = json_read_strict((struct span){text.data, text.length}, DOCUMENT_DEPTH, &fault);
    json_t *mapping = find_mapping(contract), *schema;
    const char *type;
    (void)state;

    assert_int_equal(json_object_size(mapping), 12);
    json_object_foreach (mapping, type, schema) {
        (void)schema;
        if (!is_container_registry(span_of(type)))
            fail_msg("%s", type);
    }
    json_decref(contract);
    text_free(&text);
}

static void others_are_none(void **state)
{
    static const char *const others[] = {
        "",    "azure-repos", "bitbucket-cloud", "github", "github-enterprise", "gitlab", "kubernetes",
        "ECR", "ecr ",        "terraform-cloud", "ec",     "github-crx"};
    (void)state;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (is_container_registry(span_of(others[i])))
            fail_msg("%s", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_those_of_the_contract),
        cmocka_unit_test(others_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
