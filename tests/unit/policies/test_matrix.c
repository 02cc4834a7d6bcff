/* Cells of the matrix, and that they say what the judgement says. */
#include "policies/decide.h"
#include "policies/matrix.h"
#include "policies/organizations.h"
#include "tests/unit/policies/fixture.h"

#define A "11111111-2222-4333-8444-555555555555"
#define B "22222222-2222-4333-8444-555555555555"
#define X "99999999-2222-4333-8444-555555555555"

static const char source[] =
    "{'api_versions': {'stability': ['ga']},"
    " 'principals': {"
    "  'ann': {'tokens': ['sha256:e18b5e53f72af866db11e3ad05e4054cb109d0a55191674df0cb1c438d88d315']},"
    "  'bob': {'tokens': ['sha256:e18b5e53f72af866db11e3ad05e4054cb109d0a55191674df0cb1c438d88d316'],"
    "          'certificates': ['uri:spiffe://x/bob'], 'identity': 'either'},"
    "  'eve': {'certificates': ['uri:spiffe://x/eve']}},"
    " 'roles': {'viewer': ['org.integration.read'], 'editor': ['org.integration.read', "
    "'org.integration.edit']},"
    " 'organizations': {"
    "  '" A "': {'grants': [{'principal': 'ann', 'roles': ['viewer']},"
    "    {'principal': 'ann', 'permissions': ['org.integration.delete']},"
    "    {'principal': 'bob', 'roles': ['editor'], 'deny': ['org.integration.delete']}]},"
    "  '" B "': {'upstream_token': {'env': 'B'}, 'grants': [{'principal': 'eve', 'roles': ['viewer']},"
    "    {'principal': 'bob', 'roles': ['viewer']}, {'principal': 'ann', 'deny': ['org.integration.read']}]},"
    "  '*': {'grants': [{'principal': 'eve', 'roles': ['editor']},"
    "    {'principal': 'ann', 'permissions': ['org.integration.read']}]}}}";

struct world {
    struct contract *contract;
    struct policy *policy;
};

static int make(void **state)
{
    static struct world world;
    struct problems problems = {0};
    struct document policy = fixture_document(source), contract = {0};
    struct text text = fixture_file("conf/integrations.openapi.json");

    assert_true(document_read(&contract, "c", (struct span){text.data, text.length}, &problems));
    world.contract = contract_compile(&contract, &problems);
    world.policy = policy_compile(&policy, &problems);
    for (size_t i = 0; i < problems.count; i++)
        if (problems.items[i].severity == SEVERITY_ERROR)
            fail_msg("%s: %s", problems.items[i].pointer, problems.items[i].message);
    assert_non_null(world.contract);
    assert_non_null(world.policy);
    problems_free(&problems);
    document_free(&policy);
    document_free(&contract);
    text_free(&text);
    *state = &world;
    return 0;
}

static int drop(void **state)
{
    struct world *world = *state;

    policy_free(world->policy);
    contract_free(world->contract);
    return 0;
}

static const struct operation *operation_named(const struct world *world, const char *id)
{
    size_t count;
    const struct operation *operations = contract_operations(world->contract, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(operations[i].id, id) == 0)
            return &operations[i];
    fail_msg("no operation %s", id);
    return NULL;
}

/* "verdict rule" with "; what rule" for each condition. */
static void spell(const struct cell *cell, struct text *out)
{
    text_add_format(out, "%s %s", cell_verdict_name(cell->verdict), cell->rule);
    for (const struct cell_condition *at = cell->conditions; at != NULL; at = at->next)
        text_add_format(out, "; %s %s", at->what, at->rule);
}

static void cells(void **state)
{
    static const struct {
        const char *principal, *organization, *operation, *cell;
    } rows[] = {
        {"ann", A, "getIntegration", "allowed /organizations/" A "/grants/0"},
        {"ann", A, "deleteIntegration", "allowed /organizations/" A "/grants/1"},
        {"ann", A, "createIntegration", "denied not-granted"},
        {"ann", B, "getIntegration", "denied /organizations/" B "/grants/2"},
        {"ann", X, "getIntegration", "allowed /organizations/*/grants/1"},
        {"ann", NULL, "getIntegration", "allowed /organizations/*/grants/1"},
        {"bob", NULL, "getIntegration", "denied no-grant"},
        /* by a certificate alone it would have nothing to show */
        {"bob", A, "createIntegration", "conditional /organizations/" A "/grants/2; token "},
        {"bob", A, "deleteIntegration", "denied /organizations/" A "/grants/2"},
        {"bob", B, "getIntegration", "allowed /organizations/" B "/grants/1"},
        {"eve", B, "getIntegration", "allowed /organizations/" B "/grants/0"},
        {"eve", A, "getIntegration", "denied no-credential"},
        {"eve", NULL, "deleteIntegration", "denied no-credential"},
        {"eve", B, "deleteIntegration", "allowed /organizations/*/grants/0"},
    };
    struct world *world = *state;
    unsigned failed = 0;
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char id[UUID_BYTES];
        struct text text = {0};
        struct cell cell;

        assert_true(rows[i].organization == NULL || uuid_parse(span_of(rows[i].organization), id));
        struct cell_place place =
            cell_place(world->policy, policy_principal_named(world->policy, span_of(rows[i].principal)),
                       rows[i].organization ? id : NULL, 0);
        assert_true(cell_of(&place, operation_named(world, rows[i].operation), &arena, &cell));
        spell(&cell, &text);
        fixture_expect(&failed, rows[i].operation, text.data, rows[i].cell);
        text_free(&text);
        arena_reset(&arena);
    }
    assert_int_equal(failed, 0);
}

/* A request for the operation in the organisation that every gate but that of permission lets pass. */
static void make_target(const struct operation *operation, const char *organization, struct text *target)
{
    for (size_t i = 0; i < operation->segment_count; i++) {
        text_add_string(target, "/");
        if (operation->segments[i].literal.data != NULL)
            text_add(target, operation->segments[i].literal.data, operation->segments[i].literal.length);
        else
            text_add_string(target, (int)i == operation->organization ? organization : X);
    }
    text_add_string(target, "?version=2024-10-15");
}

/* Whatever a cell says, the gate of permission says to a request; it has the last word before the body's. */
static void agrees(void **state)
{
    static const char *const organizations[] = {A, B, X};
    struct world *world = *state;
    struct pattern_scratch *scratch = pattern_scratch_new();
    const struct field host = {span_of("Host"), span_of("localhost")};
    size_t count, passed = 0;
    const struct operation *operations = contract_operations(world->contract, &count);
    struct arena arena;

    arena_init(&arena);
    for (uint32_t p = 0; p < policy_principal_count(world->policy); p++)
        for (size_t o = 0; o < 3; o++)
            for (size_t i = 0; i < count; i++) {
                unsigned char id[UUID_BYTES];
                struct text target = {0};
                struct decision decision;
                struct cell cell;

                assert_true(uuid_parse(span_of(organizations[o]), id));
                struct cell_place place =
                    cell_place(world->policy, policy_principal_at(world->policy, p), id, 0);
                assert_true(cell_of(&place, &operations[i], &arena, &cell));
                make_target(&operations[i], organizations[o], &target);
                const struct request request = {.method = span_of(operations[i].method),
                                                .target = {target.data, target.length},
                                                .fields = &host,
                                                .field_count = 1};
                decide(&(struct decide_input){.contract = world->contract,
                                              .policy = world->policy,
                                              .scratch = scratch,
                                              .assume = place.principal},
                       &request, &arena, &decision);
                bool refused = decision.verdict == VERDICT_REFUSE && strcmp(decision.gate, "permission") == 0;
                if (refused)
                    assert_string_equal(decision.rule, cell.rule);
                assert_true(refused == (cell.verdict == CELL_DENIED));
                passed += !refused;
                decision_free(&decision);
                text_free(&target);
                arena_reset(&arena);
            }
    assert_true(passed > 10);
    pattern_scratch_free(scratch);
}

static void named_organizations(void **state)
{
    struct world *world = *state;
    struct organizations organizations;
    char text[UUID_TEXT_SIZE];

    assert_true(organizations_collect(world->policy, world->policy, &organizations));
    assert_int_equal(organizations.count, 2);
    uuid_spell(organizations.ids[0], text);
    assert_string_equal(text, A);
    uuid_spell(organizations.ids[1], text);
    assert_string_equal(text, B);
    organizations_free(&organizations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells),
        cmocka_unit_test(agrees),
        cmocka_unit_test(named_organizations),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
