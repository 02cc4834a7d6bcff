/* The judgement of a whole raw request, by the sample contract and the policy of the decision tables. What
 * passes is what the policy allows, and was judged in the spelling that is sent: judged again from what is
 * forwarded it passes again, and is forwarded as the same bytes. Then by the policy of the tables of rules:
 * facts that are not asked for change no answer, and none is asked for twice. */
#include "policies/decide.h"
#include "policies/uuid.h"
#include "proxy/http/header_view.h"
#include "proxy/wire/wire.h"
#include "tests/fuzz/fuzz.h"

static struct contract *contract;
static struct policy *policy, *ruled;
static struct pattern_scratch *scratch;
static const struct principal *principals[32]; /* of the policy */
static size_t principal_count;

static struct document load(const char *path)
{
    struct text text = fuzz_file(path);
    struct problems problems = {0};
    struct document document;

    FUZZ_CHECK(document_read(&document, path, fuzz_of(&text), &problems));
    text_free(&text);
    problems_free(&problems);
    return document;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct document contract_file = load("conf/integrations.openapi.json");
    struct document policy_file = load("tests/tables/decisions.policy.json");
    struct document ruled_file = load("tests/tables/decisions_rules.policy.json");
    struct problems problems = {0};
    const char *name;
    json_t *value;

    (void)argc, (void)argv;
    contract = contract_compile(&contract_file, &problems);
    policy = policy_compile(&policy_file, &problems);
    scratch = pattern_scratch_new();
    ruled = policy_compile(&ruled_file, &problems);
    FUZZ_CHECK(contract != NULL && policy != NULL && ruled != NULL && scratch != NULL);
    FUZZ_CHECK(policy_link(policy, contract, &policy_file, &problems));
    FUZZ_CHECK(policy_link(ruled, contract, &ruled_file, &problems));
    json_object_foreach (json_object_get(policy_file.root, "principals"), name, value) {
        FUZZ_CHECK(principal_count < sizeof principals / sizeof *principals);
        principals[principal_count++] = policy_principal_named(policy, span_of(name));
    }
    document_free(&contract_file);
    document_free(&policy_file);
    document_free(&ruled_file);
    problems_free(&problems);
    return 0;
}

/* What holds for every decision. */
static void check_decision(const struct decision *decision)
{
    bool passed = decision->verdict == VERDICT_PASS;

    FUZZ_CHECK(passed || decision->verdict == VERDICT_REFUSE);
    FUZZ_CHECK(decision->gate != NULL && decision->rule != NULL);
    FUZZ_CHECK(passed == (decision->refusal.code == NULL) && passed == (decision->refusal.errors == NULL));
    FUZZ_CHECK(passed == (decision->forward.data != NULL));
    FUZZ_CHECK(passed || (decision->refusal.status >= 400 && decision->refusal.status <= 599));
    for (const struct refusal_error *error = decision->refusal.errors; error != NULL; error = error->next)
        FUZZ_CHECK(error->detail != NULL && error->detail[0] != '\0');
    if (passed)
        FUZZ_CHECK(decision->principal != NULL && (decision->operation->effect != EFFECT_READ) ==
                                                      ((decision->obligations & OBLIGE_JOURNAL) != 0));
}

static bool is_lower(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != ascii_lower(text.data[i]))
            return false;
    return true;
}

/* Asked another way: may the principal do that there? */
static void check_allowed(const struct request *request, const struct decision *decision)
{
    const struct operation *operation = decision->operation;
    struct access access = policy_access(policy, decision->principal,
                                         policy_organization(policy, decision->organization), decision->now);

    FUZZ_CHECK(span_is(request->method, operation->method));
    FUZZ_CHECK((access.allowed & operation->permission) == operation->permission);
    FUZZ_CHECK(is_uuid(decision->organization) && is_lower(decision->organization));
    FUZZ_CHECK(decision->resource.length == 0 || is_lower(decision->resource));
    FUZZ_CHECK(memmem(decision->forward.data, decision->forward.length, decision->organization.data,
                      decision->organization.length) != NULL);
    FUZZ_CHECK(method_is_safe(request->method) == (operation->effect == EFFECT_READ));
}

static void check_fixed(const struct decide_input *input, const struct request *request,
                        const struct decision *decision)
{
    struct request forwarded = *request;
    struct arena arena;
    struct decision again;

    forwarded.target = decision->forward;
    forwarded.body = decision->content.data ? decision->content : SPAN("");
    forwarded.has_content = forwarded.body.length > 0;
    arena_init(&arena);
    decide(input, &forwarded, &arena, &again);
    FUZZ_CHECK(again.verdict == VERDICT_PASS && again.operation == decision->operation);
    FUZZ_CHECK(span_equal(again.forward, decision->forward) && span_equal(again.content, decision->content));
    FUZZ_CHECK(span_equal(again.organization, decision->organization) &&
               span_equal(again.resource, decision->resource) &&
               span_equal(again.version, decision->version));
    decision_free(&again);
    arena_reset(&arena);
}

static void judge(const struct request *request, const struct principal *assume)
{
    const struct decide_input input = {
        .contract = contract, .policy = policy, .scratch = scratch, .assume = assume};
    struct arena arena;
    struct decision decision;

    arena_init(&arena);
    decide(&input, request, &arena, &decision);
    check_decision(&decision);
    if (decision.verdict == VERDICT_PASS) {
        check_allowed(request, &decision);
        check_fixed(&input, request, &decision);
    }
    decision_free(&decision);
    arena_reset(&arena);
}

/* What could be learnt of an integration, or could not. */
static void make_facts(struct facts *facts, struct fuzz_dice *dice)
{
    static const char *const names[] = {"prod-a", "a", "prod-b", ""};

    *facts = (struct facts){.had = (unsigned)fuzz_throw(dice, 8) - 1};
    facts->failed = (FACT_INTEGRATION | FACT_SETTINGS | FACT_RADIUS) & ~facts->had;
    facts->attributes = json_pack("{s:s, s:i, s:i, s:s, s:i}", "profile_name", names[fuzz_throw(dice, 4) - 1],
                                  "x", (int)fuzz_throw(dice, 3), "which", (int)fuzz_throw(dice, 12) - 1, "i",
                                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "b", 3);
    facts->settings = json_pack("{s:b}", "container_app_scan_enabled", (int)fuzz_throw(dice, 2) - 1);
    facts->targets.state = fuzz_throw(dice, 2) == 1 ? FACT_NUMBER_KNOWN : FACT_NUMBER_UNKNOWN;
    facts->targets.value = fuzz_throw(dice, 20);
}

static void judge_by_rules(const struct request *request, struct fuzz_dice *dice)
{
    const struct decide_input input = {
        .contract = contract,
        .policy = ruled,
        .scratch = scratch,
        .assume = policy_principal_at(ruled, (uint32_t)fuzz_throw(dice, policy_principal_count(ruled)) - 1),
    };
    struct request known = *request;
    struct decision first, again;
    struct facts facts;
    struct arena arena;

    arena_init(&arena);
    make_facts(&facts, dice);
    known.facts = &facts;
    decide(&input, request, &arena, &first);
    decide(&input, &known, &arena, &again);
    FUZZ_CHECK(again.verdict != VERDICT_NEED);
    FUZZ_CHECK((first.verdict == VERDICT_NEED) == (first.needs != 0));
    if (first.verdict != VERDICT_NEED) {
        FUZZ_CHECK(first.verdict == again.verdict && first.obligations == again.obligations);
        FUZZ_CHECK(strcmp(first.gate, again.gate) == 0 && strcmp(first.rule, again.rule) == 0);
    }
    decision_free(&first);
    decision_free(&again);
    json_decref(facts.attributes);
    json_decref(facts.settings);
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_limits limits = {
        .header_bytes = 4000, .header_fields = 30, .target_bytes = 1000, .body_bytes = 4000};
    struct span bytes = fuzz_span(data, size), piece;
    struct fuzz_dice dice = fuzz_dice(bytes);
    struct text content = {0};
    struct request request = {.client = SPAN("127.0.0.1"), .now = 1795000000};
    struct arena arena;
    struct wire wire;
    size_t used = 0, header = 0;

    wire_begin(&wire, &limits);
    while (used < size && wire.state < WIRE_COMPLETE) {
        used += wire_read(&wire, (struct span){bytes.data + used, size - used}, &piece);
        header = header == 0 && wire_header_complete(&wire) ? used : header;
        if (piece.length > 0)
            text_add(&content, piece.data, piece.length);
    }
    arena_init(&arena);
    if (wire.state == WIRE_COMPLETE &&
        header_view((struct span){bytes.data, header}, wire_field_count(&wire), &arena, &request)) {
        request.body = fuzz_of(&content);
        request.has_content = wire_has_content(&wire);
        judge(&request, NULL);
        judge(&request, principals[fuzz_throw(&dice, principal_count) - 1]);
        judge_by_rules(&request, &dice);
    }
    arena_reset(&arena);
    text_free(&content);
    return 0;
}
