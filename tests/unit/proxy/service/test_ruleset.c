#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/service/ruleset.h"
#include "tests/unit/proxy/folder.h"

#include <pthread.h>

#define ORGANIZATION "11111111-2222-4333-8444-555555555555"
#define DIGEST       "sha256:e18b5e53f72af866db11e3ad05e4054cb109d0a55191674df0cb1c438d88d315"

static struct folder folder;

static int set_up(void **state)
{
    (void)state;
    folder = folder_make();
    setenv("PORTCULLIS_TEST_KEY", "key-from-the-environment", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* A configuration with the contract that is shipped and the policy "policy.json" of the folder. */
static struct config *make_config(void)
{
    struct problems problems = {0};
    struct text text = {0};
    char *contract = path_beside("conf/portcullis.json", "integrations.openapi.json");

    text_add_format(&text, "{\"contract\":\"%s\",\"policy\":\"policy.json\"}", contract);
    free(contract);
    struct config *config = config_read(folder_write(&folder, "portcullis.json", text.data), &problems);
    assert_non_null(config);
    text_free(&text);
    problems_free(&problems);
    return config;
}

/* A policy with one principal that has this upstream_token. */
static void write_policy(const char *upstream_token)
{
    struct text text = {0};

    text_add_format(&text,
                    "{\"principals\":{\"bot\":{\"tokens\":[\"%s\"],\n\"upstream_token\":%s}},\"roles\":{},"
                    "\"organizations\":{\"*\":{\"grants\":[]},\"%s\":{\"name\":\"payments\",\"grants\":[{"
                    "\"principal\":\"bot\",\"permissions\":[\"org.integration.read\"]}]}}}",
                    DIGEST, upstream_token, ORGANIZATION);
    (void)folder_write(&folder, "policy.json", text.data);
    text_free(&text);
}

/* Loads it; the problems as lines in `shown`, which is never NULL afterwards. */
static struct ruleset *load(bool need_credentials, struct text *shown)
{
    struct problems problems = {0};
    struct config *config = make_config();
    struct ruleset *ruleset = ruleset_load(config, need_credentials, &problems);

    problems_write(&problems, shown);
    text_add(shown, "", 0);
    assert_int_equal(ruleset == NULL, problems.errors > 0);
    problems_free(&problems);
    config_free(config);
    return ruleset;
}

static void assert_credential(const struct ruleset *ruleset, int index, const char *expected)
{
    struct span value = ruleset_credential(ruleset, index);

    assert_int_equal(value.length, strlen(expected));
    assert_memory_equal(value.data ? value.data : "", expected, value.length);
}

static void loads_all_three(void **state)
{
    struct text shown = {0};
    size_t operations;

    (void)state;
    write_policy("{\"env\":\"PORTCULLIS_TEST_KEY\"}");
    struct ruleset *ruleset = load(true, &shown);
    assert_string_equal(shown.data, "");
    (void)contract_operations(ruleset_contract(ruleset), &operations);
    assert_int_equal(operations, 7);
    assert_int_equal(policy_principal_count(ruleset_policy(ruleset)), 1);
    assert_int_equal(ruleset_organization_count(ruleset), 1);
    assert_credential(ruleset, 0, "Token key-from-the-environment");
    assert_credential(ruleset, 1, "");
    assert_credential(ruleset, CREDENTIAL_OWN, "");
    ruleset_release(ruleset);
    ruleset_release(NULL);
    text_free(&shown);
}

static void reads_credential_files(void **state)
{
    static const struct {
        const char *content, *value;
    } rows[] = {
        {"abc", "Token abc"},         {"abc\n", "Token abc"},     {"abc\r\n", "Token abc"},
        {"Token abc\n", "Token abc"}, {"token abc", "token abc"}, {"Bearer eyJ.x.y", "Bearer eyJ.x.y"},
    };

    (void)state;
    write_policy("{\"file\":\"key\"}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text shown = {0};
        (void)folder_write(&folder, "key", rows[i].content);
        struct ruleset *ruleset = load(true, &shown);
        assert_string_equal(shown.data, "");
        assert_credential(ruleset, 0, rows[i].value);
        ruleset_release(ruleset);
        text_free(&shown);
    }
}

/* Wrong ones stop the gate, and only warn where nobody needs them. No message quotes a byte of them. */
static void refuses_wrong_credentials(void **state)
{
    static const struct {
        const char *content, *problem;
    } rows[] = {
        {"", "is empty"},
        {"\n", "is empty"},
        {"Token ", "is empty"},
        {"s3cret s3cret", "must be one line of visible ASCII"},
        {"s3cret\ns3cret\n", "must be one line of visible ASCII"},
        {"Token Token s3cret", "must be one line of visible ASCII"},
        {"s3cr\xc3\xa9t", "must be one line of visible ASCII"},
    };

    (void)state;
    write_policy("{\"file\":\"key\"}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int needed = 0; needed <= 1; needed++) {
            struct text shown = {0};
            (void)folder_write(&folder, "key", rows[i].content);
            struct ruleset *ruleset = load(needed, &shown);
            assert_int_equal(ruleset == NULL, needed);
            assert_non_null(strstr(shown.data, rows[i].problem));
            assert_non_null(
                strstr(shown.data, needed ? "policy.json:2:1: error: " : "policy.json:2:1: warning: "));
            assert_null(strstr(shown.data, "s3cr"));
            if (ruleset != NULL)
                assert_credential(ruleset, 0, "");
            ruleset_release(ruleset);
            text_free(&shown);
        }
}

static void bounds_a_credential(void **state)
{
    struct text content = {0};

    (void)state;
    write_policy("{\"file\":\"key\"}");
    text_add_string(&content, "Bearer ");
    while (content.length < 7 + 4096)
        text_add_string(&content, "x");
    for (int more = 0; more <= 2; more++) {
        struct text shown = {0};
        (void)folder_write(&folder, "key", content.data);
        struct ruleset *ruleset = load(true, &shown);
        assert_int_equal(ruleset == NULL, more > 0);
        if (ruleset != NULL)
            assert_credential(ruleset, 0, content.data);
        else
            assert_non_null(strstr(shown.data, "is longer than 4096 characters"));
        ruleset_release(ruleset);
        text_free(&shown);
        for (int i = 0; i < (more == 0 ? 1 : 10000); i++)
            text_add_string(&content, "x");
    }
    text_free(&content);
}

static void says_which_source_is_missing(void **state)
{
    static const struct {
        const char *source, *problem;
    } rows[] = {
        {"{\"file\":\"nowhere\"}", "credential file nowhere cannot be read: No such file or directory"},
        {"{\"file\":\".\"}", "credential file . cannot be read: it is not a regular file"},
        {"{\"env\":\"PORTCULLIS_TEST_UNSET\"}", "environment variable PORTCULLIS_TEST_UNSET is not set"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text shown = {0};
        write_policy(rows[i].source);
        assert_null(load(true, &shown));
        assert_non_null(strstr(shown.data, rows[i].problem));
        text_free(&shown);
    }
}

/* A pipe in the place of the file must not hang the gate. */
static void does_not_wait_for_a_pipe(void **state)
{
    struct text shown = {0};

    (void)state;
    assert_int_equal(mkfifo(folder_path(&folder, "pipe"), 0600), 0);
    write_policy("{\"file\":\"pipe\"}");
    assert_null(load(true, &shown));
    assert_non_null(strstr(shown.data, "not a regular file"));
    text_free(&shown);
}

static void warns_of_an_open_file(void **state)
{
    struct text shown = {0};

    (void)state;
    write_policy("{\"file\":\"key\"}");
    assert_int_equal(chmod(folder_write(&folder, "key", "abc"), 0644), 0);
    struct ruleset *ruleset = load(true, &shown);
    assert_non_null(strstr(shown.data, "warning: credential file key is open to every user"));
    assert_credential(ruleset, 0, "Token abc");
    ruleset_release(ruleset);
    text_free(&shown);
}

/* What is wrong in both files is shown at once. */
static void shows_the_problems_of_all_files(void **state)
{
    struct problems problems = {0};
    struct text shown = {0};
    struct config *config = make_config();

    (void)state;
    (void)folder_write(&folder, "policy.json", "{\"principles\":{}}");
    free(config->contract);
    config->contract = strdup("/nowhere/contract.json");
    assert_null(ruleset_load(config, true, &problems));
    problems_write(&problems, &shown);
    assert_non_null(
        strstr(shown.data, "/nowhere/contract.json: error: cannot read it: No such file or directory\n"));
    assert_non_null(strstr(shown.data, "policy.json:1:2: error: "));
    text_free(&shown);
    problems_free(&problems);
    config_free(config);
}

static void *hold_and_release(void *ruleset)
{
    for (int i = 0; i < 10000; i++)
        ruleset_release(ruleset_hold(ruleset));
    ruleset_release(ruleset);
    return NULL;
}

/* The last of several threads frees it, once: for the sanitizers. */
static void counts_references(void **state)
{
    pthread_t threads[4];
    struct text shown = {0};

    (void)state;
    write_policy("{\"env\":\"PORTCULLIS_TEST_KEY\"}");
    struct ruleset *ruleset = load(true, &shown);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_release, ruleset_hold(ruleset)), 0);
    ruleset_release(ruleset);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    text_free(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_all_three),
        cmocka_unit_test(reads_credential_files),
        cmocka_unit_test(refuses_wrong_credentials),
        cmocka_unit_test(bounds_a_credential),
        cmocka_unit_test(says_which_source_is_missing),
        cmocka_unit_test(does_not_wait_for_a_pipe),
        cmocka_unit_test(warns_of_an_open_file),
        cmocka_unit_test(shows_the_problems_of_all_files),
        cmocka_unit_test(counts_references),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
