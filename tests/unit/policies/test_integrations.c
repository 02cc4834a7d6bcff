/* The contract that is shipped: conf/integrations.openapi.json. */
#include "policies/contract.h"
#include "tests/unit/policies/fixture.h"

#define CONTRACT "conf/integrations.openapi.json"
#define ID       "'0c4f0f1e-0000-4000-8000-0123456789ab'"

static struct contract *contract;
static struct pattern_scratch *scratch;

static int set_up(void **state)
{
    struct text text = fixture_file(CONTRACT);
    struct problems problems = {0};
    struct document document;
    struct text lines = {0};

    (void)state;
    if (document_read(&document, CONTRACT, (struct span){text.data, text.length}, &problems))
        contract = contract_compile(&document, &problems);
    problems_write(&problems, &lines);
    (void)fprintf(stderr, "%s", lines.data ? lines.data : "");
    scratch = pattern_scratch_new();
    text_free(&lines);
    text_free(&text);
    problems_free(&problems);
    document_free(&document);
    return contract == NULL || scratch == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    contract_free(contract);
    pattern_scratch_free(scratch);
    return 0;
}

static const struct operation *operation_named(const char *id)
{
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(operations[i].id, id) == 0)
            return &operations[i];
    fail_msg("no operation %s", id);
    return NULL;
}

static void the_seven_operations(void **state)
{
    static const struct {
        const char *id, *method, *path, *permission;
        enum effect effect;
        int resource;
        size_t queries;
        bool body;
    } seven[] = {
        {"listIntegrations", "GET", "/rest/orgs/{org_id}/integrations", "org.integration.read", EFFECT_READ,
         -1, 4, false},
        {"createIntegration", "POST", "/rest/orgs/{org_id}/integrations", "org.integration.create",
         EFFECT_CREATE, -1, 1, true},
        {"getIntegration", "GET", "/rest/orgs/{org_id}/integrations/{integration_id}", "org.integration.read",
         EFFECT_READ, 4, 1, false},
        {"updateIntegration", "PATCH", "/rest/orgs/{org_id}/integrations/{integration_id}",
         "org.integration.update", EFFECT_UPDATE, 4, 1, true},
        {"deleteIntegration", "DELETE", "/rest/orgs/{org_id}/integrations/{integration_id}",
         "org.integration.delete", EFFECT_HARD_DELETE, 4, 1, false},
        {"getIntegrationSettings", "GET", "/rest/orgs/{org_id}/integrations/{integration_id}/settings",
         "org.integration.read", EFFECT_READ, 4, 4, false},
        {"updateIntegrationSettings", "PATCH", "/rest/orgs/{org_id}/integrations/{integration_id}/settings",
         "org.integration.settings.edit", EFFECT_UPDATE, 4, 1, true},
    };
    size_t count;
    const struct operation *operations = contract_operations(contract, &count);

    (void)state;
    assert_string_equal(contract_base(contract), "/rest");
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(operations[i].id, seven[i].id);
        assert_string_equal(operations[i].method, seven[i].method);
        assert_string_equal(operations[i].path, seven[i].path);
        assert_string_equal(operations[i].permission_name, seven[i].permission);
        assert_int_equal(operations[i].permission, permission_named(span_of(seven[i].permission)));
        assert_int_equal(operations[i].effect, seven[i].effect);
        assert_int_equal(operations[i].organization, 2);
        assert_int_equal(operations[i].resource, seven[i].resource);
        assert_int_equal(operations[i].query_count, seven[i].queries);
        assert_true((operations[i].body != NULL) == seven[i].body);
        assert_int_equal(operations[i].body_required, seven[i].body);
    }
}

static void parameters(void **state)
{
    static const struct {
        const char *name, *text;
        bool right;
    } cases[] = {
        {"limit", "10", true},
        {"limit", "100", true},
        {"limit", "0", false},
        {"limit", "110", false},
        {"limit", "15", false},
        {"limit", "ten", false},
        {"starting_after", "v1.eyJpZCI6IjEwMDAifQo=", true},
        {"ending_before", "v1.a+/_-==", true},
        {"starting_after", "v1.", false},
        {"starting_after", "v2.eyJ9", false},
        {"starting_after", "v1.e===", false},
        {"ending_before", "v1.e\n", false},
        {"ending_before", "v1.e e", false},
        {"version", "2024-10-15", true},
    };
    const struct operation *list = operation_named("listIntegrations");
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool known = false;
        for (size_t j = 0; j < list->query_count; j++) {
            if (strcmp(list->query[j].name, cases[i].name) != 0)
                continue;
            known = true;
            assert_true((schema_validate_text(list->query[j].schema, span_of(cases[i].text), scratch,
                                              &arena) == NULL) == cases[i].right);
            assert_true(list->query[j].required == (strcmp(cases[i].name, "version") == 0));
        }
        assert_true(known);
    }
    arena_reset(&arena);
}

#define CREATE(type, credentials)                                                                            \
    "{'data':{'type':'integration','attributes':{'integration_type':'" type                                  \
    "','profile_name':'p','credentials':" credentials "}}}"
#define UPDATE(attributes) "{'data':{'type':'integration','id':" ID ",'attributes':" attributes "}}"
#define SETTINGS(attributes)                                                                                 \
    "{'data':{'type':'integration_settings','id':" ID ",'attributes':" attributes "}}"

#define ECR      "{'region':'eu-central-1','role_arn':'arn:aws:iam::123456789012:role/x'}"
#define USER     "{'username':'u','password':'hunter2'}"
#define REGISTRY "{'username':'u','password':'hunter2','registry_base':'r.example'}"
#define GOOGLE   "{'password':'hunter2','registry_base':'gcr.io'}"
#define OCEAN    "{'token':'dop_v1_hunter2'}"

#define APART                                                                                                \
    "/data/attributes/credentials: The members given belong to no single alternative. The alternatives: "    \
    "region, "                                                                                               \
    "role_arn; or username, password; or username, password, registry_base; or password, registry_base; or " \
    "token.\n"

static const struct {
    const char *operation, *body, *findings;
} bodies[] = {
    {"createIntegration", CREATE("ecr", ECR), ""},
    {"createIntegration", CREATE("docker-hub", USER), ""},
    {"createIntegration", CREATE("acr", REGISTRY), ""},
    {"createIntegration", CREATE("artifactory-cr", REGISTRY), ""},
    {"createIntegration", CREATE("github-cr", REGISTRY), ""},
    {"createIntegration", CREATE("gitlab-cr", REGISTRY), ""},
    {"createIntegration", CREATE("harbor-cr", REGISTRY), ""},
    {"createIntegration", CREATE("nexus-cr", REGISTRY), ""},
    {"createIntegration", CREATE("quay-cr", REGISTRY), ""},
    {"createIntegration", CREATE("gcr", GOOGLE), ""},
    {"createIntegration", CREATE("google-artifact-cr", GOOGLE), ""},
    {"createIntegration", CREATE("digitalocean-cr", OCEAN), ""},
    {"createIntegration", CREATE("ecr", OCEAN),
     "/data/attributes/credentials/token: The member \"token\" is not allowed here.\n"
     "/data/attributes/credentials: The member \"region\" is missing.\n"
     "/data/attributes/credentials: The member \"role_arn\" is missing.\n"},
    {"createIntegration", CREATE("docker-hub", REGISTRY),
     "/data/attributes/credentials/registry_base: The member \"registry_base\" is not allowed here.\n"},
    {"createIntegration", CREATE("acr", USER),
     "/data/attributes/credentials: The member \"registry_base\" is missing.\n"},
    {"createIntegration", CREATE("gcr", REGISTRY),
     "/data/attributes/credentials/username: The member \"username\" is not allowed here.\n"},
    {"createIntegration", CREATE("digitalocean-cr", "{'token':'hunter 2'}"),
     "/data/attributes/credentials/token: The value must match the pattern ^[a-zA-Z0-9_-]+$\n"},
    {"createIntegration", CREATE("ecr", "{'region':'eu-central-10','role_arn':'arn:aws:iam::1:role/x'}"),
     "/data/attributes/credentials/region: The value must match the pattern ^[a-z]{2}-[a-z]+-\\d{1}$\n"
     "/data/attributes/credentials/role_arn: The value must match the pattern "
     "^arn:aws:iam::\\d{12}:role/.+$\n"},
    {"createIntegration", CREATE("acr", "{'username':'','password':'','registry_base':'https://r.example'}"),
     "/data/attributes/credentials/username: The value must not be empty.\n"
     "/data/attributes/credentials/password: The value must not be empty.\n"
     "/data/attributes/credentials/registry_base: The value must be a host name, without scheme, port and "
     "path.\n"},
    {"createIntegration", CREATE("acr", "'hunter2'"),
     "/data/attributes/credentials: The value must be an object.\n"},
    {"createIntegration", CREATE("github", USER),
     "/data/attributes/integration_type: The value must be one of \"ecr\", \"docker-hub\", \"acr\", "
     "\"artifactory-cr\", \"github-cr\", \"gitlab-cr\", \"harbor-cr\", \"nexus-cr\", \"quay-cr\", \"gcr\", "
     "\"google-artifact-cr\" or \"digitalocean-cr\".\n"},
    {"createIntegration",
     "{'data':{'type':'integrations','id':" ID ",'attributes':{'integration_type':'docker-hub'}}}",
     "/data/type: The value must be \"integration\".\n"
     "/data/id: The member \"id\" is not allowed here.\n"
     "/data/attributes: The member \"profile_name\" is missing.\n"
     "/data/attributes: The member \"credentials\" is missing.\n"},
    {"createIntegration", "{'data':{'type':'integration'},'meta':{}}",
     "/data: The member \"attributes\" is missing.\n/meta: The member \"meta\" is not allowed here.\n"},
    {"createIntegration", "{}", ": The member \"data\" is missing.\n"},
    {"createIntegration", "null", ": The value must be an object.\n"},
    {"createIntegration", "[]", ": The value must be an object.\n"},

    {"updateIntegration", "{}", ""},
    {"updateIntegration", "{'data':{}}", ""},
    {"updateIntegration", UPDATE("{}"), ""},
    {"updateIntegration", UPDATE("{'profile_name':'Team A_1.b-c'}"), ""},
    {"updateIntegration", UPDATE("{'profile_name':'-x'}"),
     "/data/attributes/profile_name: The value must match the pattern ^[a-zA-Z0-9][a-zA-Z0-9 _.-]*$\n"},
    {"updateIntegration", UPDATE("{'profile_name':null}"),
     "/data/attributes/profile_name: The value must be a string.\n"},
    {"updateIntegration", UPDATE("{'credentials':{}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':" ECR "}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'region':'eu-central-1'}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'role_arn':'arn:aws:iam::123456789012:role/x'}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'username':'u'}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'password':'hunter2'}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'registry_base':'r.example'}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'username':'u','registry_base':'r.example'}}"), ""},
    {"updateIntegration", UPDATE("{'credentials':" OCEAN "}"), ""},
    {"updateIntegration", UPDATE("{'credentials':{'region':'eu-central-1','username':'u'}}"), APART},
    {"updateIntegration", UPDATE("{'credentials':{'token':'t','password':'hunter2'}}"), APART},
    {"updateIntegration", UPDATE("{'credentials':{'region':'hunter2'}}"),
     "/data/attributes/credentials/region: The value must match the pattern ^[a-z]{2}-[a-z]+-\\d{1}$\n"},
    {"updateIntegration", UPDATE("{'credentials':{'password':7}}"),
     "/data/attributes/credentials/password: The value must be a string.\n"},
    {"updateIntegration", UPDATE("{'credentials':{'pasword':'hunter2'}}"),
     "/data/attributes/credentials/*: A member (its name may be a secret, and is not shown) is not allowed "
     "here.\n"},
    {"updateIntegration", UPDATE("{'credentials':{'hunter2':'x','username':'u'}}"),
     "/data/attributes/credentials/*: A member (its name may be a secret, and is not shown) is not allowed "
     "here.\n"},
    {"createIntegration",
     CREATE(
         "ecr",
         "{'region':'eu-central-1','role_arn':'arn:aws:iam::123456789012:role/x','hunter2':{'hunter3':1}}"),
     "/data/attributes/credentials/*: A member (its name may be a secret, and is not shown) is not allowed "
     "here.\n"},
    {"updateIntegration", UPDATE("{'credentials':null}"),
     "/data/attributes/credentials: The value must be an object.\n"},
    {"updateIntegration", UPDATE("{'integration_type':'ecr'}"),
     "/data/attributes/integration_type: The member \"integration_type\" is not allowed here.\n"},
    {"updateIntegration", "{'data':{'id':'hunter2'}}", "/data/id: The value must be a UUID.\n"},

    {"updateIntegrationSettings", SETTINGS("{'container_app_scan_enabled':false}"), ""},
    {"updateIntegrationSettings", SETTINGS("{}"), ""},
    {"updateIntegrationSettings", SETTINGS("{'container_app_scan_enabled':'false'}"),
     "/data/attributes/container_app_scan_enabled: The value must be true or false.\n"},
    {"updateIntegrationSettings", SETTINGS("{'container_app_scan_enabled':null}"),
     "/data/attributes/container_app_scan_enabled: The value must be true or false.\n"},
    {"updateIntegrationSettings", SETTINGS("{'container_app_scan':true}"),
     "/data/attributes/container_app_scan: The member \"container_app_scan\" is not allowed here.\n"},
    {"updateIntegrationSettings", "{'data':{'type':'integration'}}",
     "/data/type: The value must be \"integration_settings\".\n"
     "/data: The member \"id\" is missing.\n"
     "/data: The member \"attributes\" is missing.\n"},
};

static void bodies_are_checked(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        json_t *value = fixture_value(bodies[i].body);
        struct findings findings = {0};
        struct arena arena;

        arena_init(&arena);
        bool right =
            schema_validate(operation_named(bodies[i].operation)->body, value, scratch, &arena, &findings);
        struct text text = fixture_findings(&findings);
        fixture_expect(&failed, bodies[i].body, text.data, bodies[i].findings);
        assert_true(right == (bodies[i].findings[0] == '\0'));
        assert_null(strstr(text.data, "hunter"));
        text_free(&text);
        json_decref(value);
        arena_reset(&arena);
    }
    assert_int_equal(failed, 0);
}

static void profile_names_have_their_limits(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (int length = 0; length <= 256; length += length == 0 ? 1 : length == 1 ? 254 : 1) {
        char name[257] = "";
        struct findings findings = {0};
        memset(name, 'x', (size_t)length);
        json_t *value = json_pack("{s:{s:{s:s}}}", "data", "attributes", "profile_name", name);
        bool right =
            schema_validate(operation_named("updateIntegration")->body, value, scratch, &arena, &findings);
        assert_true(right == (length >= 1 && length <= 255));
        json_decref(value);
    }
    arena_reset(&arena);
}

static void mask(void *arg, struct span secret, struct text *out)
{
    (void)arg;
    (void)secret;
    text_add_string(out, "hmac");
}

static void no_secret_reaches_the_journal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        json_t *value = fixture_value(bodies[i].body);
        struct text out = {0};
        struct json_fault fault;

        schema_write_masked(operation_named(bodies[i].operation)->body, value, mask, NULL, &out);
        if (strstr(bodies[i].body, "'id':'hunter2'") == NULL) /* an id is no secret, whatever it says */
            assert_null(strstr(out.data, "hunter"));
        json_t *again = json_read_strict((struct span){out.data, out.length}, DOCUMENT_DEPTH, &fault);
        assert_non_null(again);
        json_decref(again);
        text_free(&out);
        json_decref(value);
    }
}

static void masked_bodies_are_canonical(void **state)
{
    json_t *value = fixture_value(CREATE("acr", REGISTRY));
    struct text out = {0};

    (void)state;
    schema_write_masked(operation_named("createIntegration")->body, value, mask, NULL, &out);
    assert_string_equal(
        out.data, "{\"data\":{\"attributes\":{\"credentials\":{\"password\":\"hmac\",\"registry_base\":"
                  "\"hmac\",\"username\":\"hmac\"},\"integration_type\":\"acr\",\"profile_name\":\"p\"},"
                  "\"type\":\"integration\"}}");
    text_free(&out);
    json_decref(value);
}

/* Every prefix of a body, and every body with one byte changed, is judged without harm. */
static void damaged_bodies_are_survived(void **state)
{
    static const char changes[] = {'\0', '"', '{', '}', '0', '\\', (char)0xff};
    char *body = fixture_json(CREATE("acr", REGISTRY));
    size_t length = strlen(body);

    (void)state;
    for (size_t i = 0; i < length * (1 + sizeof changes); i++) {
        size_t at = i % length;
        struct json_fault fault;
        struct arena arena;
        struct findings findings = {0};
        char kept = body[at];
        size_t take = i < length ? at : length;

        if (i >= length)
            body[at] = changes[i / length - 1];
        char *copy = malloc(take > 0 ? take : 1);
        assert_non_null(copy);
        memcpy(copy, body, take);
        json_t *value = json_read_strict((struct span){copy, take}, DOCUMENT_DEPTH, &fault);
        arena_init(&arena);
        if (value != NULL) {
            struct text out = {0};
            (void)schema_validate(operation_named("createIntegration")->body, value, scratch, &arena,
                                  &findings);
            schema_write_masked(operation_named("createIntegration")->body, value, mask, NULL, &out);
            assert_null(strstr(out.data, "hunter2"));
            text_free(&out);
        }
        arena_reset(&arena);
        json_decref(value);
        free(copy);
        body[at] = kept;
    }
    free(body);
}

/* Contracts cut short are no JSON; contracts that lack one line are, sometimes. Both are compiled without
 * harm. */
static void damaged_contracts_are_survived(void **state)
{
    struct text text = fixture_file(CONTRACT);
    unsigned compiled = 0;

    (void)state;
    for (size_t from = 0, to; from < text.length; from = to) {
        struct text damaged = {0};
        struct problems problems = {0};
        struct document document;
        to = from + strcspn(text.data + from, "\n") + 1;
        if (to > text.length)
            to = text.length;

        assert_false(document_read(&document, "d", (struct span){text.data, from}, &problems));
        document_free(&document);
        text_add(&damaged, text.data, from);
        text_add(&damaged, text.data + to, text.length - to);
        if (document_read(&document, "d", (struct span){damaged.data, damaged.length}, &problems)) {
            struct contract *other = contract_compile(&document, &problems);
            compiled += other != NULL;
            contract_free(other);
        }
        document_free(&document);
        problems_free(&problems);
        text_free(&damaged);
    }
    assert_true(compiled > 20); /* descriptions and the like may go */
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seven_operations),
        cmocka_unit_test(parameters),
        cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(profile_names_have_their_limits),
        cmocka_unit_test(no_secret_reaches_the_journal),
        cmocka_unit_test(masked_bodies_are_canonical),
        cmocka_unit_test(damaged_bodies_are_survived),
        cmocka_unit_test(damaged_contracts_are_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
