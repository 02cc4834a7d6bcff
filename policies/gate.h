/* What the gates share. Each is a file gate_<name>.c with two functions: the check, and one line on what it
 * looked at, for explain. A new gate is a file, two lines here and a row of the table in decide.c. */
#ifndef POLICIES_GATE_H
#define POLICIES_GATE_H

#include "policies/decide.h"
#include "policies/refusal.h"

/* Judges; VERDICT_REFUSE only after refusal and rule are filled (gate_refuse). What it finds out goes into
 * the decision. */
typedef enum verdict gate_check(const struct decide_input *input, const struct request *request,
                                struct decision *out);

/* One line on what a gate that let the request through has seen; never a secret. May be NULL when memory is
 * out. */
typedef const char *gate_describe(const struct decide_input *input, const struct decision *decision);

gate_check gate_spelling, gate_operation, gate_identity, gate_version, gate_parameters, gate_permission,
    gate_body, gate_rules;
gate_describe describe_spelling, describe_operation, describe_identity, describe_version, describe_parameters,
    describe_permission, describe_body, describe_rules;

/* Fills a refusal with one error, and returns VERDICT_REFUSE. `rule` is a stable word or a JSON pointer. */
enum verdict gate_refuse(struct decision *out, enum refusal_kind kind, const char *rule, const char *detail,
                         const char *pointer, const char *parameter);

/* The credential that is presented for the principal in the organisation: its own, or the organisation's. */
int gate_credential(const struct decide_input *input, const struct decision *decision);

/* Does the policy take the version from a field of that name? */
bool gate_is_version_field(const struct policy *policy, struct span name);

/* Memory is out. */
enum verdict gate_refuse_memory(struct decision *out);

/* A span as a C string in the decision's arena; NULL when memory is out. */
const char *gate_string(struct decision *out, struct span text);

#endif
