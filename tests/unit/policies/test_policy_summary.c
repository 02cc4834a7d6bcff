#include "policies/policy_summary.h"
#include "tests/unit/policies/fixture.h"

#define A     "11111111-2222-4333-8444-555555555555"
#define B     "22222222-2222-4333-8444-555555555555"
#define TOKEN "sha256:e18b5e53f72af866db11e3ad05e4054cb109d0a55191674df0cb1c438d88d31"

static struct policy *compile(const char *text)
{
    struct document document = fixture_document(text);
    struct problems problems = {0};
    struct policy *policy = policy_compile(&document, &problems);

    if (policy == NULL)
        fail_msg("%s: %s", text, problems.items[0].message);
    document_free(&document);
    problems_free(&problems);
    return policy;
}

static const char *const first_parts[] = {"audit",      "certificates", "grants", "organizations",
                                          "principals", "tokens",       NULL};
static const char *const other_parts[] = {"break_glass", "credentials", "observed", "people",
                                          "rate_limits", "rules",       "settings", NULL};
static const char *const oauth_parts[] = {"oauth", "subjects", NULL};

/* The numbers of these parts alone, each as "+gained-lost". */
static void write_short(const struct policy *before, const struct policy *now, const char *const *parts,
                        struct text *out)
{
    struct text summary = {0};

    policy_summary_write(before, now, &summary);
    assert_false(summary.failed);
    json_t *root = json_loadb(summary.data, summary.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    char *canonical = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(canonical, summary.data);
    for (size_t i = 0; parts[i] != NULL; i++) {
        json_t *part = json_object_get(root, parts[i]);
        text_add_format(out, "%s+%lld-%lld", i > 0 ? " " : "",
                        (long long)json_integer_value(json_object_get(part, "gained")),
                        (long long)json_integer_value(json_object_get(part, "lost")));
    }
    free(canonical);
    json_decref(root);
    text_free(&summary);
}

#define NOBODY "{'principals':{},'roles':{},'organizations':{}}"
#define ONE                                                                                                  \
    "{'principals':{'ci':{'tokens':['" TOKEN                                                                 \
    "0']}},'roles':{'r':['org.integration.read']},'organizations':{'" A                                      \
    "':{'grants':[{'principal':'ci','roles':['r']}]}}}"

struct row {
    const char *before, *now, *summary;
};

static void compare(const struct row *rows, size_t count, const char *const *parts)
{
    unsigned failed = 0;

    for (size_t i = 0; i < count; i++) {
        struct policy *before = rows[i].before != NULL ? compile(rows[i].before) : NULL;
        struct policy *now = compile(rows[i].now);
        struct text text = {0};

        write_short(before, now, parts, &text);
        fixture_expect(&failed, rows[i].now, text.data, rows[i].summary);
        text_free(&text);
        policy_free(before);
        policy_free(now);
    }
    assert_int_equal(failed, 0);
}

static void differences(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, NOBODY, "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {NULL, ONE, "+0-0 +0-0 +1-0 +1-0 +1-0 +1-0"},
        {ONE, ONE, "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {ONE, NOBODY, "+0-0 +0-0 +0-1 +0-1 +0-1 +0-1"},
        {NOBODY, ONE, "+0-0 +0-0 +1-0 +1-0 +1-0 +1-0"},
        /* another name for the same token */
        {ONE,
         "{'principals':{'cd':{'tokens':['" TOKEN
         "0']}},'roles':{'r':['org.integration.read']},'organizations':{'" A
         "':{'grants':[{'principal':'cd','roles':['r']}]}}}",
         "+0-0 +0-0 +1-1 +0-0 +1-1 +1-1"},
        /* the role's name and how permissions are spelt do not matter, what they allow does */
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN "0']}},'roles':{},'organizations':{'" A
         "':{'grants':[{'principal':'ci','permissions':['org.integration.read']}]}}}",
         "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN
         "0']}},'roles':{'r':['org.integration.read','org.integration.edit']},'organizations':{'" A
         "':{'grants':[{'principal':'ci','roles':['r']}]}}}",
         "+0-0 +0-0 +1-1 +0-0 +0-0 +0-0"},
        /* a denial more; another organisation; everywhere */
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN
         "0']}},'roles':{'r':['org.integration.read']},'organizations':{'" A
         "':{'grants':[{'principal':'ci','roles':['r']},{'principal':'ci','deny':['org.integration.delete']}]"
         "}}}",
         "+0-0 +0-0 +1-0 +0-0 +0-0 +0-0"},
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN
         "0']}},'roles':{'r':['org.integration.read']},'organizations':{'" B
         "':{'grants':[{'principal':'ci','roles':['r']}]}}}",
         "+0-0 +0-0 +1-1 +1-1 +0-0 +0-0"},
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN "0']}},'roles':{'r':['org.integration.read']},'"
         "organizations':{'*':{'grants':[{'principal':'ci','roles':"
         "['r']}]}}}",
         "+0-0 +0-0 +1-1 +0-1 +0-0 +0-0"},
        /* tokens and levels */
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN "1','" TOKEN
         "0']}},'roles':{'r':['org.integration.read']},'organizations':{'" A
         "':{'grants':[{'principal':'ci','roles':['r']}]}},'audit':{'levels':{'x':'none','y':'request'}}}",
         "+2-0 +0-0 +0-0 +0-0 +0-0 +1-0"},
        /* certificates, and whether one will do beside a token */
        {ONE,
         "{'principals':{'ci':{'tokens':['" TOKEN
         "0'],'certificates':['dns:ci'],'identity':'both'}},'roles':{'r':['org.integration.read']},"
         "'organizations':{'" A "':{'grants':[{'principal':'ci','roles':['r']}]}}}",
         "+0-0 +1-0 +0-0 +0-0 +0-0 +1-1"},
        {"{'principals':{'ci':{'tokens':['" TOKEN "0'],'certificates':['dns:ci'],'identity':'both'}}}",
         "{'principals':{'ci':{'tokens':['" TOKEN "0'],'certificates':['dns:CI'],'identity':'either'}}}",
         "+0-0 +1-1 +0-0 +0-0 +0-0 +1-1"},
        {"{'principals':{'ci':{'certificates':['dns:ci','uri:a:b']},'cd':{}}}",
         "{'principals':{'ci':{'certificates':['uri:a:b']},'cd':{'certificates':['dns:ci']}}}",
         "+0-0 +1-1 +0-0 +0-0 +0-0 +0-0"},
    };

    compare(rows, sizeof rows / sizeof *rows, first_parts);
}

#define WITH(principal, rest) "{'principals':{'ci':{" principal "},'a':{},'b':{}}" rest "}"

static void differences_beyond_who_may_what(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, WITH("", ""), "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        /* a limit that is new, another, gone; everybody's is each one's */
        {WITH("", ""), WITH("'rate_limit':{'requests':5,'seconds':9}", ""),
         "+0-0 +0-0 +0-0 +0-0 +1-0 +0-0 +0-0"},
        {WITH("'rate_limit':{'requests':5,'seconds':9}", ""),
         WITH("'rate_limit':{'requests':6,'seconds':9}", ""), "+0-0 +0-0 +0-0 +0-0 +1-1 +0-0 +0-0"},
        {WITH("'rate_limit':{'requests':5,'seconds':9}", ""),
         WITH("'rate_limit':{'requests':5,'seconds':8}", ""), "+0-0 +0-0 +0-0 +0-0 +1-1 +0-0 +0-0"},
        {WITH("'rate_limit':{'requests':5,'seconds':9}", ""), WITH("'rate_limit':null", ""),
         "+0-0 +0-0 +0-0 +0-0 +0-1 +0-0 +0-0"},
        {WITH("", ""), WITH("", ",'rate_limit':{'requests':5,'seconds':9}"),
         "+0-0 +0-0 +0-0 +0-0 +3-0 +0-0 +0-0"},
        {WITH("'rate_limit':{'requests':5,'seconds':9}", ""),
         WITH("", ",'rate_limit':{'requests':5,'seconds':9}"), "+0-0 +0-0 +0-0 +0-0 +2-0 +0-0 +0-0"},
        /* who may break the glass, and how often */
        {WITH("", ""), WITH("'break_glass':{'requests':1,'seconds':9}", ""),
         "+1-0 +0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("'break_glass':{'requests':1,'seconds':9}", ""),
         WITH("'break_glass':{'requests':2,'seconds':9}", ""), "+1-1 +0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        /* owners, who are people; their order does not matter */
        {WITH("", ""), WITH("'owners':['a']", ""), "+0-0 +0-0 +0-0 +1-1 +0-0 +0-0 +0-0"},
        {WITH("'owners':['a','b']", ""), WITH("'owners':['b','a']", ""),
         "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("'owners':['a']", ""), WITH("'owners':['b']", ""), "+0-0 +0-0 +0-0 +1-1 +0-0 +0-0 +0-0"},
        /* keys, of a principal, of an organisation, of reconciliation */
        {WITH("", ""), WITH("'upstream_token':{'env':'A'}", ""), "+0-0 +1-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("'upstream_token':{'env':'A'}", ""), WITH("'upstream_token':{'env':'B'}", ""),
         "+0-0 +1-1 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("'upstream_token':{'env':'A'}", ""), WITH("'upstream_token':{'file':'A'}", ""),
         "+0-0 +1-1 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("", ",'organizations':{'" A "':{'grants':[]}}"),
         WITH("", ",'organizations':{'" A "':{'grants':[],'upstream_token':{'env':'A'}}}"),
         "+0-0 +1-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("", ",'organizations':{'" A "':{'grants':[],'upstream_token':{'env':'A'}}}"), WITH("", ""),
         "+0-0 +0-1 +0-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("", ""), WITH("", ",'reconcile':{'upstream_token':{'env':'A'}}"),
         "+0-0 +1-0 +0-0 +0-0 +0-0 +0-0 +0-0"},
        /* what is said once */
        {WITH("", ""), WITH("", ",'api_versions':{'oldest':'2025-01-01'}"),
         "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0 +1-1"},
        {WITH("", ",'api_versions':{'oldest':'2025-01-01'}"),
         WITH("", ",'api_versions':{'stability':['ga']}"), "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0 +1-1"},
        {WITH("", ""), WITH("", ",'reconcile':{'settle_seconds':7}"), "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0 +1-1"},
        {WITH("", ""), WITH("", ",'audit':{'pre_image':true}"), "+0-0 +0-0 +0-0 +0-0 +0-0 +0-0 +1-1"},
        /* rules, by what they say */
        {WITH("", ""), WITH("", ",'rules':[{'id':'x','reason':'y','deny':true}]"),
         "+0-0 +0-0 +0-0 +0-0 +0-0 +1-0 +0-0"},
        {WITH("", ",'rules':[{'id':'x','reason':'y','deny':true}]"),
         WITH("", ",'rules':[{'id':'w','reason':'y','deny':true},{'deny':true,'reason':'y','id':'x'}]"),
         "+0-0 +0-0 +0-0 +0-0 +0-0 +1-0 +0-0"},
        {WITH("", ",'rules':[{'id':'x','reason':'y','deny':true}]"),
         WITH("", ",'rules':[{'id':'x','reason':'y','deny':true,'principals':['a']}]"),
         "+0-0 +0-0 +0-0 +0-0 +0-0 +1-1 +0-0"},
        /* where refusals are only observed: everywhere, or in one organisation of those that are listed */
        {WITH("", ""), WITH("", ",'enforcement':'observe'"), "+0-0 +0-0 +1-0 +0-0 +0-0 +0-0 +0-0"},
        {NULL, WITH("", ",'enforcement':'observe'"), "+0-0 +0-0 +1-0 +0-0 +0-0 +0-0 +0-0"},
        {WITH("", ",'organizations':{'" A "':{'grants':[],'enforcement':'observe'}}"),
         WITH("", ",'organizations':{'" A "':{'grants':[],'enforcement':'enforce'}}"),
         "+0-0 +0-0 +0-1 +0-0 +0-0 +0-0 +0-0"},
    };

    compare(rows, sizeof rows / sizeof *rows, other_parts);
}

#define ISSUER(more) ",'oauth':{'issuer':'https://i','audience':'g','keys':'k'" more "}"

static void differences_of_oauth(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, WITH("", ""), "+0-0 +0-0"},
        {NULL, WITH("'subjects':['x']", ISSUER("")), "+1-0 +1-0"},
        {WITH("'subjects':['x']", ISSUER("")), WITH("'subjects':['x']", ISSUER("")), "+0-0 +0-0"},
        {WITH("'subjects':['x']", ISSUER("")), WITH("", ""), "+0-1 +0-1"},
        {WITH("'subjects':['x']", ISSUER("")), WITH("'subjects':['y','x']", ISSUER("")), "+0-0 +1-0"},
        {WITH("'subjects':['x']", ISSUER("")), WITH("'subjects':['x']", ISSUER(",'claim':'azp'")),
         "+1-1 +0-0"},
        {"{'principals':{'ci':{'subjects':['x']},'cd':{}}" ISSUER("") "}",
         "{'principals':{'ci':{},'cd':{'subjects':['x']}}" ISSUER("") "}", "+0-0 +1-1"},
    };

    compare(rows, sizeof rows / sizeof *rows, oauth_parts);
}

/* Only so many are named; what a name holds cannot break the record. */
static void names_are_bounded(void **state)
{
    (void)state;
    struct text text = {0}, summary = {0};

    text_add_string(&text, "{'principals':{'\\u00fc\\\\x':{'tokens':[]}");
    for (int i = 0; i < 40; i++)
        text_add_format(&text, ",'p%02d':{'tokens':[]}", i);
    text_add_string(&text, "},'roles':{},'organizations':{}}");
    struct policy *policy = compile(text.data);
    policy_summary_write(NULL, policy, &summary);
    json_t *root = json_loads(summary.data, 0, NULL);
    json_t *principals = json_object_get(root, "principals");
    assert_int_equal(json_integer_value(json_object_get(principals, "gained")), 41);
    json_t *names = json_object_get(principals, "gained_names");
    assert_int_equal(json_array_size(names), SUMMARY_NAMES);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "\u00fc\\x");
    assert_string_equal(json_string_value(json_array_get(names, 1)), "p00");
    assert_int_equal(json_array_size(json_object_get(principals, "lost_names")), 0);
    json_decref(root);
    policy_free(policy);
    text_free(&summary);
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences),
        cmocka_unit_test(differences_beyond_who_may_what),
        cmocka_unit_test(differences_of_oauth),
        cmocka_unit_test(names_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
