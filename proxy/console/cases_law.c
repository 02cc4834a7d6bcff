/* By which policy and contract the cases of a file are judged. */
#include "proxy/console/cases.h"
#include "proxy/console/output.h"

#include <stdlib.h>

#define NAMES_SEARCHED 1000 /* among more, what comes near is not looked for */

/* The first that is said: on the command line, in the file of cases, in the configuration. NULL without one.
 */
static char *choose(const char *option, const char *file, const char *config)
{
    if (option != NULL)
        return path_beside(".", option);
    return file != NULL ? strdup(file) : config != NULL ? strdup(config) : NULL;
}

static bool load(struct law *law, struct problems *problems)
{
    const struct judged_by files = {.policy = law->policy, .contract = law->contract};
    struct problems said = {0};

    law->ruleset = judged_by_load(&files, &said);
    bool right = law->ruleset != NULL && coverage_begin(&law->coverage, ruleset_policy(law->ruleset));
    if (!right) {
        output_problems(&said);
        problems->errors++;
    }
    problems_free(&said); /* warnings are for `check` */
    return right;
}

void law_free(struct law *law)
{
    coverage_free(&law->coverage);
    ruleset_release(law->ruleset);
    free(law->policy);
    free(law->contract);
    free(law);
}

static bool same_path(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The one of these files that is there already; else NULL, and `law` is the last one. */
static struct law *put(struct law **first, struct law *law)
{
    struct law **last = first;

    for (struct law *at; (at = *last) != NULL; last = &at->next)
        if (same_path(at->policy, law->policy) && same_path(at->contract, law->contract))
            return at;
    *last = law;
    return NULL;
}

struct law *law_of(struct law **first, const struct judged_by *options, const struct config *config,
                   const struct suite *suite, struct problems *problems)
{
    struct law *law = calloc(1, sizeof *law);

    if (law == NULL) {
        problems_add(problems, SEVERITY_ERROR, NULL, "", "memory is out");
        return NULL;
    }
    law->policy = choose(options->policy, suite->policy, config ? config->policy : NULL);
    law->contract = choose(options->contract, suite->contract, config ? config->contract : NULL);
    struct law *earlier = put(first, law);
    if (earlier != NULL) {
        law_free(law);
        return earlier->ruleset != NULL ? earlier : NULL;
    }
    if (law->policy != NULL && law->contract != NULL)
        return load(law, problems) ? law : NULL;
    problems_add(problems, SEVERITY_ERROR, &suite->document, "",
                 "names no %s: say it here, or by --policy and --contract, or by the configuration (-c)",
                 law->policy ? "contract" : "policy");
    return NULL;
}

/* The policy's names, NULL-terminated, for suggestions: none where they are too many to be looked through. */
static const char **principal_names(const struct policy *policy)
{
    size_t count = policy_principal_count(policy) <= NAMES_SEARCHED ? policy_principal_count(policy) : 0;
    const char **names = calloc(count + 1, sizeof *names);

    for (uint32_t i = 0; names != NULL && i < count; i++)
        names[i] = policy_principal_at(policy, i)->name;
    return names;
}

/* Every case that is judged as a principal must be so as one of the policy. */
static void check_principals(struct strict *strict, const struct suite *suite, const struct policy *policy,
                             const char *const *names)
{
    const struct place root = {0}, cases = {.above = &root, .member = "cases"};
    char room[96];

    for (size_t i = 0; i < suite->case_count; i++) {
        const struct place above = {.above = &cases, .element = i},
                           place = {.above = &above, .member = "principal"};
        const char *name = suite->cases[i].principal;
        if (name != NULL && policy_principal_named(policy, span_of(name)) == NULL)
            strict_note(strict, &place, "the policy has no principal \"%s\"%s", name,
                        suggestion(name, names, room, sizeof room));
    }
}

void law_check(const struct law *law, const struct suite *suite, struct problems *problems)
{
    struct strict strict = {&suite->document, problems, 0};
    const struct policy *policy = ruleset_policy(law->ruleset);
    const char **names = principal_names(policy);

    if (names == NULL) {
        strict_note(&strict, NULL, "memory is out");
        return;
    }
    check_principals(&strict, suite, policy, names);
    cells_check(&strict, suite, ruleset_contract(law->ruleset), policy, names);
    strict_rest(&strict);
    free(names);
}
