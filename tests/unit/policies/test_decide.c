/* What a decision holds besides its verdict: content, obligations, credentials, meta, answer fields, and the
 * explanation. The verdicts themselves are in the decision tables. */
#include "policies/decide.h"
#include "policies/digest.h"
#include "policies/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ORG   "11111111-2222-4333-8444-555555555555"
#define OTHER "22222222-3333-4444-8555-666666666666"
#define ID    "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define UPPER "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE"
#define LIST  "/rest/orgs/" ORG "/integrations"
#define ONE   LIST "/" ID
#define V     "?version=2024-10-15"

static const char policy_source[] =
    "{\"principals\": {\"ann\": {\"tokens\": [\"%s\"], \"upstream_token\": {\"env\": \"ANN\"}}, \"bob\": "
    "{\"tokens\": [\"%s\"]}},"
    " \"organizations\": {"
    "  \"" ORG "\": {\"upstream_token\": {\"env\": \"ORG\"}, \"grants\": ["
    "    {\"principal\": \"ann\", \"permissions\": [\"org.integration.read\", \"org.integration.edit\"]},"
    "    {\"principal\": \"bob\", \"permissions\": [\"org.integration.read\", \"org.integration.edit\"],"
    "     \"deny\": [\"org.integration.delete\"]}]},"
    "  \"" OTHER
    "\": {\"grants\": [{\"principal\": \"bob\", \"permissions\": [\"org.integration.read\"]}]}}}";

struct world {
    struct decide_input input;
    struct contract *contract;
    struct policy *policy;
    struct pattern_scratch *scratch;
    struct arena arena;
    struct decision decision;
    struct field fields[4];
};

static void read_contract(struct text *text)
{
    char piece[4096];
    FILE *file = fopen("conf/integrations.openapi.json", "r");

    assert_non_null(file);
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        text_add(text, piece, length);
    (void)fclose(file);
}

static void write_policy(struct text *text)
{
    static const char *const secrets[] = {"ann-token", "bob-token"};
    char digests[2][DIGEST_TEXT_SIZE];
    unsigned char digest[DIGEST_SIZE];

    for (size_t i = 0; i < 2; i++) {
        digest_of(span_of(secrets[i]), digest);
        digest_write(digest, digests[i]);
    }
    text_add_format(text, policy_source, digests[0], digests[1]);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct text contract_text = {0}, policy_text = {0};
    struct document contract, policy;
    struct problems problems = {0};

    read_contract(&contract_text);
    write_policy(&policy_text);
    assert_true(
        document_read(&contract, "c", (struct span){contract_text.data, contract_text.length}, &problems));
    assert_true(document_read(&policy, "p", (struct span){policy_text.data, policy_text.length}, &problems));
    world->contract = contract_compile(&contract, &problems);
    world->policy = policy_compile(&policy, &problems);
    world->scratch = pattern_scratch_new();
    assert_true(world->contract && world->policy && world->scratch);
    world->input = (struct decide_input){
        .contract = world->contract, .policy = world->policy, .scratch = world->scratch};
    problems_free(&problems);
    document_free(&contract);
    document_free(&policy);
    text_free(&contract_text);
    text_free(&policy_text);
    arena_init(&world->arena);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    decision_free(&world->decision);
    arena_reset(&world->arena);
    contract_free(world->contract);
    policy_free(world->policy);
    pattern_scratch_free(world->scratch);
    free(world);
    return 0;
}

/* Judges a request of whom the Authorization value names (NULL: none), as a new decision. */
static const struct decision *judge(struct world *world, const char *authorization, const char *method,
                                    const char *target, const char *body)
{
    struct request request = {.method = span_of(method),
                              .target = span_of(target),
                              .fields = world->fields,
                              .body = span_of(body),
                              .has_content = body != NULL};

    decision_free(&world->decision);
    arena_reset(&world->arena);
    world->fields[request.field_count++] = (struct field){span_of("Host"), span_of("gate")};
    world->fields[request.field_count++] =
        (struct field){span_of("Content-Type"), span_of("application/vnd.api+json")};
    if (authorization != NULL)
        world->fields[request.field_count++] =
            (struct field){span_of("Authorization"), span_of(authorization)};
    decide(&world->input, &request, &world->arena, &world->decision);
    return &world->decision;
}

static void assert_span(struct span found, const char *expected)
{
    if (!span_is(found, expected))
        fail_msg("\"%.*s\" should be \"%s\"", (int)found.length, found.data ? found.data : "", expected);
}

static const char *member(const struct refusal_member *list, const char *name)
{
    for (; list != NULL; list = list->next)
        if (strcmp(list->name, name) == 0)
            return list->value;
    return NULL;
}

static void what_passes(void **state)
{
    struct world *world = *state;
    const struct decision *decision = judge(world, "Token ann-token", "GET", LIST "/" UPPER V, NULL);

    assert_int_equal(decision->verdict, VERDICT_PASS);
    assert_string_equal(decision->gate, "rules");
    assert_string_equal(decision->rule, "/organizations/" ORG "/grants/0");
    assert_string_equal(decision->principal->name, "ann");
    assert_string_equal(decision->operation->id, "getIntegration");
    assert_span(decision->organization, ORG);
    assert_span(decision->resource, ID);
    assert_span(decision->version, "2024-10-15");
    assert_span(decision->secret, "ann-token");
    assert_span(decision->forward, ONE V);
    assert_int_equal(decision->obligations, 0);
    assert_null(decision->body);
    assert_null(decision->content.data);
}

/* The bytes that are forwarded are ours: compact, members in the client's order, the id in the path's
 * spelling. */
static void content_is_written_anew(void **state)
{
    struct world *world = *state;
    const struct decision *decision = judge(world, "Token ann-token", "PATCH", ONE V,
                                            " {\n \"data\" : { \"type\":\"integration\", \"id\":\"" UPPER
                                            "\",\t\"attributes\":{\"profile_name\":\"\\u0061/B\"} } }\r\n");

    assert_int_equal(decision->verdict, VERDICT_REFUSE); /* a slash is not for profile names */
    decision = judge(world, "Token ann-token", "PATCH", ONE V,
                     " {\n \"data\" : { \"type\":\"integration\", \"id\":\"" UPPER
                     "\",\t\"attributes\":{\"profile_name\":\"\\u0061B\"} } }\r\n");
    assert_int_equal(decision->verdict, VERDICT_PASS);
    assert_span(decision->content, "{\"data\":{\"type\":\"integration\",\"id\":\"" ID
                                   "\",\"attributes\":{\"profile_name\":\"aB\"}}}");
    assert_int_equal(decision->obligations, OBLIGE_JOURNAL);
    assert_non_null(decision->body);
}

/* An invalid body is kept for the record of the refusal; one that is not JSON cannot be. */
static void refused_bodies(void **state)
{
    struct world *world = *state;

    assert_non_null(judge(world, "Token ann-token", "PATCH", ONE V, "{\"data\":{\"x\":1}}")->body);
    assert_null(world->decision.content.data);
    assert_null(judge(world, "Token ann-token", "PATCH", ONE V, "{\"data\":\n x}")->body);
    assert_non_null(strstr(world->decision.refusal.errors->detail, "line 2, column"));
}

static const char *credential_name(const struct world *world)
{
    size_t count;
    const struct credential_source *sources = policy_credentials(world->policy, &count);

    return world->decision.credential == CREDENTIAL_OWN ? "own" : sources[world->decision.credential].name;
}

/* The principal's own credential goes before the organisation's, and that before the client's token. */
static void credentials(void **state)
{
    struct world *world = *state;

    judge(world, "Token ann-token", "GET", ONE V, NULL);
    assert_string_equal(credential_name(world), "ANN");
    judge(world, "Token bob-token", "GET", ONE V, NULL);
    assert_string_equal(credential_name(world), "ORG");
    judge(world, "Token bob-token", "GET", "/rest/orgs/" OTHER "/integrations" V, NULL);
    assert_string_equal(credential_name(world), "own");
    judge(world, "Token bob-token", "DELETE", ONE V, NULL);
    assert_int_equal(world->decision.credential, CREDENTIAL_OWN);
}

static void answer_fields(void **state)
{
    struct world *world = *state;

    judge(world, "Token ann-token", "HEAD", ONE V, NULL);
    assert_string_equal(member(world->decision.refusal.fields, "Allow"), "GET, PATCH, DELETE");
    judge(world, NULL, "GET", ONE V, NULL);
    assert_string_equal(member(world->decision.refusal.fields, "WWW-Authenticate"),
                        "Token realm=\"portcullis\", Bearer realm=\"portcullis\"");
    judge(world, "Token ann-token", "GET", "/v1/orgs" V, NULL);
    assert_null(world->decision.refusal.fields);
    assert_non_null(strstr(world->decision.refusal.errors->detail, "begin with /rest."));
}

/* A 403 names what is missing, where, for whom, and the rule that denies. */
static void forbidden(void **state)
{
    struct world *world = *state;
    const struct refusal *refusal = &world->decision.refusal;

    judge(world, "Token bob-token", "DELETE", ONE V, NULL);
    assert_int_equal(refusal->status, 403);
    assert_string_equal(member(refusal->meta, "permission"), "org.integration.delete");
    assert_string_equal(member(refusal->meta, "organization"), ORG);
    assert_string_equal(member(refusal->meta, "principal"), "bob");
    assert_string_equal(refusal->errors->detail,
                        "org.integration.delete is denied to \"bob\" in the organization " ORG
                        " by the policy's /organizations/" ORG "/grants/1.");
    judge(world, "Token bob-token", "DELETE", "/rest/orgs/" OTHER "/integrations/" ID V, NULL);
    assert_string_equal(refusal->errors->detail,
                        "\"bob\" does not have org.integration.delete in the organization " OTHER ".");
    judge(world, "Token ann-token", "GET", "/rest/orgs/" OTHER "/integrations/" ID V, NULL);
    assert_string_equal(refusal->errors->detail, "\"ann\" has no grant in the organization " OTHER
                                                 "; org.integration.read is needed.");
}

/* The principal is known from the first gate on, so that every refusal can name it; a wrong token names
 * nobody. */
static void identity(void **state)
{
    struct world *world = *state;

    judge(world, "Token ann-token", "GET", "/rest//orgs", NULL);
    assert_string_equal(world->decision.gate, "spelling");
    assert_string_equal(world->decision.principal->name, "ann");
    judge(world, "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "GET", ONE V, NULL);
    assert_non_null(strstr(world->decision.refusal.errors->detail, "OAuth"));
    judge(world, "Bearer nothing", "GET", ONE V, NULL);
    assert_null(strstr(world->decision.refusal.errors->detail, "OAuth"));
    assert_null(world->decision.principal);
    assert_span(world->decision.secret, "nothing");
    judge(world, "Token", "GET", ONE V, NULL);
    assert_null(world->decision.secret.data);
    judge(world, "bearer  bob-token", "GET", ONE V, NULL);
    assert_string_equal(world->decision.principal->name, "bob");
    assert_int_equal(world->decision.identity, IDENTITY_TOKEN);
    assert_span(world->decision.secret, "bob-token");
    judge(world, NULL, "GET", ONE V, NULL);
    assert_null(world->decision.principal);
    assert_int_equal(world->decision.identity, IDENTITY_NONE);
}

static void assumed_principal(void **state)
{
    struct world *world = *state;

    world->input.assume = policy_principal_named(world->policy, span_of("bob"));
    judge(world, NULL, "GET", ONE V, NULL);
    assert_int_equal(world->decision.verdict, VERDICT_PASS);
    judge(world, NULL, "DELETE", ONE V, NULL);
    assert_int_equal(world->decision.refusal.status, 403);
    judge(world, "Token ann-token", "DELETE", ONE V, NULL);
    assert_int_equal(world->decision.refusal.status, 403);
    world->input.assume = NULL;
}

static void versions_say_what_is_allowed(void **state)
{
    struct world *world = *state;

    judge(world, "Token ann-token", "GET", ONE, NULL);
    assert_string_equal(world->decision.refusal.errors->detail,
                        "The request names no API version: add the query parameter \"version\". "
                        "Allowed: YYYY-MM-DD, YYYY-MM-DD~beta, beta.");
}

#define REPORTS 16

static void reports(void **state)
{
    static const char *const names[] = {"spelling",   "operation",  "identity", "version",
                                        "parameters", "permission", "body",     "rules"};
    struct world *world = *state;
    struct gate_report report[REPORTS];

    judge(world, "Token bob-token", "DELETE", ONE V, NULL);
    size_t count = decide_report(&world->input, &world->decision, report, REPORTS);
    assert_int_equal(count, sizeof names / sizeof *names);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(report[i].gate, names[i]);
        assert_int_equal(report[i].state, i < 5 ? GATE_PASSED : i == 5 ? GATE_REFUSED : GATE_NOT_REACHED);
        assert_true((report[i].looked_at[0] != '\0') == (i < 6));
        assert_null(strstr(report[i].looked_at, "token bob"));
        assert_null(strstr(report[i].looked_at, "bob-token"));
    }
    assert_string_equal(report[0].looked_at, "path " ONE "; query parameters: 1");
    assert_string_equal(report[1].looked_at,
                        "deleteIntegration: DELETE /rest/orgs/{org_id}/integrations/{integration_id}");
    assert_string_equal(report[2].looked_at, "principal bob, by its token");
    assert_string_equal(report[5].looked_at, world->decision.refusal.errors->detail);
    assert_int_equal(decide_report(&world->input, &world->decision, report, 2), count);

    judge(world, "Token ann-token", "DELETE", ONE V, NULL);
    count = decide_report(&world->input, &world->decision, report, REPORTS);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(report[i].state, GATE_PASSED);
    assert_string_equal(report[5].looked_at,
                        "org.integration.delete is granted by /organizations/" ORG "/grants/0");
    assert_string_equal(report[6].looked_at, "none, as the contract has it");
    assert_string_equal(report[7].looked_at, "none is about this operation");
}

static void safe_methods(void **state)
{
    (void)state;
    assert_true(method_is_safe(span_of("GET")) && method_is_safe(span_of("HEAD")));
    assert_true(method_is_safe(span_of("OPTIONS")) && method_is_safe(span_of("TRACE")));
    assert_false(method_is_safe(span_of("DELETE")) || method_is_safe(span_of("get")) ||
                 method_is_safe(span_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes),
        cmocka_unit_test(content_is_written_anew),
        cmocka_unit_test(refused_bodies),
        cmocka_unit_test(credentials),
        cmocka_unit_test(answer_fields),
        cmocka_unit_test(forbidden),
        cmocka_unit_test(identity),
        cmocka_unit_test(assumed_principal),
        cmocka_unit_test(versions_say_what_is_allowed),
        cmocka_unit_test(reports),
        cmocka_unit_test(safe_methods),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
