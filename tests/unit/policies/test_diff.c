/* What is told of two policies: each kind of change, by its sense, and nothing where nothing differs. That no
 * change of the judgement goes untold is for the property tests. */
#include "policies/diff.h"
#include "policies/diff_internal.h"
#include "tests/unit/policies/fixture.h"

#define A     "11111111-2222-4333-8444-555555555555"
#define DIGIT "sha256:e18b5e53f72af866db11e3ad05e4054cb109d0a55191674df0cb1c438d88d31"

/* A policy: one principal that may edit in one organisation, and what else stands in it. */
#define POLICY(principals, grants, members)                                                                  \
    "{'principals':{'ci':{'tokens':['" DIGIT "0']}" principals "},'roles':{},'organizations':{'" A           \
    "':{'grants':[{'principal':'ci','permissions':['org.integration.edit']}" grants "]}}" members "}"
#define RULES(rules) POLICY("", "", ",'rules':[" rules "]")
#define DENY(id, within)                                                                                     \
    "{'id':'" id "','reason':'r','operations':['updateIntegration'],"                                        \
    "'when':[{'at':'/client','within':['" within "']}],'deny':true}"
#define BUDGET(requests)                                                                                     \
    "{'id':'b','reason':'r','operations':['updateIntegration'],"                                             \
    "'budget':{'requests':" requests ",'seconds':60,'each':'principal'}}"

static const struct {
    const char *old, *new, *told; /* "sense what subject", a line each */
} cases[] = {
    {POLICY("", "", ""), POLICY("", "", ""), ""},
    {POLICY("", "", ""), POLICY("", "", ",'description':'other words'"), ""},
    {POLICY("", "", ""), POLICY("", ",{'principal':'ci','permissions':['org.integration.read']}", ""),
     "gained cell ci in " A ": listIntegrations\n"
     "gained cell ci in " A ": getIntegration\n"
     "gained cell ci in " A ": getIntegrationSettings\n"},
    {POLICY("", ",{'principal':'ci','permissions':['org.integration.read']}", ""), POLICY("", "", ""),
     "lost cell ci in " A ": listIntegrations\n"
     "lost cell ci in " A ": getIntegration\n"
     "lost cell ci in " A ": getIntegrationSettings\n"},
    {POLICY("", "", ""),
     POLICY("",
            ",{'principal':'ci','permissions':['org.integration.read'],'not_before':'2027-01-01T00:00:00Z',"
            "'not_after':'2027-01-02T00:00:00Z'}",
            ""),
     "gained cell ci in " A ": listIntegrations, from 2027-01-01T00:00:00Z\n"
     "gained cell ci in " A ": getIntegration, from 2027-01-01T00:00:00Z\n"
     "gained cell ci in " A ": getIntegrationSettings, from 2027-01-01T00:00:00Z\n"},
    {POLICY("", "", ""), POLICY(",'cd':{'tokens':['" DIGIT "1']}", "", ""),
     "changed principal cd\ngained token cd\n"},
    {POLICY("", "", ""), RULES(DENY("d", "10.0.0.0/8")),
     "changed rule d\nlost cell ci in " A ": updateIntegration\n"},
    {RULES(DENY("d", "10.0.0.0/8")), POLICY("", "", ""),
     "changed rule d\ngained cell ci in " A ": updateIntegration\n"},
    {RULES(DENY("d", "10.0.0.0/8")), RULES(DENY("d", "10.0.0.0/16")),
     "changed rule d\nmay-be-gained cell ci in " A ": updateIntegration\n"},
    {RULES(DENY("d", "10.0.0.0/16")), RULES(DENY("d", "10.0.0.0/8")),
     "changed rule d\nlost cell ci in " A ": updateIntegration\n"},
    {RULES(DENY("a", "10.1.0.0/16") "," DENY("b", "10.2.0.0/16") "," DENY("c", "10.3.0.0/16")),
     RULES(DENY("c", "10.3.0.0/16") "," DENY("a", "10.1.0.0/16") "," DENY("b", "10.2.0.0/16")),
     "changed rule c\n"},
    {RULES(DENY("a", "10.1.0.0/16") "," DENY("b", "10.2.0.0/16")),
     RULES(DENY("n", "10.1.0.0/16") "," DENY("a", "10.1.0.0/16") "," DENY("b", "10.2.0.0/16")),
     "changed rule n\n"},
    {RULES(BUDGET("5")), RULES(BUDGET("9")),
     "changed rule b\nmay-be-gained cell ci in " A ": updateIntegration\n"},
    {RULES(BUDGET("9")), RULES(BUDGET("5")), "changed rule b\nlost cell ci in " A ": updateIntegration\n"},
    {POLICY("", ",{'principal':'ci','permissions':['org.integration.read']}", ""),
     POLICY("", ",{'principal':'ci','permissions':['org.integration.read']}", ",'enforcement':'observe'"),
     "gained enforcement *\n"
     "gained cell ci in *: listIntegrations\ngained cell ci in *: createIntegration\n"
     "gained cell ci in *: getIntegration\ngained cell ci in *: updateIntegration\n"
     "gained cell ci in *: deleteIntegration\ngained cell ci in *: getIntegrationSettings\n"
     "gained cell ci in *: updateIntegrationSettings\n"},
};

static void tell(void *arg, const struct change *change)
{
    text_add_format(arg, "%s %s %s\n", change_sense_name(change->sense), change->what, change->subject);
}

static struct document contract_document(void)
{
    struct problems problems = {0};
    struct document document = {0};
    struct text text = fixture_file("conf/integrations.openapi.json");

    assert_true(document_read(&document, "c", (struct span){text.data, text.length}, &problems));
    text_free(&text);
    return document;
}

static struct diff_side side_of(const char *source, const struct contract *contract,
                                const struct document *contract_document, struct document *document)
{
    struct problems problems = {0};

    *document = fixture_document(source);
    struct policy *policy = policy_compile(document, &problems);
    if (policy == NULL || !policy_link(policy, contract, document, &problems))
        fail_msg("%s: %s %s", source, problems.items[0].pointer, problems.items[0].message);
    problems_free(&problems);
    return (struct diff_side){policy, contract, document, contract_document, NULL};
}

static void changes_are_told_by_their_sense(void **state)
{
    struct problems problems = {0};
    struct document contract_source = contract_document();
    struct contract *contract = contract_compile(&contract_source, &problems);
    unsigned failed = 0;

    (void)state;
    assert_non_null(contract);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct document documents[2];
        struct diff_side old = side_of(cases[i].old, contract, &contract_source, &documents[0]);
        struct diff_side new = side_of(cases[i].new, contract, &contract_source, &documents[1]);
        struct text told = {0};

        text_add(&told, "", 0);
        assert_true(policy_diff(&old, &new, tell, &told));
        fixture_expect(&failed, cases[i].new, told.data, cases[i].told);
        text_free(&told);
        policy_free((struct policy *)(uintptr_t)old.policy);
        policy_free((struct policy *)(uintptr_t) new.policy);
        document_free(&documents[0]);
        document_free(&documents[1]);
    }
    contract_free(contract);
    document_free(&contract_source);
    problems_free(&problems);
    assert_int_equal(failed, 0);
}

static size_t count_moved(const bool *moved, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += moved[i];
    return sum;
}

/* As many as have to be, and the others are in order: held against every order of seven. */
static void the_fewest_are_moved(void **state)
{
    enum { COUNT = 7, ORDERS = 5040 };
    (void)state;

    for (unsigned order = 0; order < ORDERS; order++) {
        uint32_t places[COUNT], left[COUNT] = {0, 1, 2, 3, 4, 5, 6}, last = 0;
        bool moved[COUNT];
        unsigned number = order, longest = 0;

        for (unsigned i = 0; i < COUNT; i++) {
            unsigned pick = number % (COUNT - i);
            number /= COUNT - i;
            places[i] = left[pick] * 3;
            for (unsigned j = pick; j + 1 < COUNT - i; j++)
                left[j] = left[j + 1];
        }
        assert_true(diff_moved(places, COUNT, moved));
        for (unsigned i = 0; i < COUNT; i++)
            if (!moved[i]) {
                assert_true(places[i] >= last);
                last = places[i];
            }
        for (unsigned set = 0; set < 1u << COUNT; set++) {
            unsigned count = 0;
            int64_t before = -1;
            for (unsigned i = 0; i < COUNT; i++)
                if ((set >> i & 1) != 0) {
                    count = (int64_t)places[i] > before ? count + 1 : 0;
                    before = (int64_t)places[i] > before ? (int64_t)places[i] : INT64_MAX;
                }
            longest = before != INT64_MAX && count > longest ? count : longest;
        }
        assert_int_equal(COUNT - count_moved(moved, COUNT), longest);
    }
    assert_true(diff_moved(NULL, 0, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_by_their_sense),
        cmocka_unit_test(the_fewest_are_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
