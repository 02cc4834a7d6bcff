/* Inside of `portcullis test`: files of cases, what each one expects, and what a policy says to it. */
#ifndef PROXY_CONSOLE_CASES_H
#define PROXY_CONSOLE_CASES_H

#include "policies/document.h"
#include "proxy/console/made_request.h"

/* ---- what a file says (cases_read.c) ---- */

enum case_verdict { CASE_UNSAID, CASE_ALLOW, CASE_REFUSE };

struct case_expectation {
    enum case_verdict verdict;
    int status;                                    /* 0: any */
    const char *gate, *rule, *code, *would_refuse; /* NULL: any */
    const char **obligations;                      /* in any order; NULL: any */
    size_t obligation_count;
};

struct test_case {
    const char *name;      /* NULL: it has none */
    size_t index;          /* in its file */
    const char *principal; /* judged as this one; NULL: by what the request shows */
    struct request_description request;
    struct case_expectation expect;
};

/* One file. */
struct suite {
    struct document document; /* which texts of the cases point into */
    struct arena arena;
    const char *path;
    char *policy, *contract; /* absolute; NULL: not said */
    struct test_case *cases;
    size_t case_count;
};

struct suite_defaults {
    const char *host;
    int64_t now;
    bool expectations; /* each case must say what it expects */
};

/* Reads the file. False when it has errors: all of them are in `problems`, with line and column. suite_free
 * either way. */
bool suite_read(struct suite *suite, const char *path, const struct suite_defaults *defaults,
                struct problems *problems);
void suite_free(struct suite *suite);

/* ---- what a policy says (cases_judge.c) ---- */

#define CASE_OBLIGATIONS 64

/* Texts are static, of the policy or in the arena. */
struct case_finding {
    enum case_verdict verdict;
    int status;                                    /* 0: passed */
    const char *gate, *rule, *code, *would_refuse; /* NULL: none */
    const char *obligations[CASE_OBLIGATIONS];
    size_t obligation_count;
};

/* One thing that is not as expected. */
struct case_difference {
    const char *what, *expected, *found;
    struct case_difference *next;
};

/* Writes down what was decided. */
void case_find(const struct decide_input *input, const struct decision *decision,
               struct case_finding *finding);

/* What differs, in the arena; NULL when all is as expected. False when memory is out. */
bool case_compare(const struct case_expectation *expect, const struct case_finding *finding,
                  struct arena *arena, struct case_difference **differences);

/* "allow", "refuse". Static. */
const char *case_verdict_name(enum case_verdict verdict);

/* ---- which rules and grants were put to the test (cases_coverage.c) ---- */

struct coverage {
    bool *grants; /* decisive at least once */
    size_t grant_count;
};

/* False when memory is out. */
bool coverage_begin(struct coverage *coverage, const struct policy *policy);
void coverage_free(struct coverage *coverage);

/* Counts what decided. */
void coverage_note(struct coverage *coverage, const struct decide_input *input,
                   const struct decision *decision);

struct coverage_count {
    size_t all, decisive;
};
struct coverage_count coverage_grants(const struct coverage *coverage);

/* Whole percent of rules and grants together, rounded down; 100 where there are none. */
unsigned coverage_percent(const struct coverage *coverage);

/* ---- telling it (cases_write.c, cases_junit.c) ---- */

struct case_result {
    const struct suite *suite;
    const struct test_case *test;
    const struct case_finding *finding;
    const struct case_difference *differences;
};

/* Appends one case as a JSON object. */
void case_write_json(const struct case_result *result, struct text *out);

/* Appends a failed case for a person. */
void case_write_failed(const struct case_result *result, struct text *out);

/* Appends the coverage of a policy, for a person or as a JSON object. */
void coverage_write(const struct coverage *coverage, const struct policy *policy, const char *path,
                    struct text *out);
void coverage_write_json(const struct coverage *coverage, const struct policy *policy, const char *path,
                         struct text *out);

/* Appends one case as a JUnit <testcase>, and the whole report around such. */
void case_write_junit(const struct case_result *result, struct text *out);
void junit_write(const struct text *cases, size_t count, size_t failed, struct text *out);

#endif
