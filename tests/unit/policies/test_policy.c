/* What `check` says about broken policies: each case is a policy (' stands for ") and all lines that must be
 * said. */
#include "policies/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define A   "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B   "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ORG "11111111-2222-4333-8444-555555555555"

/* A whole policy around its organisations, for cases about grants: line 4 is where they begin. */
#define WITH_GRANTS(organizations)                                                                           \
    "{'principals': {'ann': {'tokens': ['" A "']}},\n"                                                       \
    " 'roles': {'viewer': ['org.integration.read'], 'editor': ['org.integration.edit']},\n"                  \
    " 'organizations': {'" ORG                                                                               \
    "': {'grants': [{'principal': 'ann', 'roles': ['viewer', 'editor']}]},\n" organizations "}}"

#define OTHER "22222222-3333-4444-8555-666666666666"

/* The policy compiles, and nothing but these lines is said. */
#define FINE   true
#define BROKEN false

static const struct broken_policy {
    const char *policy;
    bool compiles;
    const char *lines; /* each line as problems_write writes it */
} cases[] = {
    {"{}", FINE, ""},
    {WITH_GRANTS(""), BROKEN, "p:4:1: error: a member name in quotes, or '}', was expected\n"},
    {WITH_GRANTS("'*': {}"), FINE, ""},
    {"{'$schema': 'x', 'description': 'y', 'api_versions': {}, 'principals': {}, 'roles': {}, "
     "'organizations': {}}",
     FINE, ""},
    {"{'$schema': 1, 'description': []}", BROKEN,
     "p:1:16: error: must be a string (/description)\n"
     "p:1:2: error: must be a string (/$schema)\n"},

    /* unknown members, everywhere */
    {"{'principal': {}}", BROKEN,
     "p:1:2: error: unknown member \"principal\"; did you mean \"principals\"? (/principal)\n"},
    {"{'api_versions': {'patern': 'x'}}", BROKEN,
     "p:1:19: error: unknown member \"patern\"; did you mean \"pattern\"? (/api_versions/patern)\n"},
    {"{'principals': {'ann': {\n'token': []}}}", BROKEN,
     "p:2:1: error: unknown member \"token\"; did you mean \"tokens\"? (/principals/ann/token)\n"
     "p:1:17: warning: has no tokens: this principal can never come in [unreachable-principal] "
     "(/principals/ann)\n"
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] "
     "(/principals/ann)\n"},
    {WITH_GRANTS("'*': {'grant': []}"), BROKEN,
     "p:4:7: error: unknown member \"grant\"; did you mean \"grants\"? (/organizations/*/grant)\n"},
    {WITH_GRANTS("'*': {'grants': [{'principal': 'ann', 'role': [], 'roles': ['viewer']}]}"), BROKEN,
     "p:4:39: error: unknown member \"role\"; did you mean \"roles\"? (/organizations/*/grants/0/role)\n"},
    {WITH_GRANTS("'*': {'upstream_token': {'evn': 'A'}}"), BROKEN,
     "p:4:26: error: unknown member \"evn\"; did you mean \"env\"? (/organizations/*/upstream_token/evn)\n"
     "p:4:7: error: needs one of {\"env\": NAME} and {\"file\": PATH}, and not both "
     "(/organizations/*/upstream_token)\n"},

    /* types */
    {"{'api_versions': [], 'principals': [], 'roles': 'x', 'organizations': 1}", BROKEN,
     "p:1:2: error: must be an object (/api_versions)\n"
     "p:1:22: error: must be an object (/principals)\n"
     "p:1:40: error: must be an object (/roles)\n"
     "p:1:54: error: must be an object (/organizations)\n"},
    {WITH_GRANTS("'*': {'name': 1, 'grants': {}}, '" OTHER "': []"), BROKEN,
     "p:4:7: error: must be a string (/organizations/*/name)\n"
     "p:4:18: error: must be an array (/organizations/*/grants)\n"
     "p:4:33: error: must be an object (/organizations/" OTHER ")\n"},
    {WITH_GRANTS("'*': {'grants': [1, {'principal': 1, 'roles': 'viewer', 'deny': [1]}]}"), BROKEN,
     "p:4:18: error: must be an object (/organizations/*/grants/0)\n"
     "p:4:22: error: must be a string (/organizations/*/grants/1/principal)\n"
     "p:4:38: error: must be an array (/organizations/*/grants/1/roles)\n"
     "p:4:66: error: must be a string (/organizations/*/grants/1/deny/0)\n"},

    /* versions */
    {"{'api_versions': {'oldest': '2024-02-30', 'newest': 20241015, 'calendar': 'yes'}}", BROKEN,
     "p:1:19: error: is not a date of the calendar (\"YYYY-MM-DD\") (/api_versions/oldest)\n"
     "p:1:43: error: must be a date (\"YYYY-MM-DD\") or null (/api_versions/newest)\n"
     "p:1:63: error: must be true or false (/api_versions/calendar)\n"},
    {"{'api_versions': {'oldest': '2025-01-02', 'newest': '2025-01-01'}}", BROKEN,
     "p:1:43: error: is before \"oldest\": no version can pass (/api_versions/newest)\n"},
    {"{'api_versions': {'oldest': '2025-01-01', 'newest': '2025-01-01'}}", FINE, ""},
    {"{'api_versions': {'oldest': null, 'newest': null}}", FINE, ""},
    {"{'api_versions': {'pattern': '^(beta'}}", BROKEN,
     "p:1:19: error: the pattern does not compile: missing closing parenthesis at offset 6 of the pattern "
     "(/api_versions/pattern)\n"},
    {"{'api_versions': {'stability': ['ga', 'betta', 1]}}", BROKEN,
     "p:1:39: error: unknown stability \"betta\"; did you mean \"beta\"? (/api_versions/stability/1)\n"
     "p:1:48: error: must be a string (/api_versions/stability/2)\n"},
    {"{'api_versions': {'stability': []}}", BROKEN,
     "p:1:19: error: allows no version at all: name one stability at least (/api_versions/stability)\n"},
    {"{'api_versions': {'headers': ['A B', 'Authorization', '', 'Connection', 'Portcullis-Version', "
     "'X-Forwarded-For']}}",
     BROKEN,
     "p:1:31: error: is not the name of a header field (/api_versions/headers/0)\n"
     "p:1:38: error: the gate has another use for the header field \"Authorization\" "
     "(/api_versions/headers/1)\n"
     "p:1:55: error: is not the name of a header field (/api_versions/headers/2)\n"
     "p:1:59: error: the gate has another use for the header field \"Connection\" (/api_versions/headers/3)\n"
     "p:1:73: error: the gate has another use for the header field \"Portcullis-Version\" "
     "(/api_versions/headers/4)\n"
     "p:1:95: error: the gate has another use for the header field \"X-Forwarded-For\" "
     "(/api_versions/headers/5)\n"},
    {"{'api_versions': {'headers': ['snyk-version', 'Api-Version']}}", FINE, ""},
    {"{'api_versions': {'headers': []}}", FINE, ""},

    /* principals */
    {"{'principals': {'ann': {'tokens': ['a-real-secret', '" A "0', 'sha256:" ORG "']}}}", BROKEN,
     "p:1:36: error: is not \"sha256:\" and 64 hex digits; `portcullis token` prints the digest of a secret "
     "(/principals/ann/tokens/0)\n"
     "p:1:53: error: is not \"sha256:\" and 64 hex digits; `portcullis token` prints the digest of a secret "
     "(/principals/ann/tokens/1)\n"
     "p:1:129: error: is not \"sha256:\" and 64 hex digits; `portcullis token` prints the digest of a secret "
     "(/principals/ann/tokens/2)\n"
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] "
     "(/principals/ann)\n"},
    {"{'principals': {'ann': {'tokens': ['" A "']},\n 'bob': {'tokens': ['" B "', '" A "', '" B "']}}}",
     BROKEN,
     "p:2:96: error: the digest sha256:aaaaaaaa… names the principal \"ann\" already "
     "(/principals/bob/tokens/1)\n"
     "p:2:171: warning: the digest sha256:bbbbbbbb… stands here twice (/principals/bob/tokens/2)\n"
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] (/principals/ann)\n"
     "p:2:2: warning: has no grant: all that it asks will be refused [unused-principal] (/principals/bob)\n"},
    {"{'principals': {'ann': {'tokens': []}, '': {'tokens': 'x'}, 'a\\u0007': 1}}", BROKEN,
     "p:1:25: warning: has no tokens: this principal can never come in [unreachable-principal] "
     "(/principals/ann/tokens)\n"
     "p:1:40: error: a principal's name has 1 to 128 bytes and no control characters (/principals/)\n"
     "p:1:45: error: must be an array (/principals//tokens)\n"
     "p:1:61: error: a principal's name has 1 to 128 bytes and no control characters (/principals/a?)\n"
     "p:1:61: error: must be an object (/principals/a?)\n"
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] (/principals/ann)\n"
     "p:1:40: warning: has no grant: all that it asks will be refused [unused-principal] (/principals/)\n"
     "p:1:61: warning: has no grant: all that it asks will be refused [unused-principal] (/principals/a?)\n"},
    {"{'principals': {'ann': {'tokens': ['" A "'], 'upstream_token': {'env': 'A', 'file': 'b'}}}}", BROKEN,
     "p:1:112: error: needs one of {\"env\": NAME} and {\"file\": PATH}, and not both "
     "(/principals/ann/upstream_token)\n"
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] "
     "(/principals/ann)\n"},
    {WITH_GRANTS("'*': {'upstream_token': {'env': '1A'}}, '" OTHER "': {'upstream_token': {'file': ''}}"),
     BROKEN,
     "p:4:26: error: is not the name of an environment variable (/organizations/*/upstream_token/env)\n"
     "p:4:101: error: the path of a file is empty (/organizations/" OTHER "/upstream_token/file)\n"},
    {WITH_GRANTS("'*': {'upstream_token': 'secret'}, '" OTHER "': {'upstream_token': {'env': 2}}"), BROKEN,
     "p:4:7: error: must be an object (/organizations/*/upstream_token)\n"
     "p:4:96: error: must be a string (/organizations/" OTHER "/upstream_token/env)\n"},

    /* roles */
    {"{'roles': {'a': ['org.integration.raed'], 'b': [], 'c': 1, 'd': [2], 'e': ['org.integration.read']}}",
     BROKEN,
     "p:1:18: error: unknown permission \"org.integration.raed\"; did you mean \"org.integration.read\"? "
     "(/roles/a/0)\n"
     "p:1:43: warning: gives no permission (/roles/b)\n"
     "p:1:52: error: must be an array (/roles/c)\n"
     "p:1:66: error: must be a string (/roles/d/0)\n"
     "p:1:12: warning: no grant gives this role [unused-role] (/roles/a)\n"
     "p:1:43: warning: no grant gives this role [unused-role] (/roles/b)\n"
     "p:1:52: warning: no grant gives this role [unused-role] (/roles/c)\n"
     "p:1:60: warning: no grant gives this role [unused-role] (/roles/d)\n"
     "p:1:70: warning: no grant gives this role [unused-role] (/roles/e)\n"},

    /* organisations and grants */
    {WITH_GRANTS("'payments': {}"), BROKEN,
     "p:4:1: error: \"payments\" is neither a UUID nor \"*\" (/organizations/payments)\n"},
    {WITH_GRANTS("'AAAAAAAA-3333-4444-8555-666666666666': {}"), FINE,
     "p:4:1: warning: UUIDs are spelled in lower case: aaaaaaaa-3333-4444-8555-666666666666 "
     "(/organizations/AAAAAAAA-3333-4444-8555-666666666666)\n"},
    {WITH_GRANTS("'aaaaaaaa-3333-4444-8555-666666666666': {}, 'AAAAAAAA-3333-4444-8555-666666666666': {}"),
     BROKEN,
     "p:4:45: error: the organization aaaaaaaa-3333-4444-8555-666666666666 is here already, in another "
     "spelling "
     "(/organizations/AAAAAAAA-3333-4444-8555-666666666666)\n"},
    {WITH_GRANTS("'" OTHER "': {'grants': [{'principal': 'anne', 'roles': ['viewers']},\n"
                 "{'principal': 'zed', 'permissions': ['org.integration.write'], 'deny': "
                 "['org.integration.edits']}]}"),
     BROKEN,
     "p:4:54: error: unknown principal \"anne\"; did you mean \"ann\"? (/organizations/" OTHER
     "/grants/0/principal)\n"
     "p:4:85: error: unknown role \"viewers\"; did you mean \"viewer\"? (/organizations/" OTHER
     "/grants/0/roles/0)\n"
     "p:5:2: error: unknown principal \"zed\" (/organizations/" OTHER "/grants/1/principal)\n"
     "p:5:38: error: unknown permission \"org.integration.write\"; did you mean \"org.integration.edit\"? "
     "(/organizations/" OTHER "/grants/1/permissions/0)\n"
     "p:5:73: error: unknown permission \"org.integration.edits\"; did you mean \"org.integration.edit\"? "
     "(/organizations/" OTHER "/grants/1/deny/0)\n"},
    {WITH_GRANTS(
         "'" OTHER
         "': {'grants': [{'principal': 'ann'}, {'roles': ['viewer']}, {'principal': 'ann', 'deny': []}]}"),
     BROKEN,
     "p:4:53: error: has nothing in it: name roles, permissions or what to deny (/organizations/" OTHER
     "/grants/0)\n"
     "p:4:75: error: names no principal (/organizations/" OTHER "/grants/1)\n"
     "p:4:98: error: has nothing in it: name roles, permissions or what to deny (/organizations/" OTHER
     "/grants/2)\n"},
    {WITH_GRANTS("'*': {'grants': [{'principal': 'ann', 'roles': ['viewer']},\n"
                 "{'principal': 'ann', 'permissions': ['org.integration.delete']},\n{'principal': 'ann', "
                 "'roles': ['editor']}]}"),
     FINE,
     "p:5:1: warning: lets \"ann\" change integrations (org.integration.delete) in every organization "
     "[edit-everywhere] "
     "(/organizations/*/grants/1)\n"
     "p:6:1: warning: lets \"ann\" change integrations (org.integration.edit) in every organization "
     "[edit-everywhere] "
     "(/organizations/*/grants/2)\n"},
    {"{'principals': {'ann': {'tokens': ['" A
     "']}},\n 'organizations': {'*': {'grants': [{'principal': 'ann', "
     "'deny': ['org.integration.edit']}]}}}",
     FINE,
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] "
     "(/principals/ann)\n"},

    /* certificates */
    {"{'principals': {'ann': {'certificates': ['dns:A.b', 'dns:a.B', 'dns:*', 'ci', 7]}, 'bob': "
     "{'certificates': "
     "['dns:a.b']}}}",
     BROKEN,
     "p:1:53: warning: \"dns:a.B\" stands here twice (/principals/ann/certificates/1)\n"
     "p:1:64: error: has a host name that is none: letters, digits, \"-\" and \"_\" between dots; names are "
     "\"uri:spiffe://example/ci\", \"dns:ci.example\" or \"email:ci@example\" "
     "(/principals/ann/certificates/2)\n"
     "p:1:73: error: begins with none of \"uri:\", \"dns:\" and \"email:\"; names are "
     "\"uri:spiffe://example/ci\", "
     "\"dns:ci.example\" or \"email:ci@example\" (/principals/ann/certificates/3)\n"
     "p:1:79: error: must be a string (/principals/ann/certificates/4)\n"
     "p:1:109: error: \"dns:a.b\" is a certificate of the principal \"ann\" already "
     "(/principals/bob/certificates/0)\n"
     "p:1:17: warning: has no grant: all that it asks will be refused [unused-principal] (/principals/ann)\n"
     "p:1:84: warning: has no grant: all that it asks will be refused [unused-principal] "
     "(/principals/bob)\n"},
};

static struct policy *compile(const char *source, struct text *said)
{
    struct text text = {0};
    struct document document;
    struct problems problems = {0};
    struct policy *policy = NULL;

    text_add_string(&text, source);
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '\'')
            text.data[i] = '"';
    if (document_read(&document, "p", (struct span){text.data, text.length}, &problems))
        policy = policy_compile(&document, &problems);
    assert_true((policy == NULL) == (problems.errors > 0));
    text_add(said, "", 0);
    problems_write(&problems, said);
    problems_free(&problems);
    document_free(&document);
    text_free(&text);
    return policy;
}

static void broken_policies(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text said = {0};
        struct policy *policy = compile(cases[i].policy, &said);

        if (strcmp(said.data, cases[i].lines) != 0 || (policy != NULL) != cases[i].compiles) {
            (void)fprintf(stderr, "%s\n%s; expected:\n%ssaid:\n%s\n", cases[i].policy,
                          policy ? "compiles" : "broken", cases[i].lines, said.data);
            failed++;
        }
        policy_free(policy);
        text_free(&said);
    }
    assert_int_equal(failed, 0);
}

/* A file with very many errors is answered in a bounded time, and all the same not taken. */
static void many_errors(void **state)
{
    struct text source = {0}, said = {0};

    (void)state;
    text_add_string(&source, "{'roles': {");
    for (unsigned i = 0; i < 3000; i++)
        text_add_format(&source, "%s'r%u': 1", i ? ", " : "", i);
    text_add_string(&source, "}}");
    assert_null(compile(source.data, &said));
    assert_non_null(strstr(said.data, "p:1:12: error: must be an array (/roles/r0)\n"));
    assert_non_null(strstr(said.data, "warning: 5000 more errors and warnings are not shown\n"));
    text_free(&source);
    text_free(&said);
}

/* No part of a message may show a whole digest, or what stands where one is expected. */
static void no_secret_is_shown(void **state)
{
    struct text said = {0};

    (void)state;
    assert_null(compile("{'principals': {'ann': {'tokens': ['snyk_uat.real.secret', '" A "', '" A "'],"
                        " 'upstream_token': {'env': 'real-secret'}}, 'bob': {'tokens': ['" A "']}}}",
                        &said));
    assert_null(strstr(said.data, "real"));
    assert_null(strstr(said.data, "aaaaaaaaa"));
    text_free(&said);
}

static void sample_compiles(void **state)
{
    struct text text = {0}, said = {0};
    char piece[512];
    FILE *file = fopen("conf/policy.json", "r");

    (void)state;
    assert_non_null(file);
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        text_add(&text, piece, length);
    (void)fclose(file);

    struct problems problems = {0};
    struct document document;
    assert_true(
        document_read(&document, "conf/policy.json", (struct span){text.data, text.length}, &problems));
    struct policy *policy = policy_compile(&document, &problems);
    problems_write(&problems, &said);
    assert_null(said.data);
    assert_non_null(policy);
    assert_int_equal(policy_principal_count(policy), 2);
    policy_free(policy);
    document_free(&document);
    problems_free(&problems);
    text_free(&text);
    text_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_policies),
        cmocka_unit_test(many_errors),
        cmocka_unit_test(no_secret_is_shown),
        cmocka_unit_test(sample_compiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
