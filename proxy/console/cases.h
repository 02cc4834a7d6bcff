/* Inside of `portcullis test`: files of cases, what each one expects, and what a policy says to it. */
#ifndef PROXY_CONSOLE_CASES_H
#define PROXY_CONSOLE_CASES_H

#include "policies/matrix.h"
#include "proxy/console/judged_by.h"
#include "proxy/console/made_request.h"
#include "proxy/console/strict.h"

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

/* One of the table. */
struct test_cell {
    size_t row; /* of the table */
    const char *principal, *organization, *operation;
    enum cell_verdict expect;
};

/* One file. */
struct suite {
    struct document document; /* which texts of the cases point into */
    struct arena arena;
    const char *path;
    char *policy, *contract; /* absolute; NULL: not said */
    int64_t now;             /* where nothing else is said */
    struct test_case *cases;
    size_t case_count;
    struct test_cell *cells;
    size_t cell_count;
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
void case_find(const struct policy *policy, const struct decision *decision, struct case_finding *finding);

/* What differs, in the arena; NULL when all is as expected. False when memory is out. */
bool case_compare(const struct case_expectation *expect, const struct case_finding *finding,
                  struct arena *arena, struct case_difference **differences);

/* "allow", "refuse". Static. */
const char *case_verdict_name(enum case_verdict verdict);

/* ---- the table form (cases_table.c) ---- */

/* Reads the member `table` (NULL: there is none). */
void cells_read(struct strict *strict, const struct place *root, json_t *list, struct suite *suite);

/* Notes the principals and operations of the table that policy and contract do not have. `principals`
 * (NULL-terminated) are the names to suggest. */
void cells_check(struct strict *strict, const struct suite *suite, const struct contract *contract,
                 const struct policy *policy, const char *const *principals);

/* What the matrix has there at that moment; false when memory is out. */
bool cell_judge(const struct test_cell *cell, const struct contract *contract, const struct policy *policy,
                int64_t now, struct arena *arena, struct cell *found);

/* "allow", "refuse", "conditional". Static. */
const char *cell_word(enum cell_verdict verdict);

/* ---- which rules and grants were put to the test (cases_coverage.c) ---- */

struct coverage {
    bool *rules, *grants; /* decisive at least once */
    size_t rule_count, grant_count;
};

/* False when memory is out. coverage_free either way. */
bool coverage_begin(struct coverage *coverage, const struct policy *policy);
void coverage_free(struct coverage *coverage);

/* Counts what decided a case: what refused it or would have; else the grant that allowed it and the rules
 * that oblige the gate to something. */
void coverage_note(struct coverage *coverage, const struct policy *policy, const struct decision *decision);

/* Counts what decided a cell that does not depend on more. */
void coverage_note_cell(struct coverage *coverage, const struct policy *policy, const struct cell *cell);

/* Whole percent of rules and grants together, rounded down; 100 where there are none. */
unsigned coverage_percent(const struct coverage *coverage);

/* Appends it, for a person or as a JSON object. */
void coverage_write(const struct coverage *coverage, const struct policy *policy, const char *path,
                    struct text *out);
void coverage_write_json(const struct coverage *coverage, const struct policy *policy, const char *path,
                         struct text *out);

/* ---- by what they are judged (cases_law.c) ---- */

/* A policy and a contract, and how much of the policy was covered. */
struct law {
    char *policy, *contract; /* absolute; NULL: not said */
    struct ruleset *ruleset; /* NULL: cannot be loaded */
    struct coverage coverage;
    struct law *next;
};

/* The one for the file of cases: what the options say goes before the file, and that before the configuration
 * (NULL: there is none). Loaded once, into the list at *first. NULL when there is none, which is noted. */
struct law *law_of(struct law **first, const struct judged_by *options, const struct config *config,
                   const struct suite *suite, struct problems *problems);
void law_free(struct law *law);

/* Notes the names in the file that policy and contract do not have. */
void law_check(const struct law *law, const struct suite *suite, struct problems *problems);

/* ---- telling it (cases_write.c, cases_junit.c) ---- */

/* Of a case, or of a cell of the table. */
struct case_result {
    const struct suite *suite;
    const struct test_case *test; /* NULL: a cell */
    const struct case_finding *finding;
    const struct case_difference *differences;
    const struct test_cell *test_cell; /* NULL: a case */
    const struct cell *cell;
};

/* Appends it as a JSON object. */
void case_write_json(const struct case_result *result, struct text *out);

/* Appends one that failed, for a person. */
void case_write_failed(const struct case_result *result, struct text *out);

/* Appends it as a JUnit <testcase>; and the whole report around such. */
void case_write_junit(const struct case_result *result, struct text *out);
void junit_write(const struct text *cases, size_t count, size_t failed, struct text *out);

/* Appends the name of a case or cell, for a person. */
void case_write_name(const struct case_result *result, struct text *out);

#endif
